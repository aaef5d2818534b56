"""What an apply makes of a plan: whether it still holds, whom it asks, the generation it becomes. Pure."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from remit.errors import ConsentNeeded, PlanBlocked, PlanStale, UnitInUse
from remit.kernel.model import EntityRef, Grant, UnitRef
from remit.units.generations.generation import Generation, Trial
from remit.units.planning.plan import Plan

__all__ = ["check_allowed", "check_fresh", "check_unused", "completed", "without_trial"]


def check_unused(ref: UnitRef, active: Generation, *, purge_state: bool) -> None:
    """Refuse to forget a version that takes calls.

    :param purge_state: whether the unit's state is to go as well, which any version of it may be using
    :raises UnitInUse: saying what to do first
    """
    unit, trial = active.unit(ref.id), active.trial(ref.id)
    if unit is not None and (purge_state or unit.ref.digest == ref.digest):
        raise UnitInUse(f"{ref.id}@{unit.ref.version} is active", remedy=f"run 'remit unit apply -{ref.id}' first")
    if trial is not None and trial.unit.ref.digest == ref.digest:
        raise UnitInUse(f"{ref.id}@{ref.version} is on trial", remedy=f"run 'remit unit revert {ref.id}' first")


def check_fresh(plan: Plan, fresh: Plan) -> None:
    """Refuse a plan that would be another one now.

    :raises PlanStale: saying what moved
    """
    if fresh.digest == plan.digest:
        return
    reasons = [
        (plan.home != fresh.home, "it was made for another home"),
        (plan.serial != fresh.serial, f"generation {fresh.serial} is active, not {plan.serial}"),
        (plan.config != fresh.config, "remit.toml was edited"),
        (plan.policy != fresh.policy, "the policies changed"),
    ]
    why = next((reason for differs, reason in reasons if differs), "installed units or grants changed")
    raise PlanStale(f"the plan is stale: {why}")


def check_allowed(plan: Plan, ask: Callable[..., None], home: str, *, consent: bool) -> None:
    """Refuse a plan that may not be applied now.

    :param ask: ``ask(action, resource, context)`` raises ``Denied`` where policy does not let the caller do something
    :raises PlanBlocked: if it has blocking findings
    :raises ConsentNeeded: if it widens and nobody consented
    """
    _check_blocking(plan)
    action = "unit:revert" if plan.edits.revert else "unit:apply"
    ask(action, EntityRef("Home", home), {"widens": plan.needs_consent, "override": plan.overrides})
    _check_consent(plan, given=consent)
    if plan.needs_consent:
        for unit_id, policies in sorted(_consenting(plan)):
            ask("consent:give", EntityRef("Unit", unit_id), {"asked": policies} if policies else {})


def _check_blocking(plan: Plan) -> None:
    """Refuse a plan with blocking findings.

    :raises PlanBlocked: with all of them
    """
    if plan.blocking:
        lines = "; ".join(f"{finding.unit}: {finding.message}" for finding in plan.blocking[:3])
        raise PlanBlocked(
            f"the plan has {len(plan.blocking)} blocking finding(s): {lines}",
            findings=msgspec.to_builtins(plan.blocking),
        )


def _check_consent(plan: Plan, *, given: bool) -> None:
    """Refuse a plan that widens without a person's consent.

    :raises ConsentNeeded: with everything that widens
    """
    if plan.needs_consent and not given:
        what = [f"{item.unit}: {item.detail}" for item in plan.widening]
        what += [f"{a.unit}: {a.action} on {a.resource}" for a in plan.capabilities if a.status == "consent"]
        raise ConsentNeeded(
            f"the change widens what units may do: {'; '.join(dict.fromkeys(what))}",
            widening=list(dict.fromkeys(what)),
        )


def _consenting(plan: Plan) -> set[tuple[str, tuple[str, ...]]]:
    """The units that a consent to the plan is about, each with the policies that ask for it, where some do."""
    asked = {(answer.unit, answer.decision.policies) for answer in plan.capabilities if answer.status == "consent"}
    return asked | {(item.unit, ()) for item in plan.widening}


def completed(plan: Plan, at_ms: int, author: str, message: str, *, consent: bool) -> Generation:
    """The plan's candidate with its time, author and message; grants that a person was asked for bear the consent."""
    asked = {(a.unit, a.action, a.resource) for a in plan.capabilities if a.status == "consent"}

    def signed(grant: Grant) -> Grant:
        key = (grant.unit.id, grant.capability.action, grant.capability.resource)
        return msgspec.structs.replace(grant, consent=author) if consent and key in asked else grant

    return msgspec.structs.replace(
        plan.candidate,
        at_ms=at_ms,
        author=author,
        message=message or plan.candidate.message,
        grants=tuple(signed(grant) for grant in plan.candidate.grants),
    )


def without_trial(active: Generation, trial: Trial, at_ms: int, author: str, why: str) -> Generation:
    """The generation that follows the active one when a trial ends: the same, without the trial and its grants."""
    ref = trial.unit.ref
    return msgspec.structs.replace(
        active,
        number=active.number + 1,
        origin=active.number + 1,
        at_ms=at_ms,
        author=author,
        message=f"ended the trial of {ref.id}@{ref.version}: {why}",
        grants=tuple(grant for grant in active.grants if grant.unit.digest != ref.digest),
        parent=active.digest,
        trials=tuple(one for one in active.trials if one.id != trial.id),
    )
