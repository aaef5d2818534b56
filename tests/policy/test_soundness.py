"""Leases against a fresh decision of plain Cedar at each use, through random policies, grants, facts, time and crashes.

The oracle shares nothing with the authority but the wording of a request: it keeps its own record of what stands, and
asks Cedar anew, over the whole set as text, at every use. The suite must notice each of the planted faults at the end.

``REMIT_SOAK=10`` runs a million steps.
"""

from __future__ import annotations

import inspect
import os
import random
from collections import Counter
from pathlib import PurePosixPath

import cedarpy
import msgspec
import pytest

import remit.policy.authority as authority_module
from remit.errors import LeaseDenied, LeaseExhausted
from remit.kernel.model import Budget, Capability, Grant, UnitRef
from remit.policy.accounts import Accounts
from remit.policy.authority import CedarAuthority
from remit.policy.budgets import Account, Usage
from remit.policy.changes import lease_scope
from remit.policy.consents import Consents
from remit.policy.engine import Answer, Engine, parse_schema
from remit.policy.epoch import Epoch
from remit.policy.issuing import Issuer
from remit.policy.models import LeaseBook
from remit.policy.policyset import compile_set
from remit.policy.postures import PolicySet, posture_files, schema_text
from remit.policy.requests import capability_use
from remit.policy.resources import covers, parse_resource
from remit.policy.standing import Lease, Standing
from remit.schemas.config import Operator

SOAK = int(os.environ.get("REMIT_SOAK", "1"))
STEPS = 5_000 if SOAK == 1 else 100_000 * SOAK
MUTANT_STEPS = 60_000
LEASE_MS = 5 * 60_000
HOME = PurePosixPath("/home/app")
WINDOW = 60_000

UNITS = [
    UnitRef(name, version, f"sha256:{name}@{version}", "tool", admission)
    for name, admission in (("acme/one", "signed"), ("acme/two", "local"), ("zeta/one", "signed"))
    for version in ("1.0.0", "2.0.0")
]
RESOURCES = {
    "events:emit": ["text", "text.a", "text.a.deep", "text.b", "note", "note.x"],
    "fs:read": ["/srv", "/srv/a", "/srv/a/b", "/srv/.ssh/key", "/home/app/policy/x", "/var"],
    "net:http": ["https://a.example.com", "https://b.example.com", "http://a.example.com"],
    "action:call": ["acme/two", "acme/two:run", "acme/two:stop", "zeta/one:run"],
}
GRANTED = {
    "events:emit": ["text", "text.a", "note"],
    "fs:read": ["/srv", "/srv/a", "/home/app"],
    "net:http": RESOURCES["net:http"],
    "action:call": ["acme/two", "acme/two:run", "zeta/one:run"],
}
U, A, T = "Remit::Unit", "Remit::Action", "Remit::Topic"
POOL = [
    f'forbid (principal is {U}, action in {A}::"egress", resource) when {{ resource.scheme == "http" }};',
    f'forbid (principal in Remit::Publisher::"acme", action in {A}::"use", resource);',
    f'forbid (principal == {U}::"acme/one", action == {A}::"events:emit", resource in {T}::"text.a");',
    f'forbid (principal, action == {A}::"events:emit", resource == {T}::"text.a.deep");',
    f'forbid (principal is {U}, action, resource == {T}::"text");',
    f'forbid (principal is {U}, action in {A}::"use", resource) when {{ resource in {T}::"text.b" }};',
    f'forbid (principal is {U}, action in {A}::"use", resource) when {{ principal.version == "2.0.0" }};',
    (
        f'forbid (principal is {U}, action in {A}::"use", resource) '
        'unless { principal.admission == Remit::Admission::"signed" };'
    ),
    f'forbid (principal is {U}, action == {A}::"fs:read", resource in Remit::Path::"/srv/a/b");',
    (
        f'forbid (principal is {U}, action in [{A}::"fs:read", {A}::"net:http"], resource) '
        "when { context.lease has calls && context.lease.calls > 5 };"
    ),
    (
        f'forbid (principal is {U}, action in {A}::"use", resource) '
        "when { context.lease has calls && context.lease.calls * 9223372036854775807 < 0 };"
    ),
    f'permit (principal is {U}, action == {A}::"fs:read", resource in Remit::Path::"/srv");',
    f'permit (principal == {U}::"zeta/one", action == {A}::"net:http", resource);',
    f'forbid (principal is {U}, action == {A}::"action:call", resource == Remit::UnitAction::"acme/two:stop");',
    f'forbid (principal is {U}, action == {A}::"action:call", resource is Remit::UnitAction);',
    f'forbid (principal is {U}, action in {A}::"egress", resource in Remit::Domain::"b.example.com");',
    (
        f'@decision("ask") permit (principal, action == {A}::"net:http", resource in Remit::Domain::"example.com") '
        "when { context.lease.approved };"
    ),
    f'forbid (principal is {U}, action == {A}::"events:emit", resource) when {{ resource == {T}::"note.x" }};',
]


class UnsoundError(AssertionError):
    """The authority and the oracle disagree."""


def sources():
    """Every policy of the pool and of the posture: id to text, trees by id."""
    files = posture_files("standard")
    files |= {f"pool{n}": f'@id("pool.{n}")\n{text}' for n, text in enumerate(POOL)}
    return files, compile_set(files, parse_schema(schema_text()))


class Pool:
    """Compiled once: trees for the authority, handles of the plain texts for the oracle."""

    def __init__(self):
        self.schema = parse_schema(schema_text())
        files, (self.trees, findings) = sources()
        assert not [one for one in findings if one.severity == "error"], findings
        self.base = "\n".join(text for name, text in files.items() if not name.startswith("pool"))
        self.texts = {f"pool.{n}": files[f"pool{n}"] for n in range(len(POOL))}
        self._sets = {}
        self._scopes = {}

    def policies(self, chosen):
        trees = {name: tree for name, tree in self.trees.items() if not name.startswith("pool.") or name in chosen}
        return PolicySet(Engine(trees, self.schema), f"sha256:{sorted(chosen)}")

    def whole(self, chosen):
        """The set as any Cedar would read it, without our engine."""
        if chosen not in self._sets:
            if len(self._sets) > 200:
                self._sets.clear()
            text = "\n".join([self.base, *(self.texts[name] for name in sorted(chosen))])
            self._sets[chosen] = cedarpy.PolicySet.from_str(text)
        return self._sets[chosen]

    def in_scope(self, name, unit, action, resource):
        """Whether the scope alone of a policy reaches a use: Cedar decides, over the policy without conditions."""
        key = name, unit.id, action, resource
        if key not in self._scopes:
            tree = self.trees[name]
            bare = cedarpy.pst.Template(
                "x", "permit", tree.principal, tree.action, tree.resource, (), cedarpy.pst.FrozenMap()
            )
            request = capability_use(unit, Capability(action, resource), declared=True, approved=False, units={})
            engine = Engine({"x": bare}, self.schema)
            answer = engine.authorize(request.cedar(), engine.entities(request.entities), sliced=False)
            self._scopes[key] = answer.decision == "allow"
        return self._scopes[key]

    def reach(self, chosen, grant):
        """The chosen policies whose scope reaches the grant's resource or one below it, by trying every resource."""
        root = parse_resource(grant.capability.action, grant.capability.resource)
        action = grant.capability.action
        below = [one for one in RESOURCES[action] if covers(root, parse_resource(action, one))]
        return frozenset(name for name in chosen if any(self.in_scope(name, grant.unit, action, one) for one in below))


class Driver:
    """One random history of one home, and what should be true of it."""

    def __init__(self, new_world, pool, seed):
        self.random = random.Random(seed)
        self.world = new_world()
        self.pool = pool
        self.chosen = frozenset()
        self.units, self.grants = {}, []
        self.revoked, self.quarantined = set(), set()
        self.consents = {}  # what is bound to: the policies in reach when somebody said yes or no, and which
        self.spent = Counter()  # (grant, window): calls
        self.seen = Counter()
        self.decided = {}
        self.number = 0
        self.interfere = None
        self.recent = []
        self.start()
        self.apply()

    # ---- the home ----

    def start(self):
        self.authority = CedarAuthority(
            self.pool.policies(self.chosen),
            clock=self.world.clock,
            folds=self.world.journal,
            operators={"local": Operator(("owner",))},
            write=self.world.journal.append,
            home="/home/app",
        )
        self.authority.issuer.watch = self.watch

    def watch(self, request, _decision):
        """Called while a decision is under way: remembers when, and now and then lets something happen in between."""
        self.decided[request.principal.id, request.action, request.resource.id] = self.world.clock.wall
        if self.interfere is not None:
            change, self.interfere = self.interfere, None
            change()

    def apply(self):
        self.units = {name: self.random.choice([one for one in UNITS if one.id == name]) for name in
                      ("acme/one", "acme/two", "zeta/one")}  # fmt: skip
        kept = [one for one in self.grants if self.units[one.unit.id] == one.unit and self.random.random() < 0.6]
        self.grants = kept + [self.grant() for _ in range(self.random.randint(1, 8))]
        for grant in self.grants:
            if grant not in kept:
                self.world.journal.give(grant)
        self.world.journal.apply(*self.grants)
        self.authority.activate(list(self.units.values()), self.grants)

    def grant(self):
        self.number += 1
        unit = self.random.choice(list(self.units.values()))
        action = self.random.choice(list(GRANTED))
        budget = self.random.choice(
            [None, None, Budget(WINDOW, calls=4), Budget(WINDOW, calls=8), Budget(WINDOW, calls=20)]
        )
        methods = ("GET",) if action == "net:http" and self.random.random() < 0.5 else ()
        capability = Capability(action, self.random.choice(GRANTED[action]), methods, budget)
        decision = self.authority.review(unit, capability)
        asked = decision.outcome == "ask" and self.random.random() < 0.4
        grant = Grant(f"g{self.number}", unit, capability, decision.policies, "local" if asked else "", decision.reach)
        if asked:
            self.consents[self.bound(grant)] = "given"
        return grant

    def bound(self, grant):
        envelope = msgspec.json.encode(grant.capability.envelope)
        reach = self.pool.reach(self.chosen, grant)
        return grant.unit.digest, grant.capability.action, grant.capability.resource, envelope, reach

    # ---- the oracle ----

    def allowed_by_cedar(self, grant, resource, *, consented=True):
        approved = consented and self.consents.get(self.bound(grant)) == "given"
        given = grant.capability
        request = capability_use(
            grant.unit,
            Capability(given.action, resource, given.methods, given.budget),
            declared=True,
            approved=approved,
            units=self.units,
            home=HOME,
            quarantined=frozenset(self.quarantined),
        )
        entities = cedarpy.Entities.from_json_str(msgspec.json.encode(request.entities).decode(), self.pool.schema)
        result = cedarpy.is_authorized(request.cedar(), self.pool.whole(self.chosen), entities, self.pool.schema)
        return result.decision == cedarpy.Decision.Allow and not result.diagnostics.errors

    def covering(self, unit, action, resource, method):
        """Grants that could carry a use: of this very unit, above the resource, not revoked, for the method."""
        concrete = parse_resource(action, resource)
        return [
            one
            for one in self.grants
            if one.unit == unit
            and one.capability.action == action
            and one.id not in self.revoked
            and covers(parse_resource(action, one.capability.resource), concrete)
            and (not one.capability.methods or method in one.capability.methods)
        ]

    def window(self, grant):
        charged = [start for one, start in self.spent if one == grant.id]
        return max([self.world.clock.wall // WINDOW, *charged])

    def room(self, grant):
        budget = grant.capability.budget
        return 1 << 30 if budget is None else budget.calls - self.spent[grant.id, self.window(grant)]

    # ---- steps ----

    def step(self):
        kind = self.random.choices(
            [self.use, self.again, self.publish, self.revoke, self.shut, self.apply, self.wait, self.crash, self.answer,
             self.renew, self.race],
            [40, 30, 6, 1, 3, 2, 6, 1, 9, 1, 3],
        )[0]  # fmt: skip
        kind()

    def use(self):
        standing = [one for one in self.grants if one.id not in self.revoked]
        grant = self.random.choice(standing or self.grants)
        action = grant.capability.action
        unit = grant.unit if self.random.random() < 0.95 else self.random.choice(UNITS)
        method = self.random.choice(["GET", "GET", "POST"]) if action == "net:http" else ""
        root = parse_resource(action, grant.capability.resource)
        below = [one for one in RESOURCES[action] if covers(root, parse_resource(action, one))]
        near = below if below and self.random.random() < 0.8 else RESOURCES[action]
        use = (unit, action, self.random.choice(near), method)
        self.recent = [use, *self.recent[:5]]
        self.check(*use)

    def again(self):
        if self.recent:
            self.check(*self.random.choice(self.recent))

    def check(self, unit, action, resource, method):
        calls = self.random.randint(1, 2)
        racing = self.interfere
        try:
            grant = self.authority.use(unit, action, resource, method=method, calls=calls)
        except LeaseExhausted as error:
            self.seen["exhausted"] += 1
            spent_grant = next(one for one in self.grants if one.id == error.details["grant"])
            # A crash may have cost the rest of a block, never more.
            block = spent_grant.capability.budget.calls // 8
            crashes = self.seen["crash", spent_grant.id]
            if calls + block * crashes <= self.room(spent_grant):
                raise UnsoundError(f"{spent_grant.id} has room for {calls}") from None
            return
        except LeaseDenied:
            self.seen["denied"] += 1
            if racing is not self.interfere:
                return  # what changed in the middle may have come after the denial
            for one in self.covering(unit, action, resource, method):
                # The authority may take more policies to be in reach than are, and so a consent to be void.
                if self.allowed_by_cedar(one, resource, consented=False):
                    raise UnsoundError(f"a standing grant was withheld: {one} on {resource}") from None
            return
        self.seen["allowed"] += 1
        if grant not in self.covering(unit, action, resource, method):
            raise UnsoundError(f"{grant} does not carry {action} on {resource} by {method}")
        if not self.allowed_by_cedar(grant, resource):
            raise UnsoundError(f"Cedar denies {action} on {resource} under {grant} with {sorted(self.chosen)}")
        if calls > self.room(grant):
            raise UnsoundError(f"{grant} had room for {self.room(grant)}")
        self.spent[grant.id, self.window(grant)] += calls
        self.fresh(unit, action, resource, grant)

    def fresh(self, unit, action, resource, grant):
        asked = {uid.id for uid in parse_resource(action, resource).parents} | {grant.capability.resource}
        times = [self.decided.get((unit.id, action, one), -1) for one in asked]
        if max(times) <= self.world.clock.wall - LEASE_MS:
            raise UnsoundError("a lease outlived its time")

    def publish(self):
        self.chosen = self.chosen ^ frozenset(self.random.sample(sorted(self.pool.texts), self.random.randint(1, 2)))
        if len(self.chosen) > 4:
            self.chosen = frozenset(self.random.sample(sorted(self.chosen), 1))
        self.authority.publish(self.pool.policies(self.chosen))

    def revoke(self):
        grant = self.random.choice(self.grants)
        self.revoked.add(grant.id)
        self.authority.revoke(grant.id)
        self.world.journal.say("grant.revoked", {"id": grant.id, "by": "local"})

    def shut(self):
        publisher = self.random.choice(["acme", "zeta"])
        if publisher in self.quarantined:
            self.quarantined.remove(publisher)
            self.authority.release(publisher, by="local")
        elif self.random.random() < 0.2:
            self.quarantined.add(publisher)
            self.authority.quarantine(publisher, by="local")

    def wait(self):
        self.world.clock.advance(self.random.choice([10, 1_000, WINDOW, LEASE_MS - 1, LEASE_MS]))

    def crash(self):
        if self.random.random() < 0.5:
            self.authority.settle()
        else:
            self.seen.update(("crash", one.id) for one in self.grants)
        self.start()
        self.authority.activate(list(self.units.values()), self.grants)

    def renew(self):
        self.authority.renew(self.random.choice(self.grants).id)

    def answer(self):
        """Yes or no to a question about a grant that stands, under the policies that it was asked under."""
        grants = {one.id: one for one in self.grants}
        epoch = self.authority.epoch
        known = [one for one in self.authority.consents.all() if one.grant in grants]
        current = [one for one in known if epoch.outlook(epoch.standing.holding(one.grant)).reach == one.reach]
        if current:
            consent = self.random.choice(current)
            grant, given = grants[consent.grant], self.random.random() < 0.6
            self.authority.answer(consent.id, given=given, by="local")
            self.consents[self.bound(grant)] = "given" if given else "refused"
            resource = grant.capability.resource
            self.recent = [(grant.unit, grant.capability.action, resource, "GET"), *self.recent[:5]]

    def race(self):
        """A change in the middle of the next decision."""
        self.interfere = self.random.choice([self.publish, self.shut, self.revoke])


def run(driver, steps):
    for _ in range(steps):
        driver.step()
        if len(driver.world.journal.records) > 3_000:
            compact(driver)


def histories(new_world, pool, steps, first_seed):
    """Histories of 2,500 steps each, and how often each kind of answer came."""
    seen = Counter()
    for seed in range(steps // 2_500):
        driver = Driver(new_world, pool, first_seed + seed)
        run(driver, 2_500)
        seen += Counter({name: count for name, count in driver.seen.items() if isinstance(name, str)})
    return seen


def compact(driver):
    """A real home keeps snapshots; the simulated journal would be folded from its beginning at each restart."""
    book = driver.world.journal.state("leases")
    driver.world.journal.records.clear()
    fold = driver.world.journal.state
    driver.world.journal.state = lambda name: merged(book, fold(name))


def merged(before, after):
    tables = {name: {**getattr(before, name), **getattr(after, name)} for name in
              ("grants", "revoked", "usage", "denials", "reserved", "consents", "delegated")}  # fmt: skip
    return LeaseBook(**tables, quarantined=after.quarantined, active=after.active)


@pytest.fixture(scope="module")
def pool():
    return Pool()


@pytest.fixture(autouse=True)
def small_sets_are_sliced_too(monkeypatch):
    monkeypatch.setattr("remit.policy.engine._SMALL", 0)


def test_every_use_that_is_allowed_is_one_that_cedar_allows_now(new_world, pool):
    seen = histories(new_world, pool, STEPS, 0)
    # The histories must not be trivial.
    assert min(seen["allowed"], seen["denied"]) > STEPS // 20
    assert seen["exhausted"] > STEPS // 1_000


# ---- planted faults: the suite is only worth what it notices ----


def keeps_leases(name):
    def plant(patch):
        real = CedarAuthority._change

        def forgetful(self, make, touches):
            caller = inspect.stack()[1].function
            return real(self, make, (lambda _lease: False) if caller == name else touches)

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


def fresh_accounts(patch):
    patch.setattr(Accounts, "of", lambda _self, grant, _book, _parent=None: Account(grant.capability.budget, Usage()))


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
        "remit.policy.engine.above", lambda key, _parents: [key]
    ),
    "action groups are forgotten in slices": lambda patch: patch.setattr(
        Engine, "_actions", lambda _self, action, _request, _facts: [action]
    ),
    "every grant is decided once for all below it": lambda patch: patch.setattr(
        "remit.policy.epoch.mode_of", lambda _root, _policies: "cached"
    ),
    "errors of policies are passed over": deaf_to_errors,
    "methods are not looked at": any_method,
    "a consent outlives the policies it was given under": consent_for_ever,
    "the digest of the unit is not compared": any_digest,
    "revocations are forgotten": forgets_revocations,
    "accounts begin anew with each generation": fresh_accounts,
    "charges are not counted": lambda patch: patch.setattr(Account, "charge", lambda *_: True),
    "reservations are not written": lambda patch: patch.setattr(Accounts, "_reserve", lambda *_: None),
}


@pytest.mark.parametrize("fault", sorted(MUTANTS))
def test_a_planted_fault_is_noticed(new_world, pool, monkeypatch, fault):
    MUTANTS[fault](monkeypatch)
    with pytest.raises(UnsoundError):
        histories(new_world, pool, MUTANT_STEPS, 1_000)
