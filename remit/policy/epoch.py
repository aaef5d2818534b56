"""One moment of policy: the set in force, what stands, and the facts. Immutable; every change makes the next one.

A decision is a function of an epoch and a request. What follows from the epoch alone is worked out once and kept here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from remit.errors import ResourceInvalid
from remit.kernel.model import Capability, Decision
from remit.policy.deciding.decider import Decider
from remit.policy.deciding.modes import Mode, below, mode_of
from remit.policy.deciding.requests import Request, at_special_address, capability_use, in_process

if TYPE_CHECKING:
    from pathlib import PurePosixPath

    from remit.kernel.model import UnitRef
    from remit.policy.leases.standing import Holding, Standing
    from remit.policy.postures import PolicySet

__all__ = ["Epoch", "Outlook"]


class Outlook(NamedTuple):
    """What the policies in reach of a capability mean for it."""

    mode: Mode
    reach: str
    """Digest of the policies in reach of the resource and of everything below it."""
    policies: tuple[str, ...]
    """Their ids, sorted."""


class Epoch:
    """Policies, grants and facts that decide together. Safe to share between threads."""

    __slots__ = ("_inline", "_native", "_outlooks", "decider", "home", "number", "policies", "quarantined", "standing")

    def __init__(
        self,
        number: int,
        policies: PolicySet,
        decider: Decider,
        standing: Standing,
        quarantined: frozenset[str],
        home: PurePosixPath | None,
    ) -> None:
        self.number = number
        self.policies = policies
        self.decider = decider
        self.standing = standing
        self.quarantined = quarantined
        """Publishers whose units may do nothing, and digests of units that were killed."""
        self.home = home
        """The home's folder; its own files are off limits to units."""
        self._outlooks: dict[str, Outlook] = {}
        self._inline: dict[UnitRef, bool] = {}
        self._native: dict[UnitRef, Decision] = {}

    def next(
        self,
        *,
        policies: PolicySet | None = None,
        standing: Standing | None = None,
        quarantined: frozenset[str] | None = None,
    ) -> Epoch:
        """The epoch after this one, with what changed."""
        fresh = Epoch(
            self.number + 1,
            policies or self.policies,
            Decider(policies.engine) if policies else self.decider,
            standing or self.standing,
            self.quarantined if quarantined is None else quarantined,
            self.home,
        )
        if policies is None and fresh.standing.holdings is self.standing.holdings:
            fresh._outlooks = self._outlooks  # they follow from grants and policies alone
        return fresh

    def remains(self) -> list[Any]:
        """What was worked out under these policies and dies with them."""
        return [*self._outlooks.values(), *self.decider.remembered(), *self.policies.engine.remains()]

    def question(self, unit: UnitRef, capability: Capability, *, declared: bool, approved: bool) -> Request:
        """The question to Cedar whether a unit may use a capability.

        :raises ResourceInvalid: if the resource is none of the action's
        """
        return capability_use(
            unit,
            capability,
            declared=declared,
            approved=approved,
            units=self.standing.units,
            home=self.home,
            quarantined=self.quarantined,
        )

    def decide(self, unit: UnitRef, capability: Capability, *, declared: bool, approved: bool) -> Decision:
        """Policy's answer to that question.

        :raises ResourceInvalid: if the resource is none of the action's
        """
        return self.decider.decide(self.question(unit, capability, declared=declared, approved=approved))

    def at_special(self, holding: Holding, origin: str, special: str, *, approved: bool) -> Decision:
        """Policy's answer to connecting where an origin leads to a special address.

        :param special: an ``AddressClass`` of the schema
        """
        given = holding.grant.capability
        asked = Capability("net:http", origin, given.methods, given.budget)
        try:
            request = self.question(holding.grant.unit, asked, declared=True, approved=approved)
        except ResourceInvalid as error:
            return Decision("deny", reason=error.message)
        return self.decider.decide(at_special_address(request, special))

    def inline(self, unit: UnitRef) -> bool:
        """Policy's answer to running a unit's guests in the kernel's own process."""
        known = self._inline.get(unit)
        if known is None:
            asked = in_process("unit:inline", unit, quarantined=self.quarantined)
            known = self._inline[unit] = self.decider.decide(asked).allowed
        return known

    def native(self, unit: UnitRef) -> Decision:
        """Policy's answer to running a unit's own Python in the kernel's process."""
        known = self._native.get(unit)
        if known is None:
            asked = in_process("unit:native", unit, quarantined=self.quarantined)
            known = self._native[unit] = self.decider.decide(asked)
        return known

    def outlook(self, holding: Holding) -> Outlook:
        """How a grant is decided in this epoch. Its resource must be one."""
        known = self._outlooks.get(holding.grant.id)
        if known is None:
            known = self.outlook_of(holding.grant.unit, holding.grant.capability)
            self._outlooks[holding.grant.id] = known
        return known

    def outlook_of(self, unit: UnitRef, capability: Capability) -> Outlook:
        """The same for a capability that is not granted yet.

        :raises ResourceInvalid: if the resource is none of the action's
        """
        request = self.question(unit, capability, declared=True, approved=False)
        engine = self.policies.engine
        reach = engine.reach(request.cedar(), engine.entities(request.entities), below(request.resource))
        mode = mode_of(request.resource, (engine.policies[one] for one in reach))
        return Outlook(mode, engine.digest(reach), tuple(sorted(reach)))
