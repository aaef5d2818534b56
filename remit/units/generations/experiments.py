"""The read model ``experiments``: what became of the calls of each trial's arms, and how the trial ended.

The gate of a promotion and the kernel's own end of a trial are judged from it and from nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar

import msgspec

from remit.errors import CallCancelled, JournalError
from remit.journal import GENERATION_TOPICS, Reading, Record
from remit.units.generations.terms import Terms

__all__ = ["Arm", "Experiment", "Experiments", "ExperimentsFold", "Goldens", "judge", "quantile"]

S = TypeVar("S")
_MOST = 200
_MOST_KINDS = 64
_SUB = 5
"""Durations are told apart by their first so many bits: to 1 part in 16."""
_DENIALS = ("lease.denied", "lease.exhausted", "egress.denied")
Outcome = Literal["running", "promoted", "ended"]


class Goldens(msgspec.Struct, frozen=True):
    """How a version's own tests went when the trial began; ``failed`` is ``None`` where they were not run."""

    tests: int = 0
    failed: int | None = None


class Arm(msgspec.Struct, frozen=True):
    """One arm of a trial: a version, and what became of its calls."""

    version: str
    digest: str
    goldens: Goldens = Goldens()
    completed: int = 0
    failed: int = 0
    """Calls that ended in an error; those that their caller cancelled are left out."""
    denied: int = 0
    """Calls that policy kept their caller from."""
    denials: dict[str, int] = {}
    """What the unit was denied in its calls, and how often."""
    codes: dict[str, int] = {}
    took: dict[int, int] = {}
    """Calls by duration: the upper bounds of buckets in microseconds."""

    @property
    def calls(self) -> int:
        """Calls that ran."""
        return self.completed + self.failed

    def view(self) -> dict[str, Any]:
        """For people and programs."""
        shown: dict[str, Any] = msgspec.to_builtins(self)
        del shown["took"]
        return shown | {"calls": self.calls, "p50_us": quantile(self, 50), "p95_us": quantile(self, 95)}


class Experiment(msgspec.Struct, frozen=True):
    """One trial."""

    id: str
    unit: str
    terms: Terms
    base: Arm
    trial: Arm
    began: str
    """RFC 3339."""
    generation: int
    """The one that it began with."""
    outcome: Outcome = "running"
    ended: str = ""
    why: str = ""
    state: Literal["", "kept", "dropped"] = ""
    """What became of the branch of state."""

    @property
    def new_denials(self) -> list[str]:
        """What the arm on trial was denied and the other was not."""
        return sorted(self.trial.denials.keys() - self.base.denials.keys())

    def view(self) -> dict[str, Any]:
        """For people and programs."""
        shown: dict[str, Any] = {name: getattr(self, name) for name in self.__struct_fields__ if name != "terms"}
        terms = {name: getattr(self.terms, name) for name in self.terms.__struct_fields__}
        arms = {"base": self.base.view(), "trial": self.trial.view()}
        more = {"terms": terms, "words": self.terms.words}
        return shown | arms | more | {"new_denials": self.new_denials, "missing": judge(self)}


class Experiments(msgspec.Struct, frozen=True):
    """The newest trials by their ids, oldest first."""

    by_id: dict[str, Experiment] = {}

    def running(self) -> list[Experiment]:
        """Those that go on."""
        return [one for one in self.by_id.values() if one.outcome == "running"]


def judge(one: Experiment) -> list[str]:
    """What a trial's record still lacks for a promotion, in words that change only with the verdict."""
    terms, base, trial = one.terms, one.base, one.trial
    lacking = [
        f"{name} has not had {terms.calls} calls yet"
        for name, arm in (("it", trial), ("the version beside it", base))
        if arm.calls < terms.calls
    ]
    if trial.goldens.failed:
        lacking.append("its own tests fail")
    if terms.trips(trial.calls, trial.failed):
        lacking.append("too many of its calls fail")
    lacking += [f"it was denied what the other was not: {what}" for what in one.new_denials]
    slow, bound = quantile(trial, 95), quantile(base, 95)
    if slow is not None and bound is not None and slow * 10_000 > bound * (10_000 + terms.slower):
        lacking.append("it is slower than its bound")
    return lacking


def quantile(arm: Arm, hundredths: int) -> int | None:
    """The bucket's bound in microseconds below which so many of the calls ended; ``None`` without calls."""
    whole = sum(arm.took.values())
    seen = 0
    for bound in sorted(arm.took):
        seen += arm.took[bound]
        if seen * 100 >= whole * hundredths:
            return bound
    return None


def _bucket(microseconds: int) -> int:
    """The upper bound of a duration's bucket."""
    shift = max(0, microseconds.bit_length() - _SUB)
    return (((microseconds >> shift) + 1) << shift) - 1


class _Tried(msgspec.Struct, frozen=True):
    """What this fold reads of a generation that becomes active."""

    trials: tuple[dict[str, Any], ...] = ()


class ExperimentsFold:
    """Folds generations, for their trials, and calls, for the arms that they were of."""

    name = "experiments"
    version = 1
    topics: tuple[str, ...] = (*GENERATION_TOPICS, "action.", *_DENIALS)

    def init(self) -> Experiments:
        """No trials."""
        return Experiments()

    def apply(self, state: Experiments, records: Sequence[Record], data: Reading) -> Experiments:
        """Count these records."""
        known = dict(state.by_id)
        running = {one.id: one for one in state.running()}
        for record in records:
            kind = record.event.type
            if not record.from_kernel or not (running or kind in GENERATION_TOPICS):
                continue
            if kind in GENERATION_TOPICS:
                for change in _said(record, data, _Tried, _Tried()).trials:
                    _changed(known, change, record)
                running = {one.id: one for one in known.values() if one.outcome == "running"}
            elif found := _counted(running, kind, _said(record, data, dict[str, Any], {})):
                known[found.id] = running[found.id] = found
        while len(known) > _MOST:
            del known[next(iter(known))]
        return Experiments(known)

    def snapshot(self, state: Experiments) -> bytes:
        """The trials as JSON."""
        return msgspec.json.encode(state)

    def restore(self, data: bytes) -> Experiments:
        """What :meth:`snapshot` wrote."""
        return msgspec.json.decode(data, type=Experiments)

    def view(self, state: Experiments) -> object:
        """The trials, the newest first."""
        return [msgspec.to_builtins(one.view()) for one in reversed(state.by_id.values())]


def _said(record: Record, data: Reading, kind: type[S], nothing: S) -> S:
    """What a record says; nothing where it is erased, or of another form."""
    try:
        found: S = data(record, kind)
    except (JournalError, msgspec.ValidationError):
        return nothing
    return found


def _changed(known: dict[str, Experiment], change: Mapping[str, Any], record: Record) -> None:
    one = known.get(change["id"])
    if change["change"] in {"start", "adjust"}:
        terms = msgspec.convert(change["terms"], Terms)
        known[change["id"]] = (
            msgspec.structs.replace(one, terms=terms)
            if one is not None
            else Experiment(
                id=change["id"],
                unit=change["unit"],
                terms=terms,
                base=_arm(change, "base_"),
                trial=_arm(change, ""),
                began=record.event.time,
                generation=record.generation,
            )
        )
    elif one is not None:
        outcome: Outcome = "promoted" if change["change"] == "promote" else "ended"
        known[one.id] = msgspec.structs.replace(
            one, outcome=outcome, ended=record.event.time, why=change["why"], state=change["state"]
        )


def _arm(change: Mapping[str, Any], prefix: str) -> Arm:
    goldens = msgspec.convert(change[f"{prefix}goldens"], Goldens)
    return Arm(change[f"{prefix}version"], change[f"{prefix}digest"], goldens)


def _counted(running: Mapping[str, Experiment], kind: str, facts: Mapping[str, Any]) -> Experiment | None:
    """The trial that a record is of, with it counted."""
    if kind in _DENIALS:
        digest = facts.get("digest")
        for one in running.values():
            for name, arm in (("base", one.base), ("trial", one.trial)):
                if arm.digest == digest:
                    denials = _more(arm.denials, f"{facts.get('action', kind)} on {_where(facts)}")
                    return msgspec.structs.replace(one, **{name: msgspec.structs.replace(arm, denials=denials)})
        return None
    found = running.get(facts.get("trial", ""))
    if found is None or facts.get("code") == CallCancelled.code:
        return None
    name = "trial" if facts.get("arm") == "trial" else "base"
    return msgspec.structs.replace(found, **{name: _ended(getattr(found, name), kind.partition(".")[2], facts)})


def _where(facts: Mapping[str, Any]) -> str:
    return str(facts.get("resource") or facts.get("host") or "")[:200]


def _ended(arm: Arm, end: str, facts: Mapping[str, Any]) -> Arm:
    if end not in {"completed", "failed", "denied"}:
        return arm
    codes = _more(arm.codes, facts["code"]) if facts.get("code") else arm.codes
    took = arm.took
    if end != "denied":
        bound = _bucket(max(0, int(facts.get("duration_us", 0))))
        took = {**took, bound: took.get(bound, 0) + 1}
    return msgspec.structs.replace(arm, codes=codes, took=took, **{end: getattr(arm, end) + 1})


def _more(counts: Mapping[str, int], what: str) -> dict[str, int]:
    if what not in counts and len(counts) >= _MOST_KINDS:
        what = "…"
    return {**counts, what: counts.get(what, 0) + 1}
