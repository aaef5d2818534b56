"""What a wanted generation may do: policy's answer to each capability, the grants that follow, and what widens.

A grant binds to a unit's digest. It is carried over while the same digest wants the same capability and policy still
says so; an upgrade is decided anew, and a revoked grant is never revived by going back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from remit.journal import digest_of, encode_json
from remit.kernel.model import Budget, Capability, Decision, Grant, UnitRef
from remit.kernel.ports import Authority
from remit.units.generations.generation import ActiveUnit, Generation
from remit.units.manifest import Manifest, limits_of
from remit.units.planning.plan import CapabilityAnswer, Finding, Status, Widening
from remit.units.stock.admission import TRUST_IT
from remit.units.stock.withdrawals import capability_key

__all__ = ["Granting", "decide_grants"]


class Granting(msgspec.Struct):
    """The outcome for a whole generation."""

    grants: list[Grant] = []
    answers: list[CapabilityAnswer] = []
    widening: list[Widening] = []
    findings: list[Finding] = []


_MEASURES = {
    "memory": ("memory", " bytes"),
    "deadline_ms": ("deadline", " ms"),
    "stack": ("stack", " bytes"),
    "input": ("input", " bytes"),
    "output": ("output", " bytes"),
    "state": ("state", " bytes"),
    "host_calls": ("host calls", ""),
    "log_lines": ("log lines", ""),
    "effects": ("effects", ""),
}
"""What a limit is called, and measured in."""


def decide_grants(
    units: Sequence[ActiveUnit],
    active: Generation,
    number: int,
    authority: Authority,
    manifest: Callable[[str], Manifest],
    *,
    withdrawn: frozenset[str],
    named: frozenset[str],
    reverting: bool,
) -> Granting:
    """Ask policy about every capability of the wanted units.

    :param withdrawn: keys of capabilities that were revoked and not given anew
    :param named: units that the command names: a revoked grant of theirs may be given anew, with consent
    :param reverting: whether this goes back to an earlier generation, which never revives a revoked grant
    """
    result = Granting()
    grants = [status.grant for status in authority.grants() if status.state == "standing"]
    running = {unit.ref.id: unit for unit in active.units}
    tried = {trial.unit.ref.digest: trial.unit for trial in active.trials}
    for unit in units:
        before = tried.get(unit.ref.digest) or running.get(unit.ref.id)
        if unit.ref.kind == "native":
            _native(result, unit.ref, before, authority)
        if before is not None and before.ref != unit.ref:
            previous = manifest(before.ref.digest)
            result.widening += _limits(unit, manifest(unit.ref.digest), before, previous)
            result.widening += _code(unit, manifest(unit.ref.digest), previous)
        may_revive = unit.ref.id in named and not reverting
        for capability in manifest(unit.ref.digest).capabilities:
            held = _Held(
                standing=[grant for grant in grants if grant.unit.id == unit.ref.id and _same(grant, capability)],
                revoked=capability_key(unit.ref.id, capability) in withdrawn,
                may_revive=may_revive,
                stays=before is not None and before.ref == unit.ref and not may_revive and not reverting,
            )
            _decide(result, unit.ref, capability, held, authority.review(unit.ref, capability), number)
    return result


class _Held(msgspec.Struct, frozen=True):
    """What a unit has of a capability today."""

    standing: list[Grant]
    """Its standing grants of this action on this resource, whatever their envelope or digest."""
    revoked: bool
    may_revive: bool
    stays: bool
    """Whether the very same unit is active and the command does not speak of it."""

    def same(self, unit: UnitRef, capability: Capability) -> Grant | None:
        """The grant that can be carried over: same digest, same envelope."""
        found = (grant for grant in self.standing if grant.unit.digest == unit.digest)
        return next((grant for grant in found if grant.capability.envelope == capability.envelope), None)


def _same(grant: Grant, capability: Capability) -> bool:
    return (grant.capability.action, grant.capability.resource) == (capability.action, capability.resource)


def _decide(
    result: Granting, unit: UnitRef, capability: Capability, held: _Held, decision: Decision, number: int
) -> None:
    if decision.outcome == "deny" or (held.revoked and not held.may_revive):
        label: Status = "denied" if decision.outcome == "deny" else "revoked"
        result.answers.append(_answer(unit, capability, label, decision))
        result.findings.append(_refused(unit, capability, label, decision, blocks=not held.stays))
        return
    kept = held.same(unit, capability)
    consented = kept is not None and kept.consent and kept.reach == decision.reach
    if kept is not None and (decision.allowed or consented):
        result.grants.append(kept)
        result.answers.append(_answer(unit, capability, "kept", decision))
        return
    grant = Grant(
        id=_grant_id(unit, capability, number),
        unit=unit,
        capability=capability,
        policies=decision.policies,
        reach=decision.reach,
    )
    result.grants.append(grant)
    asks = decision.outcome == "ask"
    result.answers.append(_answer(unit, capability, "consent" if asks else "granted", decision))
    if held.revoked:
        result.widening.append(Widening(unit.id, "capability", f"{_what(capability)}, which was revoked"))
    else:
        result.widening += _widened(unit, capability, held.standing)


def _what(capability: Capability) -> str:
    return f"{capability.action} on {capability.resource}"


def _widened(unit: UnitRef, capability: Capability, standing: Sequence[Grant]) -> list[Widening]:
    """What is new against what the unit *held*: that a manifest declared something gave it nothing."""
    what = _what(capability)
    earlier = [grant.capability for grant in standing]
    if not earlier or not _within(capability.methods, earlier[0].methods):
        methods = f" ({', '.join(capability.methods)})" if capability.methods else ""
        return [Widening(unit.id, "capability", f"{what}{methods}")]
    if _larger(capability.budget, earlier[0].budget):
        return [Widening(unit.id, "budget", f"a larger budget for {what}")]
    return []


def _within(new: Sequence[str], old: Sequence[str]) -> bool:
    # No methods named means every method.
    return not old or (bool(new) and set(new) <= set(old))


def _larger(new: Budget | None, old: Budget | None) -> bool:
    if old is None:
        return False
    if new is None:
        return True
    return any(
        (a is None and b is not None) or (a is not None and b is not None and a * old.window_ms > b * new.window_ms)
        for a, b in zip(new.bounds, old.bounds, strict=True)
    )


def _limits(unit: ActiveUnit, new: Manifest, before: ActiveUnit, old: Manifest) -> list[Widening]:
    found = []
    wide, narrow = limits_of(new), limits_of(old)
    for name, (words, measure) in _MEASURES.items():
        less, more = getattr(narrow, name), getattr(wide, name)
        if more > less:
            found.append(Widening(unit.ref.id, "limits", f"{words} {less} → {more}{measure}"))
    if narrow.fuel is not None and (wide.fuel is None or wide.fuel > narrow.fuel):
        found.append(Widening(unit.ref.id, "limits", f"fuel {narrow.fuel} → {wide.fuel or 'unlimited'}"))
    if before.ref.admission == "signed" and unit.ref.admission == "local":
        found.append(Widening(unit.ref.id, "signer", "signed before, unsigned now"))
    return found


def _code(unit: ActiveUnit, new: Manifest, old: Manifest) -> list[Widening]:
    """Code where there was none, or code that may be called where it could only compute patches."""
    order = ("config", "transform", "tool", "native")
    if order.index(new.kind) <= order.index(old.kind) or new.kind == "native":  # said of each digest anyway
        return []
    return [Widening(unit.ref.id, "code", f"a {old.kind} unit before, runs code as a {new.kind} now")]


def _native(result: Granting, unit: UnitRef, before: ActiveUnit | None, authority: Authority) -> None:
    """Policy says whose native code may run; each digest of it widens, for no manifest bounds what it does."""
    decision = authority.native(unit)
    if not decision.allowed:
        message = f"native code of {unit.id} may not run in this home: {decision.verdict}"
        result.findings.append(Finding("blocking", "native.denied", unit.id, message, TRUST_IT))
    if before is None or before.ref.digest != unit.digest:
        signed = "unsigned" if unit.admission == "local" else "signed"
        detail = f"new native code ({signed}): it runs in the kernel's process, outside the sandbox"
        result.widening.append(Widening(unit.id, "code", detail))


def _answer(unit: UnitRef, capability: Capability, status: Status, decision: Decision) -> CapabilityAnswer:
    return CapabilityAnswer(
        unit=unit.id,
        action=capability.action,
        resource=capability.resource,
        optional=capability.optional,
        status=status,
        decision=decision,
        reason=capability.reason,
    )


def _refused(unit: UnitRef, capability: Capability, label: str, decision: Decision, *, blocks: bool) -> Finding:
    remedy = "name the unit in the command to give it anew" if label == "revoked" else "change the policy that decided"
    by = f" by {', '.join(decision.policies)}" if decision.policies and label == "denied" else ""
    return Finding(
        severity="blocking" if blocks and not capability.optional else "warning",
        id=f"capability.{label}",
        unit=unit.id,
        message=f"{_what(capability)} is {label}{by}" + ("; the unit runs without it" if capability.optional else ""),
        remedy=remedy,
    )


def _grant_id(unit: UnitRef, capability: Capability, number: int) -> str:
    # Short, stable for one plan, different each time a capability is given anew.
    return (
        "g"
        + digest_of(encode_json([unit.digest, capability.action, capability.resource, capability.envelope, number]))[
            7:19
        ]
    )
