"""Two policy sets side by side: what differs, whether one may allow more, and which decisions would flip.

The questions are those of the journal: every grant that was given, every use and call that was refused or made. Each is
asked once of both sets, however often it occurred.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from remit.errors import JournalError, ResourceInvalid
from remit.journal.event import encode_json
from remit.kernel.model import Capability, Decision, EntityRef, Grant, UnitRef
from remit.policy.deciding.decider import Decider
from remit.policy.deciding.requests import Request, administration, capability_use
from remit.policy.reviewing.changes import differing
from remit.policy.sets.yielding import giving_way

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import PurePosixPath

    from remit.journal.event import Record
    from remit.policy.sets.engine import Engine
    from remit.schemas.config import Operator

__all__ = ["TOPICS", "Change", "Flip", "Question", "Replay", "changes", "flips", "widens"]

TOPICS = ("grant.given", "lease.denied", "action.completed", "action.failed", "action.denied", "unit.installed")
"""Where the journal's decisions are."""

_MOST_QUESTIONS = 100_000
_EACH = 1
"""Questions between two looks at the time: each is decided twice, for some hundred microseconds."""


class Change(msgspec.Struct, frozen=True):
    """One policy that is not the same in both sets."""

    policy: str
    change: str
    """``added``, ``removed`` or ``changed``."""
    effect: str
    """``permit`` or ``forbid``, in the set that has it now."""
    why: str
    widens: bool
    """Whether it can make the set allow more."""


def changes(before: Engine, after: Engine) -> list[Change]:
    """Every policy that differs in more than layout, by id."""
    found = []
    for name in differing(before, after):
        old, new = before.policies.get(name), after.policies.get(name)
        shown = new or old
        assert shown is not None
        word = "added" if old is None else "removed" if new is None else "changed"
        wider = (new is not None and new.effect == "permit") or (old is not None and old.effect == "forbid")
        found.append(Change(name, word, shown.effect, shown.annotations.get("why", ""), wider))
    return found


def widens(before: Engine, after: Engine) -> bool:
    """Whether the second set may allow what the first does not: it has a new permit, or lost or changed a forbid.

    Told from the policies alone, so it never misses a widening; it may see one where there is none.
    """
    return any(change.widens for change in changes(before, after))


class Question(msgspec.Struct, frozen=True):
    """Something that was decided, in words and as Cedar is asked."""

    principal: str
    action: str
    resource: str
    request: Request


class Flip(msgspec.Struct, frozen=True):
    """A question that two sets answer differently."""

    principal: str
    action: str
    resource: str
    before: str
    after: str
    before_policies: tuple[str, ...]
    after_policies: tuple[str, ...]
    times: int
    """How often it occurred."""


class Replay:
    """Collects the questions of a journal. Facts (roles, quarantine) are today's."""

    def __init__(
        self,
        operators: Callable[[str], Operator],
        units: Mapping[str, UnitRef],
        quarantined: frozenset[str],
        home: PurePosixPath | None,
    ) -> None:
        self._operators = operators
        self._units = units
        self._quarantined = quarantined
        self._home = home
        self._installed: dict[str, UnitRef] = {unit.digest: unit for unit in units.values()}
        self._counts: dict[bytes, int] = {}
        self.questions: dict[bytes, Question] = {}

    def read(self, records: Iterable[Record], data: Callable[[Record], Any]) -> None:
        """Take in records; what is not the kernel's, or malformed or erased, asks nothing."""
        for record in records:
            if not record.from_kernel or len(self.questions) >= _MOST_QUESTIONS:
                continue
            try:
                question = self._question(record.event.type, data(record))
            except (JournalError, ResourceInvalid, msgspec.ValidationError, KeyError, TypeError, AttributeError):
                continue
            if question is not None:
                self._add(question)

    def ask(self, principal: str, capability: Capability, request: Request) -> None:
        """Add one question about a capability."""
        self._add(Question(principal, capability.action, capability.resource, request))

    def _add(self, question: Question) -> None:
        key = encode_json(question.request)
        self.questions[key] = question
        self._counts[key] = self._counts.get(key, 0) + 1

    def times(self, key: bytes) -> int:
        """How often a question occurred."""
        return self._counts[key]

    def _question(self, kind: str, said: Any) -> Question | None:
        if kind == "unit.installed":
            unit = msgspec.convert({name: said[name] for name in UnitRef.__struct_fields__}, UnitRef)
            self._installed[unit.digest] = unit
            return None
        if kind == "grant.given":
            grant = msgspec.convert(said, Grant)
            self._installed[grant.unit.digest] = grant.unit
            return self._use(grant.unit, grant.capability, declared=True, approved=bool(grant.consent))
        if kind == "lease.denied":
            unit = self._installed[said["digest"]]
            declared = "guard.undeclared" not in said.get("policies", ())
            return self._use(unit, Capability(said["action"], said["resource"]), declared=declared, approved=False)
        return self._invocation(said["principal"], said["action"])

    def _use(self, unit: UnitRef, capability: Capability, *, declared: bool, approved: bool) -> Question:
        request = capability_use(
            unit,
            capability,
            declared=declared,
            approved=approved,
            units=self._units,
            home=self._home,
            quarantined=self._quarantined,
        )
        return Question(unit.id, capability.action, capability.resource, request)

    def _invocation(self, principal: str, action: str) -> Question:
        request = administration(
            principal,
            self._operators(principal),
            "action:invoke",
            EntityRef("Action", action),
            {},
            units=self._units,
            grants={},
            quarantined=self._quarantined,
        )
        return Question(principal, "action:invoke", action, request)


def flips(replay: Replay, before: Engine, after: Engine) -> list[Flip]:
    """Every question that the two sets answer differently; what would be allowed first."""
    old, new = Decider(before), Decider(after)
    found = []
    for key, question in giving_way(replay.questions.items(), _EACH):
        was, will = old.decide(question.request), new.decide(question.request)
        if was.outcome != will.outcome:
            found.append(_flip(question, was, will, replay.times(key)))
    order: Sequence[str] = ("allow", "ask", "deny")
    return sorted(found, key=lambda flip: (order.index(flip.after), flip.principal, flip.action, flip.resource))


def _flip(question: Question, was: Decision, will: Decision, times: int) -> Flip:
    return Flip(
        question.principal,
        question.action,
        question.resource,
        was.outcome,
        will.outcome,
        was.policies,
        will.policies,
        times,
    )
