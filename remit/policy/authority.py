"""The authority of one home: Cedar decides, grants stand, leases carry decisions, budgets bound them.

A use is allowed only under a grant of exactly that unit digest whose resource covers the concrete one, whose methods
allow it, which was not revoked, which policy allows *now*, and whose budget has room. The decision is kept as a lease
for minutes. Every change (policies, grants, consents, facts) is a new epoch and drops the leases that it can touch,
before any use that begins after it. Denials and charges are journalled by callers; what must be on record *before* it
takes effect is written here.
"""

from __future__ import annotations

import threading
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import msgspec

from remit.errors import GrantUnknown, ResourceInvalid
from remit.journal.event import Draft
from remit.kernel.model import Capability, Decision, GrantStatus
from remit.policy.deciding.decider import Decider
from remit.policy.deciding.resources import parse_resource
from remit.policy.epoch import Epoch
from remit.policy.issuing import Issuer
from remit.policy.leases.accounts import Accounts
from remit.policy.leases.consents import Consents, roles_of
from remit.policy.leases.delegation import child_of
from remit.policy.leases.denials import denied, exhausted, withdrawn
from remit.policy.leases.models import LeaseBook, Leases
from remit.policy.leases.standing import Holding, Lease, LeaseKey, Standing
from remit.policy.operators import Operators
from remit.policy.reviewing.changes import Touched, changed, lease_scope
from remit.policy.sets.yielding import breathe, giving_way, let_go, tidy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from remit.journal.fold import Folds
    from remit.kernel.model import Amounts, EntityRef, Grant, UnitRef
    from remit.kernel.ports import Clock
    from remit.policy.leases.budgets import Hold
    from remit.policy.leases.models import Consent
    from remit.policy.postures import PolicySet
    from remit.schemas.config import Operator

__all__ = ["LEASE_MS", "CedarAuthority"]

LEASE_MS = 5 * 60 * 1_000
"""How long a lease lasts before it is decided again, in milliseconds."""

_MAX_LEASES = 100_000
_EACH = 4_096
"""Leases between two looks at the time: some tenths of a microsecond each, and what is withdrawn is to end soon."""
_EACH_AT_PUBLISH = 256
"""The same where policies change: each lease is looked at for a microsecond at most."""
_ATTEMPTS = 8
_NS_PER_MS = 1_000_000
_RESTLESS = "the grants kept changing during the check"


class CedarAuthority:
    """Who may do what in one home. Safe to share between threads."""

    def __init__(
        self,
        policies: PolicySet,
        *,
        clock: Clock,
        folds: Folds,
        operators: Mapping[str, Operator],
        write: Callable[[Sequence[Draft]], object],
        home: str = "",
    ) -> None:
        """Decide under one policy set.

        :param operators: what is known of operators, by name
        :param write: makes events durable, or raises
        :param home: the home's folder; its own files are off limits to units
        """
        self._clock = clock
        self._now_ns = clock.monotonic_ns
        self._now_ms = clock.now_ms
        self._time_ns = clock.time_ns
        self._folds = folds
        self._write = write
        self._lock = threading.Lock()
        own = PurePosixPath(home) if home else None
        self._epoch = Epoch(0, policies, Decider(policies.engine), Standing({}, (), ()), frozenset(), own)
        self._leases: dict[LeaseKey, Lease] = {}
        self._accounts = Accounts(write)
        self.operators = Operators(operators)
        self.consents = Consents(write)
        self.issuer = Issuer(self.consents)

    @property
    def digest(self) -> str:
        """``sha256:…`` of the policy set and schema in force."""
        return self._epoch.policies.digest

    @property
    def epoch(self) -> Epoch:
        """What decides now."""
        return self._epoch

    # ---- administration ----

    def authorize(
        self, principal: str, action: str, resource: EntityRef, context: Mapping[str, Any] | None = None
    ) -> Decision:
        """May the operator do this? Deny for whatever is unknown: an operator, an action, a key of the context.

        :param context: facts of the schema; ``asked`` are ids of the policies that ask for a consent
        """
        epoch, facts = self._epoch, dict(context) if context else {}
        if facts and isinstance(facts.get("asked"), tuple):
            approvers = roles_of(epoch.policies.engine.annotation(facts.pop("asked"), "approvers"))
            facts["approvers"] = list(approvers) or None
        decision, asked = self.operators.decide(epoch, principal, action, resource, facts)
        if asked is not None:
            self.issuer.decided(asked, decision)
        return decision

    # ---- grants ----

    def review(self, unit: UnitRef, capability: Capability) -> Decision:
        """What policy says today of giving this unit this capability."""
        epoch = self._epoch
        try:
            decision = epoch.decide(unit, capability, declared=True, approved=False)
            if decision.outcome != "ask":
                return decision
            return msgspec.structs.replace(decision, reach=epoch.outlook_of(unit, capability).reach)
        except ResourceInvalid as error:
            return Decision("deny", reason=error.message)

    def inline(self, unit: UnitRef) -> bool:
        """Whether this unit's guests may run in the kernel's own process."""
        return self._epoch.inline(unit)

    def native(self, unit: UnitRef) -> Decision:
        """Whether this unit's own Python may run in the kernel's process."""
        return self._epoch.native(unit)

    def activate(self, units: Sequence[UnitRef], grants: Sequence[Grant]) -> None:
        """Make these grants, and only these, the standing ones. What was revoked stays so; what was used stays used."""
        book = self._book()
        self.consents.load(book.consents)
        with self._lock:
            holdings = self._accounts.holdings(units, grants, book)
            ids = frozenset(holding.grant.id for holding in holdings)
            self._accounts.forget(self._now_ms(), ids)
            revoked = self._epoch.standing.revoked.union(ids & book.revoked.keys())
            standing = Standing({unit.id: unit for unit in units}, holdings, revoked)
            quarantined = self._epoch.quarantined | book.quarantined.keys()
            self._turn(self._epoch.next(standing=standing, quarantined=quarantined), {})

    def _book(self) -> LeaseBook:
        book = self._folds.state(Leases.name)
        assert isinstance(book, LeaseBook)
        return book

    def settle(self) -> None:
        """Write down exactly what was used, so that nothing that was only reserved counts after a clean end."""
        self._accounts.settle()

    def holding(self, grant_id: str) -> Holding:
        """A grant of the active generation.

        :raises GrantUnknown: if none has that id
        """
        holding = self._epoch.standing.holding(grant_id)
        if holding is None:
            raise GrantUnknown(f"no grant of the active generation has the id {grant_id[:80]!a}")
        return holding

    def grants(self) -> Sequence[GrantStatus]:
        """Every grant of the active generation, in the order given to :meth:`activate`."""
        return [one for one in self.statuses() if not one.grant.parent]

    def statuses(self) -> list[GrantStatus]:
        """Those, and every grant that was delegated from one of them."""
        now_ns, wall_ns = self._now_ns(), self._time_ns()
        return [
            self._epoch.standing.status(one, self._leases, now_ns, wall_ns) for one in self._epoch.standing.holdings
        ]

    def delegate(self, grant_id: str, unit_id: str, capability: Capability, *, by: str) -> Grant:
        """Let another active unit use a part of a grant: never more, and no longer than the grant itself stands.

        :raises GrantUnknown: if the grant does not stand, or the unit is not active
        :raises DelegationTooWide: if it would reach further than the grant
        """
        epoch = self._epoch
        standing, parent = epoch.standing, self.holding(grant_id)
        unit = standing.units.get(unit_id)
        if unit is None or not standing.stands(parent):
            raise GrantUnknown(f"{grant_id[:80]!a} does not stand, or {unit_id[:80]!a} is not active")
        reach = epoch.outlook_of(unit, capability).reach
        grant = child_of(parent, unit, capability, by=by, reach=reach, revoked=standing.revoked)
        known = standing.holding(grant.id)
        if known is not None:
            return known.grant
        self._write([Draft(type="grant.delegated", subject=grant.id, data=msgspec.to_builtins(grant))])
        account = self._accounts.of(grant, self._book(), parent.account)
        self._change(
            lambda epoch: epoch.next(standing=epoch.standing.plus(Holding(grant, account, parent))),
            lambda _epoch: lambda lease: lease.key[0] == unit.digest,
        )
        return grant

    # ---- changes: each is a new epoch, and drops the leases that it can touch ----

    def _turn(self, epoch: Epoch, leases: dict[LeaseKey, Lease]) -> None:
        self._epoch, self._leases = epoch, leases

    def _change(
        self, make: Callable[[Epoch], Epoch], touched: Callable[[Epoch], Callable[[Lease], bool]], every: int = _EACH
    ) -> Epoch:
        """Turn to the next epoch. The work is done beside the live one; the lock is held for the swap alone.

        :param make: the next epoch
        :param touched: whether a lease ends with the one before
        :param every: leases to look at in one piece
        :returns: the one before
        """
        while True:
            before = self._epoch
            fresh, ends = make(before), touched(before)
            leases = giving_way(self._leases.copy().items(), every)
            kept = {key: lease for key, lease in leases if not ends(lease)}
            with self._lock:
                if self._epoch is before:
                    self._turn(fresh, kept)
                    return before

    def revoke(self, *grant_ids: str) -> None:
        """End grants in this process, effective at the next use. The caller journals it.

        :raises GrantUnknown: if no grant has one of the ids; none was revoked
        """
        ended = frozenset(grant_ids)
        if not ended <= self._epoch.standing.ids:
            self.holding(next(one for one in grant_ids if one not in self._epoch.standing.ids))
        self._change(
            lambda epoch: epoch.next(standing=epoch.standing.without(ended)),
            lambda _epoch: lambda lease: not ended.isdisjoint(lease.grants),
        )

    def publish(self, policies: PolicySet) -> None:
        """Decide under another policy set from now on. The caller has journalled it.

        Only leases that a changed policy's scope can reach are decided again.
        """
        breathe()
        before = self._change(
            lambda epoch: epoch.next(policies=policies),
            lambda epoch: Touched(changed(epoch.policies.engine, policies.engine)),
            _EACH_AT_PUBLISH,
        )
        breathe()
        remains = before.remains()
        del before  # what remains is freed in pieces, and not all at once with the epoch at the end
        breathe()
        let_go(remains)
        tidy()

    def quarantine(self, publisher: str, *, by: str, reason: str = "") -> None:
        """Refuse everything to a publisher's units, from the next use on, until released."""
        key = "Remit::Publisher", publisher
        self._change(
            lambda epoch: epoch.next(quarantined=epoch.quarantined | {publisher}),
            lambda _epoch: lambda lease: key in lease.scope[0] or key in lease.scope[1],
        )
        data = {"publisher": publisher, "by": by, "reason": reason[:500]}
        self._write([Draft(type="unit.quarantined", subject=publisher, data=data)])

    def recall(self, *digests: str) -> None:
        """Refuse everything to units by their digests, from the next use on. The caller journals it."""
        ended = frozenset(digests)
        self._change(
            lambda epoch: epoch.next(quarantined=epoch.quarantined | ended),
            lambda _epoch: lambda lease: lease.key[2] == "action:call" or not ended.isdisjoint(lease.digests),
        )

    def release(self, publisher: str, *, by: str, reason: str = "") -> None:
        """End a quarantine."""
        data = {"publisher": publisher, "by": by, "reason": reason[:500]}
        self._write([Draft(type="unit.released", subject=publisher, data=data)])
        self._change(
            lambda epoch: epoch.next(quarantined=epoch.quarantined - {publisher}), lambda _epoch: lambda _lease: False
        )

    def renew(self, *grant_ids: str) -> None:
        """Decide the leases of these grants again at their next use, though they have not run out."""
        named = frozenset(grant_ids)
        self._change(lambda epoch: epoch.next(), lambda _epoch: lambda lease: not named.isdisjoint(lease.grants))

    def answer(self, consent_id: str, *, given: bool, by: str, reason: str = "") -> Consent:
        """A person's yes or no to a question, effective at the next use.

        :raises ConsentUnknown: if nobody was asked that
        :raises Denied: if the policy names roles for it and the person has none of them
        """
        roles = self.operators.known(by).roles
        consent = self.consents.answer(consent_id, given=given, by=by, roles=roles, reason=reason)
        self._change(lambda epoch: epoch.next(), lambda _epoch: lambda lease: consent.digest in lease.digests)
        return consent

    def reach(self, grant: Grant, origin: str, special: str) -> Decision:
        """Whether the holder of a ``net:http`` grant may connect where ``origin`` leads to a special address."""
        return self.issuer.at_special(self._epoch, grant, origin, special)

    # ---- uses ----

    def use(
        self, unit: UnitRef, action: str, resource: str, method: str = "", calls: int = 1, nbytes: int = 0
    ) -> Grant:
        """Check and charge one use of a capability.

        :param method: what is done to the resource, where the grant's envelope names methods
        :param nbytes: bytes to charge
        :raises LeaseDenied: if no standing grant covers it or policy denies it now; details name the policies
        :raises LeaseExhausted: if the grant's budget for this window does not cover the charge (nothing is charged)
        """
        try:
            lease = self._leases[unit.digest, unit.id, action, resource, method]
        except KeyError:
            return self._charge(unit, action, resource, method, calls, nbytes)
        # This is `lease.live`, written out: a call costs as much as the check. So does a clock that is called unnamed.
        now_ns, time_ns = self._now_ns, self._time_ns
        if (
            lease.from_ns <= now_ns() < lease.until_ns
            and (wall_ns := time_ns()) < lease.until_wall_ns
            and calls >= 0 <= nbytes
            and (lease.free or lease.account.charge(wall_ns // _NS_PER_MS, calls, nbytes))
        ):
            return lease.grant
        return self._charge(unit, action, resource, method, calls, nbytes)

    def hold(self, grant: Grant, least: Amounts, most: Amounts) -> Hold:
        """Set aside host time or fuel of a grant before it is used: ``most``, or what the window still has of it.

        :raises LeaseDenied: if the grant does not stand any more
        :raises LeaseExhausted: if the window has less left than ``least``
        """
        standing, now_ms = self._epoch.standing, self._now_ms()
        holding = standing.holding(grant.id)
        if holding is None or not standing.stands(holding):
            raise withdrawn(grant)
        held = holding.account.hold(now_ms, least, most)
        if held is None:
            raise exhausted(holding, grant.capability.resource, now_ms)
        return held

    def _charge(self, unit: UnitRef, action: str, resource: str, method: str, calls: int, nbytes: int) -> Grant:
        """The same with a new lease where there is none, and with every grant that covers the use."""
        if calls < 0 or nbytes < 0:
            raise denied(unit, action, resource, Decision("deny", reason="a charge cannot be negative"))
        key = (unit.digest, unit.id, action, resource, method)
        lease = self._leases.get(key)
        for _ in range(_ATTEMPTS):
            now_ns, wall_ns = self._now_ns(), self._time_ns()
            if lease is None or not lease.live(now_ns, wall_ns):
                lease = self._take(unit, action, resource, method)
            if self._leases.get(key) is lease:  # else something changed since it was decided
                for holding in lease.holdings:
                    if holding.account.charge(wall_ns // _NS_PER_MS, calls, nbytes):
                        return holding.grant
                raise exhausted(lease.holdings[0], resource, wall_ns // _NS_PER_MS)
            lease = None
        raise denied(unit, action, resource, Decision("deny", reason=_RESTLESS))

    def _take(self, unit: UnitRef, action: str, resource: str, method: str) -> Lease:
        """Decide afresh, outside the lock: Cedar takes a hundred times as long as the check."""
        for _ in range(_ATTEMPTS):
            epoch = self._epoch
            now_ns, wall_ns = self._now_ns(), self._time_ns()
            try:
                concrete = parse_resource(action, resource)
            except ResourceInvalid as error:
                refusal = Decision("deny", reason=error.message)
                raise denied(unit, action, resource, refusal, error.remedy) from error
            allowed = self.issuer.allowing(epoch, unit, action, concrete, method)
            key = (unit.digest, unit.id, action, resource, method)
            lease = Lease(key, allowed, lease_scope(allowed, concrete), now_ns, wall_ns, LEASE_MS)
            with self._lock:
                if self._epoch is epoch:
                    self._keep(lease)
                    return lease
        raise denied(unit, action, resource, Decision("deny", reason=_RESTLESS))

    def _keep(self, lease: Lease) -> None:
        if len(self._leases) >= _MAX_LEASES:
            self._leases.clear()  # losing a lease costs a decision, nothing else
        self._leases[lease.key] = lease
        for holding in lease.holdings:
            holding.lease = lease
