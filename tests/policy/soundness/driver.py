"""Random histories of one home: each step is done to the authority and to the book, which must agree."""

from __future__ import annotations

import random
from collections import Counter

from remit.errors import DelegationTooWide, LeaseDenied, LeaseExhausted
from remit.kernel.model import Amounts, Budget, Capability, Grant
from remit.policy.authority import CedarAuthority
from remit.policy.deciding.resources import covers, parse_resource
from remit.schemas.config import Operator
from tests.policy.soundness.book import HOME, WINDOW, Book, UnsoundError, plus
from tests.policy.soundness.pool import GRANTED, RESOURCES, UNITS

LEASE_MS = 5 * 60_000
EACH = 2_500
"""Steps of one history."""
BUDGETS = [
    None,
    None,
    Budget(WINDOW, calls=4),
    Budget(WINDOW, calls=8),
    Budget(WINDOW, calls=20, bytes=64),
    Budget(WINDOW, host_us=80),
    Budget(WINDOW, calls=20, bytes=64, host_us=160, fuel=800),
]


class Driver:
    """One random history of one home."""

    def __init__(self, new_world, pool, seed):
        self.random = random.Random(seed)
        self.world = new_world()
        self.pool = pool
        self.book = Book(pool, self.world.clock)
        self.seen = Counter()
        self.decided = {}
        self.number = 0
        self.interfere = None
        self.recent, self.holds = [], []
        self.start()
        self.apply()

    # ---- the home ----

    def start(self):
        self.holds = []
        self.authority = CedarAuthority(
            self.pool.policies(self.book.chosen),
            clock=self.world.clock,
            folds=self.world.journal,
            operators={"local": Operator(("owner",))},
            write=self.world.journal.append,
            home=str(HOME),
        )
        self.authority.issuer.watch = self.watch

    def watch(self, request, _decision):
        """Called while a decision is under way: remembers when, and now and then lets something happen in between."""
        self.decided[request.principal.id, request.action, request.resource.id] = self.world.clock.wall
        if self.interfere is not None:
            change, self.interfere = self.interfere, None
            change()

    def apply(self):
        book = self.book
        names = ("acme/one", "acme/two", "zeta/one")
        book.units = {name: self.random.choice([one for one in UNITS if one.id == name]) for name in names}
        kept = [one for one in book.grants if book.units[one.unit.id] == one.unit and self.random.random() < 0.6]
        book.grants = kept + [self.grant() for _ in range(self.random.randint(1, 8))]
        for grant in book.grants:
            if grant not in kept:
                self.world.journal.give(grant)
        self.world.journal.apply(*book.grants)
        self.activate()

    def activate(self):
        self.authority.activate(list(self.book.units.values()), self.book.grants)

    def grant(self):
        self.number += 1
        unit = self.random.choice(list(self.book.units.values()))
        action = self.random.choice(list(GRANTED))
        methods = ("GET",) if action == "net:http" and self.random.random() < 0.5 else ()
        capability = Capability(
            action, self.random.choice(GRANTED[action]), methods, self.random.choice(BUDGETS)
        )  # fmt: skip
        decision = self.authority.review(unit, capability)
        asked = decision.outcome == "ask" and self.random.random() < 0.4
        grant = Grant(f"g{self.number}", unit, capability, decision.policies, "local" if asked else "", decision.reach)
        if asked:
            self.book.consents[self.book.bound(grant)] = "given"
        return grant

    # ---- steps ----

    def step(self):
        kind = self.random.choices(
            [self.use, self.again, self.publish, self.revoke, self.shut, self.apply, self.wait, self.crash, self.answer,
             self.renew, self.race, self.delegate, self.settle, self.kill],
            [400, 300, 60, 10, 30, 20, 60, 10, 90, 10, 30, 30, 80, 2],
        )[0]  # fmt: skip
        kind()

    def use(self):
        standing = self.book.standing()
        delegated = [one for one in standing if one.parent]
        grant = self.random.choice((self.random.random() < 0.3 and delegated) or standing or self.book.grants)
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
        calls, nbytes = self.random.randint(1, 2), self.random.choice([0, 0, 5, 20])
        # A use also needs some host time and fuel to be left, where they are bounded.
        needed, racing = (calls, nbytes, 1, 1), self.interfere
        covering = self.book.covering(unit, action, resource, method)
        try:
            grant = self.authority.use(unit, action, resource, method=method, calls=calls, nbytes=nbytes)
        except LeaseExhausted as error:
            self.seen["exhausted"] += 1
            self.refused_for_amounts(self.book.alive().get(error.details["grant"]), needed)
        except LeaseDenied:
            self.seen["denied"] += 1
            # What changed in the middle may have come after the denial.
            if racing is self.interfere:
                self.refused_by_policy(covering, resource)
        else:
            self.allowed(grant, (unit, action, resource, method), needed)
            self.book.charge(grant, (calls, nbytes, 0, 0))
            self.hold(grant)
        finally:
            self.book.tried(covering, (calls, nbytes, 0, 0))

    def refused_for_amounts(self, grant, needed):
        if grant is None:
            raise UnsoundError("a grant was asked that does not stand")
        if self.book.fits(grant, needed, at_most=True):
            raise UnsoundError(f"{grant} has room for {needed}")

    def refused_by_policy(self, covering, resource):
        for one in covering:
            # The authority may take more policies to be in reach than are, and so a consent to be void.
            if self.book.allowed(one, resource, consented=False):
                raise UnsoundError(f"a standing grant was withheld: {one} on {resource}")

    def allowed(self, grant, use, needed):
        unit, action, resource, method = use
        self.seen["allowed"] += 1
        self.seen["delegated"] += bool(grant.parent)
        if grant not in self.book.covering(unit, action, resource, method):
            raise UnsoundError(f"{grant} does not carry {action} on {resource} by {method}")
        if not self.book.allowed(grant, resource):
            raise UnsoundError(f"Cedar denies {action} on {resource} under {grant} with {sorted(self.book.chosen)}")
        if not self.book.fits(grant, needed):
            raise UnsoundError(f"{grant} had no room for {needed}")
        self.fresh(unit, action, resource, grant)

    def fresh(self, unit, action, resource, grant):
        asked = {uid.id for uid in parse_resource(action, resource).parents} | {grant.capability.resource}
        times = [self.decided.get((unit.id, action, one), -1) for one in asked]
        if max(times) <= self.world.clock.wall - LEASE_MS:
            raise UnsoundError("a lease outlived its time")

    # ---- amounts that are known afterwards ----

    def hold(self, grant):
        """Set host time and fuel aside, as a host call does under a grant that has a budget of them."""
        budget = grant.capability.budget
        if budget is None or budget.host_us is None:
            return
        least = (0, 0, 1, self.random.choice([0, 300]))
        most = plus(least, (0, 0, self.random.randint(0, 60), self.random.choice([0, 300])))
        try:
            hold = self.authority.hold(grant, Amounts(*least), Amounts(*most))
        except LeaseExhausted:
            self.seen["not held"] += 1
            self.refused_for_amounts(grant, least)
            return
        finally:
            self.book.tried([grant], most)
        self.seen["held"] += 1
        held = (hold.amounts.calls, hold.amounts.bytes, hold.amounts.host_us, hold.amounts.fuel)
        if not self.book.fits(grant, held):
            raise UnsoundError(f"{grant} had no room to hold {held}")
        if any(not low <= one <= high for low, one, high in zip(least, held, most, strict=True)):
            raise UnsoundError(f"{held} were held, not from {least} to {most}")
        self.holds.append((hold, held, self.book.charge(grant, held)))

    def settle(self):
        """Charge what was used in the place of what was held."""
        if self.holds:
            hold, held, accounts = self.holds.pop(self.random.randrange(len(self.holds)))
            used = tuple(self.random.randint(0, amount) for amount in held)
            hold.settle(Amounts(*used))
            for account in accounts:
                account.add(tuple(one - other for one, other in zip(used, held, strict=True)))

    # ---- changes ----

    def delegate(self):
        standing = self.book.standing()
        if not standing:
            return
        parent = self.random.choice(standing)
        given = parent.capability
        budget = given.budget if self.random.random() < 0.5 else self.random.choice(BUDGETS)
        methods = given.methods if self.random.random() < 0.8 else ()
        part = Capability(given.action, self.random.choice(GRANTED[given.action]), methods, budget)
        unit = self.random.choice(list(self.book.units))
        if self.random.random() < 0.6:
            part = Capability(given.action, given.resource, methods, budget)
        try:
            grant = self.authority.delegate(parent.id, unit, part, by="local")
        except DelegationTooWide:
            if self.book.may_delegate(parent, part):
                raise UnsoundError(f"{part} is a part of {parent}") from None
            return
        if not self.book.may_delegate(parent, part):
            raise UnsoundError(f"{part} is no part of {parent}")
        if grant.id not in self.book.alive():
            self.book.delegated[grant.id] = grant
            self.book.consents[self.book.bound(grant)] = "given"

    def publish(self):
        chosen = self.book.chosen ^ frozenset(
            self.random.sample(sorted(self.pool.texts), self.random.randint(1, 2))
        )  # fmt: skip
        if len(chosen) > 4:
            chosen = frozenset(self.random.sample(sorted(chosen), 1))
        self.book.chosen = chosen
        self.authority.publish(self.pool.policies(chosen))

    def revoke(self):
        grant = self.random.choice(list(self.book.alive().values()))
        self.book.revoked.add(grant.id)
        self.authority.revoke(grant.id)
        self.world.journal.say("grant.revoked", {"id": grant.id, "by": "local"})

    def shut(self):
        publisher = self.random.choice(["acme", "zeta"])
        if publisher in self.book.quarantined:
            self.book.quarantined.remove(publisher)
            self.authority.release(publisher, by="local")
        elif self.random.random() < 0.2:
            self.book.quarantined.add(publisher)
            self.authority.quarantine(publisher, by="local")

    def kill(self):
        """A version is withdrawn for good; one in a history, or little would be left to look at."""
        if not any(name.startswith("sha256:") for name in self.book.quarantined):
            unit = self.random.choice(list(self.book.units.values()))
            self.book.quarantined.add(unit.digest)
            self.world.journal.say("unit.withdrawn", {"kind": "killed", "digest": unit.digest})
            self.authority.recall(unit.digest)

    def wait(self):
        self.world.clock.advance(self.random.choice([10, 1_000, WINDOW, LEASE_MS - 1, LEASE_MS]))

    def crash(self):
        if self.random.random() < 0.5:
            self.authority.settle()
            self.book.stop()
        else:
            self.book.crash()
        self.start()
        self.activate()

    def renew(self):
        self.authority.renew(self.random.choice(list(self.book.alive())))

    def answer(self):
        """Yes or no to a question about a grant that stands, under the policies that it was asked under."""
        grants = self.book.alive()
        epoch = self.authority.epoch
        known = [one for one in self.authority.consents.all() if one.grant in grants]
        current = [one for one in known if epoch.outlook(epoch.standing.holding(one.grant)).reach == one.reach]
        if current:
            consent = self.random.choice(current)
            grant, given = grants[consent.grant], self.random.random() < 0.6
            self.authority.answer(consent.id, given=given, by="local")
            self.book.consents[self.book.bound(grant)] = "given" if given else "refused"
            resource = grant.capability.resource
            self.recent = [(grant.unit, grant.capability.action, resource, "GET"), *self.recent[:5]]

    def race(self):
        """A change in the middle of the next decision."""
        self.interfere = self.random.choice([self.publish, self.shut, self.revoke])


def histories(new_world, pool, steps, first_seed):
    """Histories of so many steps together, and how often each kind of answer came."""
    seen = Counter()
    for seed in range(steps // EACH):
        driver = Driver(new_world, pool, first_seed + seed)
        for _ in range(EACH):
            driver.step()
        seen += driver.seen
    return seen
