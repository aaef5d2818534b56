"""Deciding one use afresh: which grants cover it, and what policy says of each of them now. Keeps no lease."""

from __future__ import annotations

from typing import TYPE_CHECKING

from remit.kernel.model import Capability, Decision
from remit.policy.leases.denials import denied, other_method, refused, revoked, undeclared

if TYPE_CHECKING:
    from collections.abc import Callable

    from remit.errors import LeaseDenied
    from remit.kernel.model import Grant, UnitRef
    from remit.policy.deciding.requests import Request
    from remit.policy.deciding.resources import Resource
    from remit.policy.epoch import Epoch
    from remit.policy.leases.consents import Consents
    from remit.policy.leases.standing import Holding

__all__ = ["Issuer"]


class Issuer:
    """Decides under an epoch and the consents of one home. Safe to share between threads."""

    def __init__(self, consents: Consents) -> None:
        self._consents = consents
        self.watch: Callable[[Request, Decision], None] | None = None
        """Sees each question that was decided for a lease or an operator: a shadow set compares."""

    def decided(self, request: Request, decision: Decision) -> None:
        """Show a decision to whoever watches."""
        watch = self.watch  # another thread may end it meanwhile
        if watch is not None:
            watch(request, decision)

    def allowing(
        self, epoch: Epoch, unit: UnitRef, action: str, concrete: Resource, method: str
    ) -> tuple[Holding, ...]:
        """The grants under which policy allows the use now.

        :raises LeaseDenied: if there is none
        """
        standing = epoch.standing
        covering = standing.covering(unit, action, concrete)
        if not covering:
            decision = epoch.decide(unit, Capability(action, concrete.text), declared=False, approved=False)
            raise undeclared(unit, action, concrete.text, decision)
        held = [one for one in covering if standing.stands(one)]
        if not held:
            raise revoked(unit, concrete.text, covering[0].grant)
        fitting = [one for one in held if not one.grant.capability.methods or method in one.grant.capability.methods]
        if not fitting:
            raise other_method(unit, concrete.text, held[0].grant, method)
        said = [(one, *self.today(epoch, one, concrete)) for one in fitting]
        allowed = tuple(one for one, _, decision in said if decision.allowed)
        if not allowed:
            raise self._refused(epoch, unit, concrete, *said[0][1:])
        return allowed

    def today(self, epoch: Epoch, holding: Holding, concrete: Resource) -> tuple[Holding, Decision]:
        """What policy says now of a grant and of those that it was delegated from: the first that is no yes."""
        decisions = [(one, self._said(epoch, one, concrete)) for one in holding.line]
        return next((one for one in decisions if not one[1].allowed), decisions[0])

    def _said(self, epoch: Epoch, holding: Holding, concrete: Resource) -> Decision:
        """What policy says now of this grant on this resource, or on the grant's where none can tell them apart."""
        given, outlook = holding.grant.capability, epoch.outlook(holding)
        resource = given.resource if outlook.mode == "cached" else concrete.text
        asked = Capability(given.action, resource, given.methods, given.budget)
        approved = self._consents.stand(holding.grant, outlook.reach)
        request = epoch.question(holding.grant.unit, asked, declared=True, approved=approved)
        decision = epoch.decider.decide(request)
        self.decided(request, decision)
        return decision

    def _refused(
        self, epoch: Epoch, unit: UnitRef, concrete: Resource, holding: Holding, decision: Decision
    ) -> LeaseDenied:
        action = holding.grant.capability.action
        if decision.outcome != "ask":
            return denied(unit, action, concrete.text, decision)
        consent = self._consents.ask(holding.grant, epoch.outlook(holding).reach, decision, epoch.policies.engine)
        if consent.state != "refused":
            return denied(unit, action, concrete.text, decision, consent=consent.id)
        return refused(unit, concrete.text, consent)

    def at_special(self, epoch: Epoch, grant: Grant, origin: str, special: str) -> Decision:
        """Whether the holder of a ``net:http`` grant may connect where ``origin`` leads to a special address."""
        holding = epoch.standing.holding(grant.id)
        if holding is None or not epoch.standing.stands(holding):
            return Decision("deny", reason="the grant does not stand")
        approvals = [(one, self._consents.stand(one.grant, epoch.outlook(one).reach)) for one in holding.line]
        decisions = [epoch.at_special(one, origin, special, approved=approved) for one, approved in approvals]
        return next((one for one in decisions if not one.allowed), decisions[0])
