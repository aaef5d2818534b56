"""What stands in one epoch: the grants of the active generation, indexed for the question "which of them covers this?".

A :class:`Standing` never changes after it is built; the authority swaps the pointer, and the epoch in it ends every
lease that was taken under another. Nothing is decided here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from remit.errors import ResourceInvalid
from remit.policy.resources import covers, parse_resource

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from remit.kernel.model import Grant, UnitRef
    from remit.policy.budgets import Account
    from remit.policy.resources import Resource

__all__ = ["Holding", "Lease", "Standing"]


class Holding:
    """A grant with its account, and the resource that it was given on."""

    __slots__ = ("account", "grant", "lease", "resource")

    def __init__(self, grant: Grant, account: Account) -> None:
        self.grant = grant
        self.account = account
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

    __slots__ = ("epoch", "from_ns", "holdings", "until_ms", "until_ns")

    def __init__(self, epoch: int, holdings: tuple[Holding, ...], now_ns: int, now_ms: int, ttl_ms: int) -> None:
        self.epoch = epoch
        self.holdings = holdings
        self.from_ns = now_ns
        self.until_ns = now_ns + ttl_ms * 1_000_000
        self.until_ms = now_ms + ttl_ms

    def live(self, epoch: int, now_ns: int, now_ms: int) -> bool:
        """Whether it still holds.

        Both clocks can end it and neither can stretch it: the monotonic one stops in a suspended machine, and the wall
        clock can be set back.
        """
        return self.epoch == epoch and self.from_ns <= now_ns < self.until_ns and now_ms < self.until_ms


class Standing:
    """The grants of one epoch."""

    __slots__ = ("_index", "epoch", "holdings", "revoked", "units")

    def __init__(
        self, epoch: int, units: Mapping[str, UnitRef], holdings: Sequence[Holding], revoked: Iterable[str]
    ) -> None:
        self.epoch = epoch
        self.units = units
        self.holdings = tuple(holdings)
        self.revoked = frozenset(revoked)
        self._index: dict[tuple[str, str], list[Holding]] = {}
        for holding in self.holdings:
            key = holding.grant.unit.digest, holding.grant.capability.action
            self._index.setdefault(key, []).append(holding)

    def covering(self, unit: UnitRef, action: str, concrete: Resource) -> list[Holding]:
        """Grants that cover the resource, revoked ones too; the most specific first, then as activated."""
        candidates = self._index.get((unit.digest, action), ())
        return sorted((one for one in candidates if one.covers(unit, concrete)), key=lambda one: -one.depth)

    def with_revoked(self, grant_id: str) -> Standing:
        """The next epoch, without that grant."""
        return Standing(self.epoch + 1, self.units, self.holdings, self.revoked | {grant_id})
