"""A plan: the difference between the active generation and a wanted one, for people and for ``apply``.

A plan is data. It carries what it was made from (home, serial, configuration, policy) and a digest over all of it;
``apply`` makes the plan again from the same edits and refuses if it is not the same.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, Literal

import msgspec

from remit.errors import PlanInvalid
from remit.journal import digest_of, encode_json
from remit.kernel.model import Decision
from remit.schemas import formats
from remit.units.generations.documents import Change
from remit.units.generations.experiments import Goldens
from remit.units.generations.generation import Generation
from remit.units.generations.terms import Terms
from remit.units.generations.wanted import Edits

__all__ = [
    "NO_EVIDENCE",
    "CapabilityAnswer",
    "ChangeKind",
    "DocumentDiff",
    "Drift",
    "Finding",
    "Plan",
    "StateBack",
    "Status",
    "TrialChange",
    "UnitChange",
    "Widening",
    "load_plan",
]

ChangeKind = Literal["add", "upgrade", "downgrade", "remove", "reorder", "rebind", "configure"]
Status = Literal["granted", "kept", "consent", "denied", "revoked"]

NO_EVIDENCE = "trial.gate"
"""The finding on a version that is to be promoted without what its terms ask for."""
_MAX_PLAN = 16 << 20


class UnitChange(msgspec.Struct, frozen=True):
    """What happens to one unit."""

    unit: str
    change: ChangeKind
    before: str
    """Version, or "" where it was not active."""
    after: str
    digest: str
    admission: Literal["signed", "local"]
    detail: str = ""


class Widening(msgspec.Struct, frozen=True):
    """Something that a unit could not do before. Needs a person's consent."""

    unit: str
    kind: Literal["capability", "budget", "limits", "signer", "code"]
    detail: str


class CapabilityAnswer(msgspec.Struct, frozen=True):
    """Policy's answer to one declared capability of one unit of the wanted generation."""

    unit: str
    action: str
    resource: str
    optional: bool
    status: Status
    decision: Decision
    reason: str = ""
    """The unit's own words for why it wants it."""


class Drift(msgspec.Struct, frozen=True):
    """Something that ``remit.toml`` says otherwise than the active generation, and that no command asked for."""

    kind: Literal["unit", "order", "document"]
    name: str
    """The unit or the document; "" for the order."""
    detail: str


class StateBack(msgspec.Struct, frozen=True):
    """A unit whose state goes back to what it was at the end of a generation."""

    unit: str
    generation: int
    seq: int
    """The last record of that time."""


class TrialChange(msgspec.Struct, frozen=True):
    """What happens to one trial."""

    id: str
    unit: str
    change: Literal["start", "adjust", "promote", "end"]
    version: str
    digest: str
    base_version: str
    """Of the active unit beside it."""
    base_digest: str
    terms: Terms
    goldens: Goldens = Goldens()
    base_goldens: Goldens = Goldens()
    state: Literal["", "kept", "dropped"] = ""
    """What becomes of its branch of the unit's state; "" while it goes on."""
    why: str = ""


class DocumentDiff(msgspec.Struct, frozen=True):
    """How one effective document changes."""

    document: str
    changes: tuple[Change, ...]


class Finding(msgspec.Struct, frozen=True):
    """Something that the operator should know; a blocking one keeps the plan from being applied."""

    severity: Literal["blocking", "warning"]
    id: str
    unit: str
    message: str
    remedy: str = ""


class Plan(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """See the module. ``candidate`` is the generation that an apply would make (its time is set then)."""

    format: str = formats.PLAN
    home: str
    serial: int
    """Number of the active generation that it starts from."""
    config: str
    """Digest of ``remit.toml``."""
    policy: str
    edits: Edits
    candidate: Generation
    units: tuple[UnitChange, ...] = ()
    widening: tuple[Widening, ...] = ()
    capabilities: tuple[CapabilityAnswer, ...] = ()
    documents: tuple[DocumentDiff, ...] = ()
    drift: tuple[Drift, ...] = ()
    """What was edited in ``remit.toml`` since the last apply: it comes with this plan, whatever the command names."""
    state: tuple[StateBack, ...] = ()
    """Whose state an apply writes back; only a revert with state does."""
    trials: tuple[TrialChange, ...] = ()
    findings: tuple[Finding, ...] = ()
    changed: bool = False
    """Whether an apply would make a new generation."""

    @cached_property
    def digest(self) -> str:
        """``sha256:…`` over everything in the plan."""
        return digest_of(encode_json(self))

    @property
    def blocking(self) -> list[Finding]:
        """Findings that keep it from being applied."""
        return [finding for finding in self.findings if finding.severity == "blocking"]

    @property
    def needs_consent(self) -> bool:
        """Whether a person must say yes: something widens, or policy asks."""
        return bool(self.widening) or any(answer.status == "consent" for answer in self.capabilities)

    @property
    def overrides(self) -> bool:
        """Whether it promotes a version on trial that lacks the evidence, for the reason that its edits give."""
        return bool(self.edits.override) and any(finding.id == NO_EVIDENCE for finding in self.findings)

    def as_dict(self) -> dict[str, Any]:
        """The plan as JSON-able data, with its digest."""
        data: dict[str, Any] = msgspec.to_builtins(self)
        return data | {"digest": self.digest, "needs_consent": self.needs_consent}


def load_plan(data: bytes) -> Plan:
    """A saved plan.

    :raises PlanInvalid: if it is not one, was changed, or is of another format
    """
    if len(data) > _MAX_PLAN:
        raise PlanInvalid(f"a plan has at most {_MAX_PLAN >> 20} MiB")
    try:
        fields = msgspec.json.decode(data, type=dict[str, Any])
        said = fields.pop("digest", "")
        fields.pop("needs_consent", None)
        plan = msgspec.convert(fields, Plan)
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError, UnicodeDecodeError) as error:
        raise PlanInvalid(f"this is not a saved plan: {error}") from error
    if plan.format != formats.PLAN:
        raise PlanInvalid(f"the plan has format {plan.format!r}; this remit reads {formats.PLAN!r}")
    if plan.digest != said:
        raise PlanInvalid("the plan was changed after it was made")
    return plan
