"""What stands in one epoch: the grants of the active generation, indexed for the question "which of them covers this?".

A :class:`Standing` never changes after it is built; the authority swaps the pointer and drops the leases that a change
touches. Nothing is decided here.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING

from remit.errors import ResourceInvalid
from remit.kernel.model import GrantStatus
from remit.policy.deciding.resources import covers, parse_resource

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from collections.abc import Set as AbstractSet

    from remit.kernel.model import Grant, UnitRef
    from remit.policy.deciding.resources import Resource
    from remit.policy.leases.budgets import Account
    from remit.policy.sets.slices import Key

__all__ = ["Holding", "Lease", "LeaseKey", "Standing"]

LeaseKey = tuple[str, str, str, str, str]
"""Unit digest, unit id, action, resource as the unit names it, method."""


class Holding:
    """A grant with its account, and the resource that it was given on."""

    __slots__ = ("account", "grant", "lease", "line", "resource")

    def __init__(self, grant: Grant, account: Account, parent: Holding | None = None) -> None:
        self.grant = grant
        self.account = account
        self.line: tuple[Holding, ...] = (self, *(parent.line if parent is not None else ()))
        """This grant and those that it was delegated from, all of which must stand and be allowed."""
        self.lease: Lease | None = None
        """The lease that was taken last under this grant, for those who look."""
        try:
            self.resource: Resource | None = parse_resource(grant.capability.action, grant.capability.resource)
        except ResourceInvalid:
            self.resource = None  # a grant on what is no resource covers nothing

    def covers(self, unit: UnitRef, concrete: Resource) -> bool:
        """Whether the grant is of a unit by that name and reaches the resource. The index compares digests."""
        mine = self.grant.unit.id == unit.id
        return mine and self.resource is not None and covers(self.resource, concrete)

    @property
    def depth(self) -> int:
        """How specific the grant is."""
        return len(self.resource.parents) if self.resource else 0


class Lease:
    """A decision that may be used without asking again: for one unit digest, action, resource and method."""

    __slots__ = (
        "account",
        "digests",
        "free",
        "from_ns",
        "grant",
        "grants",
        "holdings",
        "key",
        "scope",
        "until_ns",
        "until_wall_ns",
    )

    def __init__(
        self,
        key: LeaseKey,
        holdings: tuple[Holding, ...],
        scope: tuple[tuple[Key, ...], tuple[Key, ...]],
        now_ns: int,
        wall_ns: int,
        ttl_ms: int,
    ) -> None:
        self.key = key
        self.holdings = holdings
        self.grants = tuple(one.grant.id for holding in holdings for one in holding.line)
        """The ids of the grants under which it stands, those that they were delegated from included."""
        self.digests = frozenset(one.grant.unit.digest for holding in holdings for one in holding.line)
        """The units of those grants."""
        self.grant = holdings[0].grant
        """The most specific of the grants that allow the use."""
        self.account = holdings[0].account
        self.free = not self.account.bounded
        """Whether a use of that grant charges nothing."""
        self.scope = scope
        """The principal and the concrete resource, each with everything above it: what a policy must name to matter."""
        self.from_ns = now_ns
        self.until_ns = now_ns + ttl_ms * 1_000_000
        self.until_wall_ns = wall_ns + ttl_ms * 1_000_000

    def live(self, now_ns: int, wall_ns: int) -> bool:
        """Whether it still holds.

        Both clocks can end it and neither can stretch it: the monotonic one stops in a suspended machine, and the wall
        clock can be set back.
        """
        return self.from_ns <= now_ns < self.until_ns and wall_ns < self.until_wall_ns


class Standing:
    """The grants of one epoch."""

    __slots__ = ("_by_id", "_index", "holdings", "revoked", "units")

    def __init__(self, units: Mapping[str, UnitRef], holdings: Iterable[Holding], revoked: Iterable[str]) -> None:
        self.units = units
        self.holdings = tuple(holdings)
        self.revoked = frozenset(revoked)
        self._by_id = {holding.grant.id: holding for holding in self.holdings}
        self._index: dict[tuple[str, str], list[Holding]] = {}
        for holding in self.holdings:
            key = holding.grant.unit.digest, holding.grant.capability.action
            self._index.setdefault(key, []).append(holding)

    def covering(self, unit: UnitRef, action: str, concrete: Resource) -> list[Holding]:
        """Grants that cover the resource, revoked ones too; the most specific first, then as activated."""
        candidates = self._index.get((unit.digest, action), ())
        return sorted((one for one in candidates if one.covers(unit, concrete)), key=lambda one: -one.depth)

    def holding(self, grant_id: str) -> Holding | None:
        """The grant with this id."""
        return self._by_id.get(grant_id)

    @property
    def ids(self) -> AbstractSet[str]:
        """The ids of every grant."""
        return self._by_id.keys()

    def stands(self, holding: Holding) -> bool:
        """Whether neither the grant nor one that it was delegated from was revoked."""
        return all(one.grant.id not in self.revoked for one in holding.line)

    def status(self, holding: Holding, leases: Mapping[LeaseKey, Lease], now_ns: int, wall_ns: int) -> GrantStatus:
        """A grant as administrators see it.

        :param leases: the leases that may be used now
        """
        lease, stands = holding.lease, self.stands(holding)
        until = None
        if lease is not None and leases.get(lease.key) is lease and lease.live(now_ns, wall_ns):
            until = min(lease.until_wall_ns, wall_ns + lease.until_ns - now_ns) // 1_000_000
        return GrantStatus(
            holding.grant, "standing" if stands else "revoked", until, *holding.account.left(wall_ns // 1_000_000)
        )

    def plus(self, holding: Holding) -> Standing:
        """The same grants, and one more."""
        return Standing(self.units, (*self.holdings, holding), self.revoked)

    def without(self, grant_ids: frozenset[str]) -> Standing:
        """The same grants, these of them revoked."""
        fresh = copy(self)
        fresh.revoked = self.revoked | grant_ids
        return fresh
