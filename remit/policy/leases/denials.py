"""The errors of a use that was refused: which policy, and the one thing that would help. Pure wording."""

from __future__ import annotations

from typing import TYPE_CHECKING

from remit.errors import LeaseDenied, LeaseExhausted
from remit.kernel.model import Decision

if TYPE_CHECKING:
    from remit.kernel.model import Grant, UnitRef
    from remit.policy.leases.models import Consent
    from remit.policy.leases.standing import Holding

__all__ = ["denied", "exhausted", "other_method", "refused", "revoked", "undeclared", "withdrawn"]

_UNDECLARED = "declare it as a [[capability]] in its unit.toml, then install and apply the unit again"
_MAX_ACTION = 40
_MAX_RESOURCE = 200


def denied(
    unit: UnitRef, action: str, resource: str, decision: Decision, remedy: str = "", consent: str = ""
) -> LeaseDenied:
    """The refusal of a use.

    :param consent: id of the question that waits for a person, where there is one
    """
    by = f" ({', '.join(decision.policies)})" if decision.policies else ""
    if not remedy:
        remedy = "ask an administrator to change the policy named" if by else "run 'remit lease list'"
    if decision.outcome == "ask":
        remedy = (
            f"consent to it: 'remit lease approve {consent}', or plan the unit again and apply with --yes"
            if consent
            else "consent to it: plan the unit again and apply with --yes"
        )
    facts = {"consent": consent} if consent else {}
    return LeaseDenied(
        f"{unit.id} may not use {action[:_MAX_ACTION]} on {_shown(resource)}: {decision.reason}{by}",
        remedy=remedy,
        unit=unit.id,
        digest=unit.digest,
        action=action[:_MAX_ACTION],
        resource=resource[:_MAX_RESOURCE],
        policies=list(decision.policies),
        **facts,
    )


def undeclared(unit: UnitRef, action: str, resource: str, decision: Decision) -> LeaseDenied:
    """The refusal of a use that no grant covers, whatever policy says of it."""
    if decision.outcome != "deny":
        decision = Decision("deny", decision.policies, "it holds no grant for this")
    return denied(unit, action, resource, decision, _UNDECLARED)


def revoked(unit: UnitRef, resource: str, grant: Grant) -> LeaseDenied:
    """The refusal of a use whose grant was revoked."""
    decision = Decision("deny", reason=f"its grant {grant.id} was revoked")
    return denied(unit, grant.capability.action, resource, decision, "plan and apply the unit again")


def other_method(unit: UnitRef, resource: str, grant: Grant, method: str) -> LeaseDenied:
    """The refusal of a use by a method that the grant is not for."""
    methods = ", ".join(grant.capability.methods)
    decision = Decision("deny", reason=f"the grant is for {methods}, not for {method[:_MAX_ACTION]!a}")
    return denied(unit, grant.capability.action, resource, decision, "widen 'methods' in its unit.toml")


def refused(unit: UnitRef, resource: str, consent: Consent) -> LeaseDenied:
    """The refusal of a use that a person said no to."""
    reason = f"{consent.by} refused it" + (f": {consent.reason}" if consent.reason else "")
    decision = Decision("deny", consent.policies, reason)
    return denied(unit, consent.action, resource, decision, f"'remit lease approve {consent.id}' would change that")


def exhausted(holding: Holding, resource: str, now_ms: int) -> LeaseExhausted:
    """The refusal of a use that the budget does not cover."""
    unit, action = holding.grant.unit, holding.grant.capability.action
    left = holding.account.left(now_ms)
    host_ms = None if left.host_us is None else left.host_us // 1_000
    counts = ((left.calls, "calls"), (left.bytes, "bytes"), (host_ms, "ms of host time"), (left.fuel, "fuel"))
    words = [f"{count} {noun}" for count, noun in counts if count is not None]
    return LeaseExhausted(
        f"{unit.id} has used up its budget of {action} on {_shown(resource)}: {', '.join(words)} left in this window",
        unit=unit.id,
        digest=unit.digest,
        action=action,
        resource=resource[:_MAX_RESOURCE],
        grant=holding.grant.id,
        policies=list(holding.grant.policies),
        **{f"{name}_left": count for name, count in left._asdict().items()},
        resets_ms=holding.account.resets_ms(now_ms),
    )


def withdrawn(grant: Grant) -> LeaseDenied:
    """The refusal of more under a grant that ended while it was used."""
    given = grant.capability
    decision = Decision("deny", reason=f"its grant {grant.id} does not stand any more")
    return denied(grant.unit, given.action, given.resource, decision, "plan and apply the unit again")


def _shown(text: str) -> str:
    """A resource for people: bounded, and nothing in it can end a line or colour a terminal."""
    return text if text.isprintable() and len(text) <= _MAX_RESOURCE else ascii(text[:_MAX_RESOURCE])
