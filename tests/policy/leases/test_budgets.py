"""Accounts with every kind of amount: what is held, settled, reserved, and what a crash can cost."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from remit.errors import DelegationTooWide, LeaseDenied, LeaseExhausted
from remit.kernel.model import Amounts, Budget, Capability
from remit.policy.leases.budgets import Account, Usage

WINDOW = 1_000
BOUNDS = Budget(WINDOW, calls=9, bytes=160, host_us=800, fuel=4_000)

amounts = st.builds(
    Amounts, host_us=st.integers(0, 500), fuel=st.integers(0, 2_500)
)  # calls and bytes are known before and charged then


def least(amount):
    return Amounts(host_us=min(1, amount.host_us), fuel=amount.fuel)


def each(amount):
    return amount.calls, amount.bytes, amount.host_us, amount.fuel


class Metered(RuleBasedStateMachine):
    """One account, and a delegated one under it, against plain sums; crashes at any moment."""

    def __init__(self):
        super().__init__()
        self.now = 0
        self.written = [Usage(), Usage()]  # what the journal would say
        self.spent = {}  # (account, window): what was really used, what is held included
        self.holds = []
        self.begin()

    def begin(self):
        def writes(index):
            def write(total):
                self.written[index] = total

            return write

        self.parent = Account(BOUNDS, self.written[0], writes(0))
        child = Budget(WINDOW, calls=5, bytes=100, host_us=500, fuel=3_000)
        self.child = Account(child, self.written[1], writes(1), self.parent)
        self.accounts = [self.parent, self.child]

    def add(self, index, window, more):
        for one in range(index + 1):
            self.spent[one, window] = self.spent.get((one, window), Amounts()) + more
            most = self.accounts[one].budget.bounds
            assert all(used <= bound for used, bound in zip(each(self.spent[one, window]), most, strict=True))

    @rule(index=st.integers(0, 1), calls=st.integers(0, 2), nbytes=st.integers(0, 40))
    def charge(self, index, calls, nbytes):
        if self.accounts[index].charge(self.now, calls, nbytes):
            self.add(index, self.now // WINDOW, Amounts(calls, nbytes))

    @rule(index=st.integers(0, 1), most=amounts)
    def hold(self, index, most):
        hold = self.accounts[index].hold(self.now, least(most), most)
        if hold is not None:
            assert all(low <= one <= high for low, one, high in
                       zip(each(least(most)), each(hold.amounts), each(most), strict=True))  # fmt: skip
            self.add(index, self.now // WINDOW, hold.amounts)
            self.holds.append((index, self.now // WINDOW, hold))

    @precondition(lambda self: self.holds)
    @rule(share=st.integers(0, 100))
    def settle(self, share):
        index, window, hold = self.holds.pop()
        used = Amounts(*(amount * share // 100 for amount in each(hold.amounts)))
        hold.settle(used)
        back = Amounts(*(one - other for one, other in zip(each(used), each(hold.amounts), strict=True)))
        self.add(index, window, back)

    @rule(ms=st.integers(0, WINDOW))
    def time_passes(self, ms):
        self.now += ms

    @rule()
    def crash(self):
        """What was spent is on record; what was only reserved is lost, at most the holds and a block."""
        window = self.now // WINDOW
        for index in range(2):
            spent, known = self.spent.get((index, window), Amounts()), self.written[index].at(self.now, WINDOW)
            assert all(one <= other for one, other in zip(each(spent), each(known.amounts), strict=True))
            if known.start_ms == window * WINDOW:
                self.spent[index, window] = known.amounts  # it counts as used
        self.holds = []
        self.begin()

    @rule()
    def stop_in_order(self):
        for hold in self.holds:
            hold[2].settle(hold[2].amounts)
        for index, account in enumerate(self.accounts):
            self.written[index] = account.settle() or self.written[index]
        self.holds = []
        self.begin()


TestMetered = Metered.TestCase


def test_more_is_charged_where_a_host_call_outlasted_its_hold():
    written = []
    account = Account(Budget(WINDOW, host_us=100), Usage(), written.append)
    hold = account.hold(0, Amounts(host_us=1), Amounts(host_us=500))
    assert hold.amounts == Amounts(host_us=100)
    hold.settle(Amounts(host_us=130))
    assert account.usage.host_us == written[-1].host_us == 130
    assert account.left(0).host_us == 0
    assert not account.charge(0, 1, 0)


def test_a_hold_is_settled_once():
    account = Account(Budget(WINDOW, fuel=100), Usage())
    hold = account.hold(0, Amounts(fuel=60), Amounts(fuel=60))
    hold.settle(Amounts(fuel=10))
    hold.settle(Amounts(fuel=10))
    assert account.usage.fuel == 10


def test_what_is_settled_after_its_window_gives_the_next_window_nothing():
    account = Account(Budget(WINDOW, fuel=100), Usage())
    hold = account.hold(0, Amounts(fuel=60), Amounts(fuel=60))
    account.hold(WINDOW, Amounts(fuel=30), Amounts(fuel=30))
    hold.settle(Amounts())
    assert account.left(WINDOW).fuel == 70


def test_a_hold_that_cannot_be_put_on_record_holds_nothing():
    def broken(_total):
        raise OSError("the disk is full")

    account = Account(Budget(WINDOW, fuel=100), Usage(), broken)
    with pytest.raises(OSError, match="full"):
        account.hold(0, Amounts(fuel=60), Amounts(fuel=60))
    assert account.left(0).fuel == 100


def test_two_host_calls_at_once_share_what_is_left():
    account = Account(Budget(WINDOW, host_us=100), Usage())
    first = account.hold(0, Amounts(host_us=1), Amounts(host_us=70))
    second = account.hold(0, Amounts(host_us=1), Amounts(host_us=70))
    assert (first.amounts.host_us, second.amounts.host_us) == (70, 30)
    assert account.hold(0, Amounts(host_us=1), Amounts(host_us=70)) is None


@given(st.lists(st.integers(0, 99), min_size=4, max_size=4), st.integers(0, 9_999))
def test_old_records_are_read_as_no_host_time_and_no_fuel(counts, start):
    assert msgspec.convert(counts[:2], Amounts) == Amounts(counts[0], counts[1])
    assert msgspec.convert(counts, Amounts) == Amounts(*counts)
    old = {"start_ms": start, "calls": counts[0], "bytes": counts[1]}
    assert msgspec.convert(old, Usage) == Usage(start, counts[0], counts[1])


# ---- in a home ----


@pytest.fixture
def held(world):
    """A grant with budgets of host time and fuel, its authority, and a use of it."""
    unit = world.unit()
    grant = world.grant(unit, "action:call", "acme/other:run", budget=Budget(60_000, calls=3, host_us=900, fuel=500))
    return grant, world.started(grant), lambda authority: authority.use(unit, "action:call", "acme/other:run")


def test_a_use_is_refused_once_host_time_has_run_out(held, world):
    grant, authority, use = held
    use(authority)
    authority.hold(grant, Amounts(host_us=1), Amounts(host_us=900))
    with pytest.raises(LeaseExhausted, match="0 ms of host time, 500 fuel left") as refused:
        use(authority)
    assert refused.value.details["host_us_left"] == 0
    assert authority.grants()[0].calls_left == 2
    world.clock.advance(60_000)
    assert use(authority) == grant


def test_what_is_held_survives_a_crash_and_what_is_settled_is_given_back(held, world):
    grant, authority, use = held
    use(authority)
    hold = authority.hold(grant, Amounts(fuel=400), Amounts(fuel=400))
    again = world.authority()
    again.activate([grant.unit], [grant])
    assert again.grants()[0].fuel_left <= 100
    hold.settle(Amounts(fuel=10))
    authority.settle()
    again = world.authority()
    again.activate([grant.unit], [grant])
    assert again.grants()[0].fuel_left == 490


def test_nothing_more_is_held_under_a_revoked_grant(held):
    grant, authority, use = held
    use(authority)
    authority.revoke(grant.id)
    with pytest.raises(LeaseDenied, match="does not stand any more"):
        authority.hold(grant, Amounts(host_us=1), Amounts(host_us=1))


def test_a_hold_beyond_what_is_left_names_it(held):
    grant, authority, _ = held
    with pytest.raises(LeaseExhausted, match="500 fuel left"):
        authority.hold(grant, Amounts(fuel=501), Amounts(fuel=501))


def test_a_delegated_part_needs_a_budget_of_whatever_the_grant_has_one_of(held, world):
    grant, authority, _ = held
    other = world.unit("acme/helper")
    authority.activate([grant.unit, other], [grant])
    part = Capability("action:call", "acme/other:run", budget=Budget(60_000, calls=1, host_us=100))
    with pytest.raises(DelegationTooWide, match="the budget is larger"):
        authority.delegate(grant.id, other.id, part, by="local")


def test_a_delegated_part_spends_from_the_grant_as_well(held, world):
    grant, authority, _ = held
    other = world.unit("acme/helper")
    authority.activate([grant.unit, other], [grant])
    budget = Budget(60_000, calls=1, host_us=100, fuel=400)
    child = authority.delegate(grant.id, other.id, Capability("action:call", "acme/other:run", budget=budget), by="x")
    authority.hold(child, Amounts(fuel=300), Amounts(fuel=300)).settle(Amounts(fuel=250))
    authority.hold(grant, Amounts(fuel=200), Amounts(fuel=200))
    assert [status.fuel_left for status in authority.statuses()] == [50, 150]
    with pytest.raises(LeaseExhausted):
        authority.hold(child, Amounts(fuel=150), Amounts(fuel=150))


def test_policies_can_read_the_budget_of_host_time_and_fuel(world):
    text = """
    @id("site.short") @why("a second a minute is enough")
    forbid (principal is Remit::Unit, action in Remit::Action::"use", resource)
    when { context.lease has host_time && context.lease.host_time > duration("1s") };
    @id("site.frugal") @why("little fuel")
    forbid (principal is Remit::Unit, action == Remit::Action::"action:call", resource)
    unless { context.lease has fuel && context.lease.fuel <= 1000 };
    """
    authority = world.authority(files={"policy/site.cedar": text})
    asked = {}
    for host_us, fuel in [(1_000_000, 1_000), (1_000_001, 1_000), (None, 1_001), (None, None)]:
        budget = Budget(60_000, calls=1, host_us=host_us, fuel=fuel)
        capability = Capability("action:call", "acme/other:run", budget=budget)
        asked[host_us, fuel] = authority.review(world.unit(), capability).policies
    assert asked == {
        (1_000_000, 1_000): ("allow.call",),
        (1_000_001, 1_000): ("site.short",),
        (None, 1_001): ("site.frugal",),
        (None, None): ("site.frugal",),
    }


@given(st.lists(st.sampled_from(["charge", "hold", "settle"]), max_size=30))
def test_what_is_spent_is_on_record_where_other_amounts_have_no_bound(steps):
    """A part with a budget of host time holds it under a grant that has one of calls alone."""
    written, holds = [Usage()], []
    account = Account(Budget(WINDOW, calls=16), Usage(), written.append)
    for step in steps:
        if step == "charge":
            account.charge(0, 1, 0)
        elif step == "hold":
            holds.append(account.hold(0, Amounts(), Amounts(host_us=10, fuel=5)))
        elif holds:
            holds.pop().settle(Amounts())
        assert written[-1].calls >= account.usage.calls
