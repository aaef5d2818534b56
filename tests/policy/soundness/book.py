"""What should be true of a random home: its grants, who revoked and consented to what, and what was spent.

It shares nothing with the authority but the wording of a request, and asks Cedar anew, over the whole set as text.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import PurePosixPath

import cedarpy
import msgspec

from remit.kernel.model import Capability
from remit.policy.deciding.requests import capability_use
from remit.policy.deciding.resources import covers, parse_resource

HOME = PurePosixPath("/home/app")
WINDOW = 60_000
MOST_DEEP = 4
NOTHING = (0, 0, 0, 0)


class UnsoundError(AssertionError):
    """The authority and the book disagree."""


def plus(one, other):
    return tuple(left + right for left, right in zip(one, other, strict=True))


class Spent:
    """What a grant used in one window, as four amounts: for certain, and at most."""

    def __init__(self):
        self.least = NOTHING
        """Nothing more may be granted than fits beside this."""
        self.most = NOTHING
        """Nothing less may be refused than does not fit beside this: crashes lose what was reserved."""
        self.peak = NOTHING
        """The most that may be on record as reserved, but for a block."""

    def add(self, amounts):
        self.least, self.most = plus(self.least, amounts), plus(self.most, amounts)
        self.tried(NOTHING)

    def tried(self, amounts):
        self.peak = tuple(map(max, self.peak, plus(self.most, amounts)))

    def crash(self, bounds):
        """The most that was reserved counts as used."""
        blocks = (0 if bound is None else bound // 8 for bound in bounds)
        self.most = self.peak = plus(self.peak, tuple(blocks))

    def stop(self):
        """What was used was written down, and nothing else."""
        self.peak = self.most


class Book:
    """The grants of one home, and the oracle over them."""

    def __init__(self, pool, clock):
        self.pool, self.clock = pool, clock
        self.chosen = frozenset()
        self.units, self.grants, self.delegated = {}, [], {}
        self.revoked, self.quarantined = set(), set()
        self.consents = {}  # what is bound to: the policies in reach when somebody said yes or no, and which
        self.spent = defaultdict(Spent)  # by grant and window

    # ---- what stands ----

    def alive(self):
        """The generation's grants, and what was delegated from them to units that are active as they were."""
        known = {one.id: one for one in self.grants}
        for one in self.delegated.values():
            if one.parent in known and one.unit in self.units.values():
                known[one.id] = one
        return known

    def line(self, grant):
        """The grant, and those it was delegated from."""
        found, known = [grant], {one.id: one for one in self.grants} | self.delegated
        while found[-1].parent:
            found.append(known[found[-1].parent])
        return found

    def standing(self):
        return [one for one in self.alive().values() if self.stands(one)]

    def stands(self, grant):
        return all(one.id not in self.revoked for one in self.line(grant))

    def covering(self, unit, action, resource, method):
        """Grants that could carry a use: of this very unit, above the resource, not revoked, for the method."""
        concrete = parse_resource(action, resource)
        return [
            one
            for one in self.standing()
            if one.unit == unit
            and one.capability.action == action
            and covers(parse_resource(action, one.capability.resource), concrete)
            and (not one.capability.methods or method in one.capability.methods)
        ]

    def may_delegate(self, grant, part):
        """Whether a part is a part."""
        given = grant.capability
        inside = covers(parse_resource(given.action, given.resource), parse_resource(part.action, part.resource))
        methods = not given.methods or (part.methods and set(part.methods) <= set(given.methods))
        return inside and methods and len(self.line(grant)) < MOST_DEEP and within(part.budget, given.budget)

    # ---- what Cedar says ----

    def bound(self, grant):
        envelope = msgspec.json.encode(grant.capability.envelope)
        reach = self.pool.reach(self.chosen, grant)
        return grant.unit.digest, grant.capability.action, grant.capability.resource, envelope, reach

    def allowed(self, grant, resource, *, consented=True):
        """Whether plain Cedar allows it now, to the grant and to all that it was delegated from."""
        return all(self._allowed(one, resource, consented=consented) for one in self.line(grant))

    def _allowed(self, grant, resource, *, consented):
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

    # ---- what was spent ----

    def account(self, grant):
        return self.spent[grant.id, self.clock.wall // WINDOW]

    def fits(self, grant, amounts, *, at_most=False):
        """Whether the amounts fit beside what was spent for certain, or beside the most that may have been."""
        return all(
            bound is None or had + more <= bound
            for one in self.line(grant)
            if one.capability.budget is not None
            for had, more, bound in zip(self._had(one, at_most=at_most), amounts, one.capability.budget.bounds,
                                        strict=True)
        )  # fmt: skip

    def _had(self, grant, *, at_most):
        return self.account(grant).most if at_most else self.account(grant).least

    def charge(self, grant, amounts):
        """Charge the whole line; gives the accounts."""
        accounts = [self.account(one) for one in self.line(grant)]
        for one in accounts:
            one.add(amounts)
        return accounts

    def tried(self, grants, amounts):
        """What is refused may have been reserved all the same."""
        for one in {one.id: one for grant in grants for one in self.line(grant)}.values():
            self.account(one).tried(amounts)

    def crash(self):
        for one in self.alive().values():
            if one.capability.budget is not None:
                self.account(one).crash(one.capability.budget.bounds)

    def stop(self):
        for one in self.alive().values():
            self.account(one).stop()


def within(part, whole):
    if whole is None:
        return True
    if part is None or part.window_ms != whole.window_ms:
        return False
    pairs = zip(part.bounds, whole.bounds, strict=True)
    return all(most is None or (wanted is not None and wanted <= most) for wanted, most in pairs)
