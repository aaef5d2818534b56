"""``CedarAuthority``, the kernel's ``Authority``: Cedar decides administration, units act under grants and leases.

A use finds its lease by a dictionary look-up and charges the grant's account; Cedar is asked when a lease is missing,
has run out or belongs to another epoch. A lease is for one *concrete* resource, also under a grant on a whole folder or
topic: a forbid on something inside is therefore never missed. It does not journal: callers record what it says.
"""

from __future__ import annotations

import threading
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from remit.errors import GrantUnknown, LeaseDenied, LeaseExhausted, ResourceInvalid
from remit.kernel.model import Capability, Decision, GrantStatus
from remit.policy.budgets import Account, Usage
from remit.policy.decider import Decider
from remit.policy.models import LeaseBook, Leases
from remit.policy.requests import administration, at_special_address, capability_use
from remit.policy.resources import MAX_RESOURCE, parse_resource
from remit.policy.standing import Holding, Lease, Standing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from remit.journal.fold import Folds
    from remit.kernel.model import EntityRef, Grant, UnitRef
    from remit.kernel.ports import Clock
    from remit.policy.postures import PolicySet
    from remit.policy.resources import Resource

__all__ = ["LEASE_MS", "CedarAuthority"]

LEASE_MS = 5 * 60 * 1_000
"""How long a lease lasts before it is decided again, in milliseconds."""

_MAX_LEASES = 10_000
_MAX_MEMO = 4_096
_MAX_PRINCIPAL = 200
_ATTEMPTS = 8
_UNDECLARED = "declare it as a [[capability]] in its unit.toml, then install and apply the unit again"


class CedarAuthority:
    """Who may do what in one home. Safe to share between threads."""

    def __init__(
        self, policies: PolicySet, *, clock: Clock, folds: Folds, operators: Mapping[str, Sequence[str]], home: str = ""
    ) -> None:
        """Decide under one policy set.

        :param operators: roles by operator name
        :param home: the home's folder; its own files are off limits to units
        """
        self._policies = policies
        self._decider = Decider(policies.engine)
        self._clock = clock
        self._folds = folds
        self._operators = {name: tuple(roles) for name, roles in operators.items()}
        self._home = PurePosixPath(home) if home else None
        self._lock = threading.Lock()
        self._standing = Standing(0, {}, (), ())
        self._leases: dict[tuple[str, str, str, str, str], Lease] = {}
        self._accounts: dict[str, Account] = {}
        self._memo: dict[Any, Decision] = {}

    @property
    def digest(self) -> str:
        """``sha256:…`` of the policy set and schema in force."""
        return self._policies.digest

    # ---- administration ----

    def authorize(
        self, principal: str, action: str, resource: EntityRef, context: Mapping[str, Any] | None = None
    ) -> Decision:
        """May the operator do this? Deny for whatever is unknown: an operator, an action, a key of the context."""
        if len(principal) > _MAX_PRINCIPAL or len(resource.id) > MAX_RESOURCE:
            return Decision("deny", reason="the name of the operator or of the resource is too long")
        memo = self._memo
        key = _memo_key(principal, action, resource, context or {})
        known = memo.get(key) if key is not None else None
        if known is None:
            known = self._authorize(principal, action, resource, context or {})
            if key is not None:
                if len(memo) >= _MAX_MEMO:
                    memo.clear()
                memo[key] = known
        return known

    def _authorize(self, principal: str, action: str, resource: EntityRef, context: Mapping[str, Any]) -> Decision:
        standing = self._standing
        owners = {holding.grant.id: holding.grant.unit.id for holding in standing.holdings}
        roles = self._operators.get(principal, ())
        try:
            request = administration(principal, roles, action, resource, context, units=standing.units, grants=owners)
        except ResourceInvalid as error:
            return Decision("deny", reason=error.message)
        decision = self._decider.decide(request)
        if decision.outcome == "deny" and not decision.policies and principal not in self._operators:
            return Decision("deny", reason=f"{decision.reason}; there is no operator {principal!a} in remit.toml")
        return decision

    # ---- grants ----

    def review(self, unit: UnitRef, capability: Capability) -> Decision:
        """What policy says today of giving this unit this capability."""
        return self._decide(unit, capability, declared=True, approved=False)

    def _decide(self, unit: UnitRef, capability: Capability, *, declared: bool, approved: bool) -> Decision:
        units = self._standing.units
        try:
            request = capability_use(
                unit, capability, declared=declared, approved=approved, units=units, home=self._home
            )
        except ResourceInvalid as error:
            return Decision("deny", reason=error.message)
        return self._decider.decide(request)

    def activate(self, units: Sequence[UnitRef], grants: Sequence[Grant]) -> None:
        """Make these grants, and only these, the standing ones. What was revoked stays so; what was used stays used."""
        book = self._folds.state(Leases.name)
        assert isinstance(book, LeaseBook)
        now_ms = self._clock.now_ms()
        with self._lock:
            holdings = [Holding(grant, self._account(grant, book)) for grant in grants]
            self._forget(now_ms, {grant.id for grant in grants})
            revoked = self._standing.revoked.union(one.id for one in grants if one.id in book.revoked)
            by_id = {unit.id: unit for unit in units}
            self._swap(Standing(self._standing.epoch + 1, by_id, holdings, revoked))

    def _account(self, grant: Grant, book: LeaseBook) -> Account:
        """The one account of a grant id: what this process charged and what the journal knows, whichever is more."""
        budget = grant.capability.budget
        account = self._accounts.get(grant.id)
        usage = book.usage.get(grant.id, Usage())
        merged = Account(budget, usage.merged(account.usage) if account else usage)
        self._accounts[grant.id] = merged
        return merged

    def _forget(self, now_ms: int, active: set[str]) -> None:
        """Drop accounts that no grant uses and whose window is over."""
        for grant_id, account in list(self._accounts.items()):
            resets = account.resets_ms(account.usage.start_ms)
            if grant_id not in active and (resets is None or resets <= now_ms):
                del self._accounts[grant_id]

    def _swap(self, standing: Standing) -> None:
        # A new memo, not a cleared one: a decision under way keeps writing to the one that it read from.
        self._standing, self._leases, self._memo = standing, {}, {}

    def revoke(self, grant_id: str) -> None:
        """End a grant in this process, effective at the next use. The caller journals it.

        :raises GrantUnknown: if no grant has that id
        """
        with self._lock:
            if not any(holding.grant.id == grant_id for holding in self._standing.holdings):
                raise GrantUnknown(f"no grant of the active generation has the id {grant_id[:80]!a}")
            self._swap(self._standing.with_revoked(grant_id))

    def grants(self) -> Sequence[GrantStatus]:
        """Every grant of the active generation, in the order given to :meth:`activate`."""
        now_ns, now_ms = self._clock.monotonic_ns(), self._clock.now_ms()
        with self._lock:
            standing = self._standing
            return [_status(holding, standing, now_ns, now_ms) for holding in standing.holdings]

    # ---- uses ----

    def use(
        self, unit: UnitRef, action: str, resource: str, *, method: str = "", calls: int = 1, nbytes: int = 0
    ) -> Grant:
        """Check and charge one use of a capability.

        :param method: what is done to the resource, where the grant's envelope names methods
        :param nbytes: bytes to charge
        :raises LeaseDenied: if no standing grant covers it or policy denies it now; details name the policies
        :raises LeaseExhausted: if the grant's budget for this window does not cover the charge (nothing is charged)
        """
        if calls < 0 or nbytes < 0:
            raise _denied(unit, action, resource, Decision("deny", reason="a charge cannot be negative"))
        attempts = _ATTEMPTS
        while attempts:
            attempts -= 1
            now_ns, now_ms = self._clock.monotonic_ns(), self._clock.now_ms()
            lease = self._leases.get((unit.id, unit.digest, action, resource, method))
            # This is `lease.live`, written out: a call costs as much as the check.
            if lease is None or not (lease.from_ns <= now_ns < lease.until_ns and now_ms < lease.until_ms):
                lease = self._take(unit, action, resource, method)
            with self._lock:
                if lease.epoch != self._standing.epoch:
                    continue  # a grant was revoked, or a generation applied, since the lease was taken
                for holding in lease.holdings:
                    if holding.account.charge(now_ms, calls, nbytes):
                        return holding.grant
                raise _exhausted(unit, action, resource, lease, now_ms)
        raise _denied(unit, action, resource, Decision("deny", reason="the grants kept changing during the check"))

    def _take(self, unit: UnitRef, action: str, resource: str, method: str) -> Lease:
        """Decide afresh. Runs outside the lock: Cedar takes a hundred times as long as a charge."""
        standing = self._standing
        now_ns, now_ms = self._clock.monotonic_ns(), self._clock.now_ms()
        try:
            concrete = parse_resource(action, resource)
        except ResourceInvalid as error:
            raise _denied(unit, action, resource, Decision("deny", reason=error.message), error.remedy) from error
        covering = standing.covering(unit, action, concrete)
        if not covering:
            raise self._undeclared(unit, action, concrete)
        held = [one for one in covering if one.grant.id not in standing.revoked]
        if not held:
            reason = f"its grant {covering[0].grant.id} was revoked"
            raise _denied(unit, action, resource, Decision("deny", reason=reason), "plan and apply the unit again")
        fitting = [one for one in held if not one.grant.capability.methods or method in one.grant.capability.methods]
        if not fitting:
            allowed = ", ".join(held[0].grant.capability.methods)
            reason = f"the grant is for {allowed}, not for {method[:40]!a}"
            raise _denied(unit, action, resource, Decision("deny", reason=reason), "widen 'methods' in its unit.toml")
        decisions = [(one, self._today(one.grant, concrete)) for one in fitting]
        allowed_now = tuple(one for one, decision in decisions if decision.allowed)
        if not allowed_now:
            raise _denied(unit, action, resource, decisions[0][1])
        lease = Lease(standing.epoch, allowed_now, now_ns, now_ms, LEASE_MS)
        self._keep((unit.id, unit.digest, action, resource, method), lease)
        return lease

    def _today(self, grant: Grant, concrete: Resource) -> Decision:
        """What policy says today of this grant on this very resource."""
        given = grant.capability
        asked = Capability(given.action, concrete.text, given.methods, given.budget)
        return self._decide(grant.unit, asked, declared=True, approved=bool(grant.consent))

    def _undeclared(self, unit: UnitRef, action: str, concrete: Resource) -> LeaseDenied:
        decision = self._decide(unit, Capability(action, concrete.text), declared=False, approved=False)
        if decision.outcome != "deny":
            decision = Decision("deny", decision.policies, "it holds no grant for this")
        return _denied(unit, action, concrete.text, decision, _UNDECLARED)

    def _keep(self, key: tuple[str, str, str, str, str], lease: Lease) -> None:
        with self._lock:
            if lease.epoch != self._standing.epoch:
                return
            if len(self._leases) >= _MAX_LEASES:
                self._leases.clear()  # losing a lease costs a decision, nothing else
            self._leases[key] = lease
            for holding in lease.holdings:
                holding.lease = lease

    def reach(self, grant: Grant, origin: str, special: str) -> Decision:
        """Whether the holder of a ``net:http`` grant may connect where ``origin`` leads to a special address."""
        given = grant.capability
        asked = Capability("net:http", origin, given.methods, given.budget)
        approved, units = bool(grant.consent), self._standing.units
        try:
            request = capability_use(grant.unit, asked, declared=True, approved=approved, units=units, home=self._home)
        except ResourceInvalid as error:
            return Decision("deny", reason=error.message)
        return self._decider.decide(at_special_address(request, special))


def _memo_key(principal: str, action: str, resource: EntityRef, context: Mapping[str, Any]) -> Any:
    """A hashable form of the question, or ``None``. Types are part of it, for ``True`` equals ``1``."""
    try:
        facts = tuple(
            (name, type(value), tuple(value) if isinstance(value, list) else value)
            for name, value in sorted(context.items())
        )
        key = principal, action, resource, facts
        hash(key)
    except TypeError:
        return None
    return key


def _status(holding: Holding, standing: Standing, now_ns: int, now_ms: int) -> GrantStatus:
    revoked = holding.grant.id in standing.revoked
    lease = holding.lease
    live = lease is not None and not revoked and lease.live(standing.epoch, now_ns, now_ms)
    until = min(lease.until_ms, now_ms + (lease.until_ns - now_ns) // 1_000_000) if lease and live else None
    calls, nbytes = holding.account.left(now_ms)
    return GrantStatus(holding.grant, "revoked" if revoked else "standing", until, calls, nbytes)


def _denied(unit: UnitRef, action: str, resource: str, decision: Decision, remedy: str = "") -> LeaseDenied:
    by = f" ({', '.join(decision.policies)})" if decision.policies else ""
    if not remedy:
        remedy = "ask an administrator to change the policy named" if by else "run 'remit lease list'"
    if decision.outcome == "ask":
        remedy = "consent to it: plan the unit again and apply with --yes"
    return LeaseDenied(
        f"{unit.id} may not use {action[:40]} on {_shown(resource)}: {decision.reason}{by}",
        remedy=remedy,
        unit=unit.id,
        digest=unit.digest,
        action=action[:40],
        resource=resource[:200],
        policies=list(decision.policies),
    )


def _exhausted(unit: UnitRef, action: str, resource: str, lease: Lease, now_ms: int) -> LeaseExhausted:
    holding = lease.holdings[0]
    calls, nbytes = holding.account.left(now_ms)
    left = [f"{count} {noun}" for count, noun in ((calls, "calls"), (nbytes, "bytes")) if count is not None]
    return LeaseExhausted(
        f"{unit.id} has used up its budget of {action} on {_shown(resource)}: {' and '.join(left)} left in this window",
        unit=unit.id,
        digest=unit.digest,
        action=action,
        resource=resource[:200],
        grant=holding.grant.id,
        policies=list(holding.grant.policies),
        calls_left=calls,
        bytes_left=nbytes,
        resets_ms=holding.account.resets_ms(now_ms),
    )


def _shown(text: str) -> str:
    """A resource for people: bounded, and nothing in it can end a line or colour a terminal."""
    return text if text.isprintable() and len(text) <= 200 else ascii(text[:200])  # noqa: PLR2004 - a line or two
