"""What the journal says of a change of units: the drafts of an apply, a revert, a removal, a suggestion. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from remit.journal import Draft
from remit.kernel.model import Caller, Grant, UnitRef
from remit.units.generations.documents import operations
from remit.units.generations.generation import Generation
from remit.units.planning.plan import Plan, TrialChange
from remit.units.stock.installed import Withdrawn

__all__ = ["attributed", "change_drafts", "removal", "suggestion", "trial_end", "withdrawal"]


def change_drafts(
    plan: Plan, generation: Generation, before: Generation, principal: str, more: Mapping[str, Any]
) -> list[Draft]:
    """The records of a generation that becomes active, the generation itself first.

    :param more: what else the first record says: what follows the journal (``config``, ``lock``), ``reactions``
    """
    kind = "unit.reverted" if plan.edits.revert else "unit.applied"
    had = {grant.id for grant in before.grants}
    given = [grant for grant in generation.grants if grant.id not in had]
    data = {
        "number": generation.number,
        "plan": plan.digest,
        "units": plan.units,
        **more,
        **_trial_facts(before, generation, plan.trials),
        "grants": sorted(grant.id for grant in generation.grants),
        "generation": generation,
    }
    drafts = [Draft(type=kind, subject=str(generation.number), data=data)]
    drafts += [
        Draft(type="consent.given", subject=grant.unit.id, data=_consent(grant, principal, generation.policy))
        for grant in given
        if grant.consent
    ]
    drafts += [Draft(type="grant.given", subject=grant.id, data=msgspec.to_builtins(grant)) for grant in given]
    drafts += [
        Draft(
            type="unit.promoted",
            subject=unit,
            data={"slot": slot, "unit": unit, "instead": _others(before, slot, unit)},
        )
        for slot, unit in plan.edits.bind.items()
    ]
    drafts += [_promotion(change) for change in plan.trials if change.change == "promote"]
    drafts += [
        Draft(
            type="document.changed",
            subject=change.document,
            data={"document": change.document, "patch": operations(change.changes)},
        )
        for change in plan.documents
    ]
    return drafts


def removal(unit: UnitRef) -> Draft:
    """That an installed version is forgotten."""
    return Draft(type="unit.removed", subject=unit.id, data={"digest": unit.digest, "version": unit.version})


def withdrawal(found: Withdrawn) -> Draft:
    """That a registry took a version back."""
    return Draft(type="unit.withdrawn", subject=found.unit, data=msgspec.to_builtins(found))


def attributed(drafts: Sequence[Draft], caller: Caller) -> list[Draft]:
    """The drafts of one change, as part of the caller's episode; the first says who made it."""
    first, *others = [
        msgspec.structs.replace(draft, correlation=caller.correlation, causation=caller.causation) for draft in drafts
    ]
    said = {**first.data, "principal": caller.principal, "client": caller.client}
    return [msgspec.structs.replace(first, data=said), *others]


def _trial_facts(before: Generation, generation: Generation, changes: Sequence[TrialChange]) -> dict[str, Any]:
    """What the record of a generation says of its trials, and which branches of state begin and end with it."""
    opened = [one for one in generation.trials if one.id not in {other.id for other in before.trials}]
    closed = [one for one in before.trials if one.id not in {other.id for other in generation.trials}]
    facts: dict[str, Any] = {"trials": msgspec.to_builtins(changes)} if changes else {}
    for name, found in (("opened", opened), ("closed", closed)):
        if found:
            facts[name] = [{"unit": one.unit.ref.id, "branch": one.id} for one in found]
    return facts


def trial_end(
    generation: Generation, before: Generation, change: TrialChange, reactions: Sequence[Mapping[str, Any]]
) -> Draft:
    """The record of a generation that a trial's end alone makes."""
    data = {
        "number": generation.number,
        "units": [],
        "reactions": reactions,
        "grants": sorted(grant.id for grant in generation.grants),
        "generation": msgspec.to_builtins(generation),
        **_trial_facts(before, generation, [change]),
    }
    return Draft(type="unit.reverted", subject=str(generation.number), data=data)


def _promotion(change: TrialChange) -> Draft:
    data = {"unit": change.unit, "version": change.version, "digest": change.digest, "instead": [change.base_version]}
    data |= {"trial": change.id, "state": change.state, "override": change.why}
    return Draft(type="unit.promoted", subject=change.unit, data=data)


def _others(before: Generation, slot: str, unit: str) -> list[str]:
    return [other.ref.id for other in before.units if slot in other.slots and other.ref.id != unit]


def _consent(grant: Grant, principal: str, policy: str) -> dict[str, Any]:
    return {
        "grant": grant.id,
        "unit": grant.unit.id,
        "digest": grant.unit.digest,
        "action": grant.capability.action,
        "resource": grant.capability.resource,
        "envelope": grant.capability.envelope,
        "policy": policy,
        "reach": grant.reach,
        "by": principal,
    }


def suggestion(slot: str, unit: UnitRef) -> Draft:
    """That an installed unit could fill an empty slot."""
    data = {"slot": slot, "unit": unit.id, "version": unit.version, "digest": unit.digest}
    return Draft(type="unit.suggested", subject=unit.id, data=data)
