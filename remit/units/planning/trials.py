"""Trials in a plan: which begin, go on under other terms, are promoted or end, and what speaks against that.

A trial is a part of its generation: one transaction begins it, the next start finds it, a revert takes it along. It
goes on from plan to plan, with the active unit's parameters and slots, until a plan ends it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import msgspec

from remit.errors import TrialUnknown, UsageError
from remit.journal import encode_json
from remit.kernel.model import UnitRef
from remit.schemas.config import Config, WantedUnit
from remit.units.generations.experiments import Experiments, Goldens, judge
from remit.units.generations.generation import ActiveUnit, Generation, Trial
from remit.units.generations.recall import Recall
from remit.units.generations.terms import MOST_SLOWER, WHOLE, Terms
from remit.units.generations.wanted import Edits
from remit.units.manifest import in_range
from remit.units.planning.plan import NO_EVIDENCE, Finding, TrialChange
from remit.units.planning.resolution import resolve
from remit.units.stock.installed import Installed, Library

__all__ = ["Means", "Trials", "check_terms", "ended", "plan_trials", "promoted"]

_MOST_CALLS = 1_000_000
_MOST_TEXT = 200


class Trials(msgspec.Struct):
    """The trials of a candidate."""

    trials: list[Trial] = []
    changes: list[TrialChange] = []
    findings: list[Finding] = []


class _Wish(msgspec.Struct, frozen=True):
    ref: UnitRef
    terms: Terms


class Means(msgspec.Struct, frozen=True):
    """What trials are planned from."""

    installed: Installed
    library: Library
    config: Config
    experiments: Experiments
    goldens: Callable[[ActiveUnit], Goldens]
    """How a version's own tests go."""


def check_terms(terms: Terms) -> None:
    """Refuse terms that nothing could meet.

    :raises UsageError: saying which
    """
    for what, value, least, most in (
        ("share", terms.share, 1, WHOLE),
        ("share of errors", terms.errors, 0, WHOLE),
        ("share that it may be slower", terms.slower, 0, MOST_SLOWER),
        ("number of calls", terms.calls, 1, _MOST_CALLS),
    ):
        if not least <= value <= most:
            raise UsageError(f"the {what} of a trial is {least} to {most}, not {value}")
    if max(len(terms.principal), len(terms.namespace), len(terms.episode)) > _MOST_TEXT:
        raise UsageError(f"a trial's scope is named in at most {_MOST_TEXT} characters")


def promoted(
    wanted: Sequence[WantedUnit], active: Generation, units: Iterable[str]
) -> tuple[list[WantedUnit], dict[str, str]]:
    """The wanted units with these at their versions on trial, and the digests that they are then held to.

    :raises TrialUnknown: if one is not on trial
    """
    by_id, held = {unit.id: unit for unit in wanted}, {}
    for unit_id in units:
        trial = active.trial(unit_id)
        if trial is None or unit_id not in by_id:
            raise TrialUnknown(f"{unit_id[:200]} is not on trial")
        ref, unit = trial.unit.ref, by_id[unit_id]
        fits = in_range(ref.version, unit.version or "*")
        by_id[unit_id] = msgspec.structs.replace(
            unit, version=unit.version if fits else f"^{ref.version}", pin=ref.digest if unit.pin else ""
        )
        held[unit_id] = ref.digest
    return list(by_id.values()), held


def plan_trials(
    edits: Edits,
    units: Sequence[ActiveUnit],
    active: Generation,
    back: Sequence[Trial] | None,
    known: Sequence[Finding],
    means: Means,
) -> Trials:
    """What is on trial beside these units.

    :param back: what was, where the plan goes back
    :param known: findings on the units themselves
    :raises UsageError: if a unit is to be tried that is not active
    """
    result = Trials()
    bases = {unit.ref.id: unit for unit in units}
    wishes = _wishes(edits, bases, active, back, means)
    for unit_id, wish in wishes.items():
        if unit_id in bases:
            _try(result, wish, units, active, known, means, moves=back is not None)
    going = {trial.id: trial for trial in result.trials}
    for trial in active.trials:
        if trial.id not in going:
            result.changes.append(_ended(trial, edits, active))
    result.findings += [
        finding for unit_id in edits.promote for finding in _gate(active.trial(unit_id), edits, means.experiments)
    ]
    return result


def _wishes(
    edits: Edits, bases: dict[str, ActiveUnit], active: Generation, back: Sequence[Trial] | None, means: Means
) -> dict[str, _Wish]:
    if back is not None:
        return {trial.unit.ref.id: _Wish(trial.unit.ref, trial.terms) for trial in back}
    wishes = {
        trial.unit.ref.id: _Wish(trial.unit.ref, trial.terms)
        for trial in active.trials
        if trial.unit.ref.id not in edits.promote
    }
    if edits.trial:
        check_terms(edits.terms)
    for item in edits.trial:
        unit_id, _, version_range = item.partition("@")
        if unit_id not in bases:
            raise UsageError(
                f"{unit_id[:200]} is not active: a trial runs beside the version that is",
                remedy=f"run 'remit unit apply {unit_id[:200]}' to have it active",
            )
        going = wishes.get(unit_id)
        if going is not None and in_range(going.ref.version, version_range or "*"):
            wishes[unit_id] = _Wish(going.ref, edits.terms)
            continue
        found = means.installed.best(unit_id, version_range or "*", standing=True)
        if going is not None:
            raise UsageError(
                f"{unit_id}@{going.ref.version} is on trial, so {found.ref.version} cannot be",
                remedy=f"end that one first: 'remit unit revert {unit_id}'",
            )
        wishes[unit_id] = _Wish(found.ref, edits.terms)
    return wishes


def _try(
    result: Trials,
    wish: _Wish,
    units: Sequence[ActiveUnit],
    active: Generation,
    known: Sequence[Finding],
    means: Means,
    *,
    moves: bool,
) -> None:
    """One trial of the candidate, with what changes about it and what there is to say."""
    unit_id = wish.ref.id
    base = next(unit for unit in units if unit.ref.id == unit_id)
    if base.ref.digest == wish.ref.digest:
        result.findings.append(
            _finding("blocking", "trial.same", unit_id, f"{wish.ref.version} is what is active", "name another version")
        )
        return
    before, was = active.trial(unit_id), active.unit(unit_id)
    if before is not None and not moves and (was is None or was.ref != base.ref):
        message = f"{wish.ref.version} is on trial beside {was.ref.version if was else 'nothing'}, which would change"
        remedy = f"promote it or end it first: 'remit unit promote {unit_id}', 'remit unit revert {unit_id}'"
        result.findings.append(_finding("blocking", "trial.running", unit_id, message, remedy))
    arm, findings = _resolved(wish.ref, units, active, means)
    result.findings += [one for one in findings if one not in known]
    if arm is None:
        return
    result.findings += _differences(base, arm, means.library)
    same = before is not None and before.unit.ref.digest == arm.ref.digest and was is not None and was.ref == base.ref
    if before is not None and same:
        trial = msgspec.structs.replace(before, unit=arm, terms=wish.terms)
        if before.terms != wish.terms:
            result.changes.append(_change(trial, base.ref, "adjust"))
            record = means.experiments.by_id.get(before.id)
            if record is not None and wish.terms.trips(record.trial.calls, record.trial.failed):
                message = f"{record.trial.failed} of its calls failed already, which these terms do not allow"
                result.findings.append(_finding("blocking", "trial.errors", unit_id, message, "allow more, or end it"))
    else:
        trial = Trial(arm, wish.terms, active.number + 1, means.goldens(arm), means.goldens(base))
        result.changes.append(_change(trial, base.ref, "start"))
    result.trials.append(trial)


def _resolved(
    ref: UnitRef, units: Sequence[ActiveUnit], active: Generation, means: Means
) -> tuple[ActiveUnit | None, list[Finding]]:
    """The arm as it would be in the other's place, and what is wrong with that."""
    wanted = [
        WantedUnit(
            id=unit.ref.id,
            version=f"={ref.version}" if unit.ref.id == ref.id else unit.range,
            parameters=unit.parameters,
            slots=unit.choices,
            pin=ref.digest if unit.ref.id == ref.id else unit.ref.digest,
        )
        for unit in units
    ]
    found = resolve(wanted, active, means.installed, means.library, means.config, named=None, held={}, recall=Recall())
    return next((unit for unit in found.units if unit.ref.id == ref.id), None), found.findings


def _differences(base: ActiveUnit, arm: ActiveUnit, library: Library) -> list[Finding]:
    """What of the arm has no part in the trial."""
    unit_id, version = arm.ref.id, arm.ref.version
    if arm.ref.kind != "tool" or base.ref.kind != "tool":
        message = f"only tools are tried: {unit_id} is a {base.ref.kind}, {version} a {arm.ref.kind}"
        return [_finding("blocking", "trial.kind", unit_id, message, "apply it: a plan shows what it changes")]
    old, new = library.manifest(base.ref.digest), library.manifest(arm.ref.digest)
    found = []
    if encode_json(base.patches) != encode_json(arm.patches):
        found.append(("trial.documents", "its patches differ: documents stay the other version's while it is on trial"))
    missing = sorted({one.name for one in old.actions} - {one.name for one in new.actions})
    if missing:
        found.append(("trial.actions", f"it has no {', '.join(missing)}: those calls all stay with {base.ref.version}"))
    changed = [
        one.name
        for one in old.actions
        for other in new.actions
        if one.name == other.name
        and any(
            library.schema(base.ref.digest, a) != library.schema(arm.ref.digest, b)
            for a, b in ((one.input, other.input), (one.output, other.output))
        )
    ]
    if changed:
        found.append(("trial.schema", f"its schemas of {', '.join(changed)} differ: callers meet either"))
    if {one.topic for one in old.on} != {one.topic for one in new.on}:
        found.append(("trial.reactions", "it reacts to other topics: only those of both versions reach it"))
    return [_finding("warning", kind, unit_id, message) for kind, message in found]


def _gate(trial: Trial | None, edits: Edits, experiments: Experiments) -> list[Finding]:
    """What the evidence lacks for a promotion; with a reason to do it all the same, only for the record."""
    record = experiments.by_id.get(trial.id) if trial is not None else None
    if trial is None or record is None:
        return []
    unit_id = trial.unit.ref.id
    severity: Literal["blocking", "warning"] = "warning" if edits.override else "blocking"
    remedy = "" if edits.override else f"'remit unit promote {unit_id} --override REASON' insists"
    return [_finding(severity, NO_EVIDENCE, unit_id, words, remedy) for words in judge(record)]


def ended(trial: Trial, active: Generation, why: str = "") -> TrialChange:
    """That a trial ends without a promotion."""
    return _change(trial, _base(trial, active), "end", "dropped", why)


def _ended(trial: Trial, edits: Edits, active: Generation) -> TrialChange:
    if trial.unit.ref.id in edits.promote:
        kept: Literal["kept", "dropped"] = "kept" if edits.keep_state else "dropped"
        return _change(trial, _base(trial, active), "promote", kept, edits.override)
    return ended(trial, active)


def _base(trial: Trial, active: Generation) -> UnitRef:
    found = active.unit(trial.unit.ref.id)
    return trial.unit.ref if found is None else found.ref


def _change(
    trial: Trial,
    base: UnitRef,
    change: Literal["start", "adjust", "promote", "end"],
    state: Literal["", "kept", "dropped"] = "",
    why: str = "",
) -> TrialChange:
    ref = trial.unit.ref
    return TrialChange(
        id=trial.id,
        unit=ref.id,
        change=change,
        version=ref.version,
        digest=ref.digest,
        base_version=base.version,
        base_digest=base.digest,
        terms=trial.terms,
        goldens=trial.goldens,
        base_goldens=trial.base_goldens,
        state=state,
        why=why,
    )


def _finding(severity: Literal["blocking", "warning"], kind: str, unit: str, message: str, remedy: str = "") -> Finding:
    return Finding(severity, kind, unit, message, remedy)
