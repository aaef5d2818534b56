"""Planted faults: the random histories are only worth what they notice."""

from __future__ import annotations

import inspect

import remit.policy.authority as authority_module
from remit.errors import LeaseDenied
from remit.policy.authority import CedarAuthority
from remit.policy.deciding.resources import parse_resource
from remit.policy.epoch import Epoch
from remit.policy.issuing import Issuer
from remit.policy.leases.accounts import Accounts
from remit.policy.leases.budgets import Account, Hold, Usage
from remit.policy.leases.consents import Consents
from remit.policy.leases.delegation import child_of
from remit.policy.leases.standing import Lease, Standing
from remit.policy.reviewing.changes import lease_scope
from remit.policy.sets.engine import Answer, Engine
from tests.policy.soundness.driver import LEASE_MS


def keeps_leases(name):
    def plant(patch):
        real = CedarAuthority._change

        def forgetful(self, make, touched, *every):
            caller = inspect.stack()[1].function
            return real(self, make, (lambda _epoch: lambda _lease: False) if caller == name else touched, *every)

        patch.setattr(CedarAuthority, "_change", forgetful)

    return plant


def stale_after_race(patch):
    def take(self, unit, action, resource, method):
        epoch = self._epoch
        concrete = parse_resource(action, resource)
        allowed = self.issuer.allowing(epoch, unit, action, concrete, method)
        key = (unit.digest, unit.id, action, resource, method)
        now = self._now_ns(), self._now_ms()
        lease = Lease(key, allowed, lease_scope(allowed, concrete), *now, LEASE_MS)
        self._keep(lease)
        return lease

    patch.setattr(CedarAuthority, "_take", take)


def deaf_to_errors(patch):
    real = Engine.authorize

    def deaf(self, *arguments, **options):
        answer = real(self, *arguments, **options)
        return Answer(answer.decision, answer.reasons)

    patch.setattr(Engine, "authorize", deaf)


def any_method(patch):
    real = Issuer.allowing

    def lax(self, epoch, unit, action, concrete, method):
        try:
            return real(self, epoch, unit, action, concrete, method)
        except LeaseDenied:
            return real(self, epoch, unit, action, concrete, "GET")

    patch.setattr(Issuer, "allowing", lax)


def consent_for_ever(patch):
    def stand(self, grant, _reach):
        return bool(grant.consent) or any(
            one.state == "given" and (one.digest, one.action, one.resource)
            == (grant.unit.digest, grant.capability.action, grant.capability.resource)
            for one in self.all()
        )  # fmt: skip

    patch.setattr(Consents, "stand", stand)


def any_digest(patch):
    def covering(self, unit, action, concrete):
        named = [one for one in self.holdings if one.grant.capability.action == action]
        return [one for one in named if one.covers(unit, concrete)]

    patch.setattr(Standing, "covering", covering)


def forgets_revocations(patch):
    real = Standing.__init__
    patch.setattr(Standing, "__init__", lambda self, units, holdings, _revoked: real(self, units, holdings, ()))


def parts_of_any_size(patch):
    patch.setattr("remit.policy.leases.delegation._within", lambda *_: True)


def parts_that_cost_nothing(patch):
    real = Accounts.of
    patch.setattr(Accounts, "of", lambda self, grant, book, _parent=None: real(self, grant, book))


def parts_looked_at_alone(patch):
    patch.setattr(Issuer, "today", lambda self, epoch, holding, concrete: (
        holding, self._said(epoch, holding, concrete)
    ))  # fmt: skip


def parts_that_outlive_their_grant(patch):
    patch.setattr(Standing, "stands", lambda self, holding: holding.grant.id not in self.revoked)


def parts_kept_by_upgrades(patch):
    real = Accounts.holdings

    def holdings(self, units, grants, book):
        return real(self, {*units, *(one.unit for one in book.delegated.values())}, grants, book)

    patch.setattr(Accounts, "holdings", holdings)


def parts_consented_to_for_ever(patch):
    def unbound(*given, reach, **options):
        del reach
        return child_of(*given, **options)

    patch.setattr(authority_module, "child_of", unbound)


def nothing_is_held(patch):
    patch.setattr(Account, "hold", lambda _self, _now_ms, _least, most: Hold(most, ()))


def held_twice_given_back(patch):
    real = Account.settle_hold
    patch.setattr(Account, "settle_hold", lambda self, start, held, used: real(self, start, held + held, used + used))


def fresh_accounts(patch):
    patch.setattr(Accounts, "of", lambda _self, grant, _book, _parent=None: Account(grant.capability.budget, Usage()))


def nothing_is_named(patch):
    real = Engine.__init__

    def blind(self, *arguments):
        real(self, *arguments)
        self.named = frozenset()

    patch.setattr(Engine, "__init__", blind)


def old_policies(patch):
    real = Epoch.next
    patch.setattr(Epoch, "next", lambda self, **changes: real(self, **{**changes, "policies": None}))


MUTANTS = {
    "a swap of policies drops no lease": keeps_leases("publish"),
    "a revoke drops no lease": keeps_leases("revoke"),
    "a quarantine drops no lease": keeps_leases("quarantine"),
    "an answer drops no lease": keeps_leases("answer"),
    "the epoch is not checked after a decision": stale_after_race,
    "a published set does not decide": old_policies,
    "expiry is ignored": lambda patch: patch.setattr(authority_module, "LEASE_MS", 1 << 40),
    "ancestors are forgotten in slices": lambda patch: patch.setattr(
        "remit.policy.sets.engine.above", lambda key, _parents: [key]
    ),
    "action groups are forgotten in slices": lambda patch: patch.setattr(
        Engine, "_actions", lambda _self, action, _parents: [action]
    ),
    "every grant is decided once for all below it": lambda patch: patch.setattr(
        "remit.policy.epoch.mode_of", lambda _root, _policies: "cached"
    ),
    "files and topics that policies name are decided as if they did not": nothing_is_named,
    "errors of policies are passed over": deaf_to_errors,
    "methods are not looked at": any_method,
    "a consent outlives the policies it was given under": consent_for_ever,
    "the digest of the unit is not compared": any_digest,
    "revocations are forgotten": forgets_revocations,
    "accounts begin anew with each generation": fresh_accounts,
    "charges are not counted": lambda patch: patch.setattr(Account, "charge", lambda *_: True),
    "a killed version drops no lease": keeps_leases("recall"),
    "a part may be larger than its grant": parts_of_any_size,
    "a part costs its grant nothing": parts_that_cost_nothing,
    "a part is not asked about its grant": parts_looked_at_alone,
    "a part outlives the revocation of its grant": parts_that_outlive_their_grant,
    "a part outlives the version it was given to": parts_kept_by_upgrades,
    "who delegates consents for ever": parts_consented_to_for_ever,
    "host time and fuel are not held": nothing_is_held,
    "what was held is given back twice": held_twice_given_back,
    "what is held is not on record": lambda patch: patch.setattr(Account, "_claim", lambda *_: None),
    "reservations are not written": lambda patch: patch.setattr(Accounts, "_reserve", lambda *_: None),
}
