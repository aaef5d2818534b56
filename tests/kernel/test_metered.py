"""Host time and fuel: held before a host call, settled after it, and never more than the grant has left."""

from __future__ import annotations

import pytest

from remit.errors import HostFault, UnitFailed
from remit.kernel.hostcall import Ok, Refused
from remit.kernel.model import Amounts, Budget, GuestOutcome, Limits
from tests.kernel.simulators import INTERFACES, Interface

URL = "https://a.example"
GRANT = f"grant:net:http:{URL}"
METERED = Limits(fuel=1_000)


@pytest.fixture
def timed(world, monkeypatch):
    """A world whose ``http`` takes three milliseconds and whose grants have a budget of host time."""
    world.authority.granted |= {("acme/try", "net:http", URL), ("acme/try", "net:http", f"{URL}/other")}
    world.authority.budget = Budget(60_000, host_us=10_000)
    seen = []

    def fetch(scope, *urls):
        for url in urls:
            grant = scope.require("net:http", url)
            if isinstance(grant, Refused):
                return grant
            seen.append(scope.remaining_ms)
            world.clock.advance(3)
        return Ok("fetched")

    monkeypatch.setitem(INTERFACES, "http", Interface(fetch=fetch))
    world.seen = seen
    return world


def charges(world):
    """By grant: calls, bytes, host time in whole milliseconds (the clock moves when it is read), fuel."""
    charged = world.events("action.")[-1].data["charges"]
    return {grant: [calls, size, us // 1_000, fuel] for grant, (calls, size, us, fuel) in charged.items()}


def test_a_host_call_is_charged_the_time_it_took(timed):
    timed.offer("acme/try:try", lambda guest: [guest.ask("http", "fetch", URL) for _ in range(2)])
    timed.call("acme/try:try")
    assert [hold.used.host_us // 1_000 for hold in timed.authority.holds] == [3, 3]
    assert charges(timed) == {GRANT: [2, 0, 6, 0]}


def test_what_is_held_is_what_is_left_of_the_call(timed):
    timed.offer("acme/try:try", lambda guest: guest.ask("http", "fetch", URL), limits=Limits(deadline_ms=40))
    timed.call("acme/try:try")
    (hold,) = timed.authority.holds
    assert 39_000 < hold.amounts.host_us <= 40_000


def test_a_host_call_lasts_no_longer_than_the_host_time_that_is_left(timed):
    timed.authority.left = Amounts(host_us=5_000)
    timed.offer("acme/try:try", lambda guest: guest.ask("http", "fetch", URL), limits=Limits(deadline_ms=40))
    timed.call("acme/try:try")
    assert timed.seen == [4]  # and a little, in whole milliseconds


def test_the_deadline_of_the_call_holds_again_after_it(timed):
    timed.authority.left = Amounts(host_us=5_000)
    deadlines = []

    def body(guest):
        guest.ask("http", "fetch", URL)
        timed.authority.left = Amounts(host_us=1 << 40)
        guest.ask("http", "fetch", URL)
        deadlines.extend(timed.seen)

    timed.offer("acme/try:try", body, limits=Limits(deadline_ms=40))
    timed.call("acme/try:try")
    assert deadlines == [4, 36]


def test_without_host_time_the_host_call_is_refused_and_noted(timed):
    timed.authority.left = Amounts()
    timed.offer("acme/try:try", lambda guest: guest.host("http", "fetch", URL).code)
    assert timed.call("acme/try:try").output == "exhausted"
    assert timed.events("lease.exhausted")[0].data["action"] == "net:http"
    assert timed.seen == []


def test_time_counts_for_the_grant_that_was_needed_last(timed):
    other = f"{URL}/other"
    timed.offer("acme/try:try", lambda guest: guest.ask("http", "fetch", URL, URL, other))
    timed.call("acme/try:try")
    assert charges(timed) == {GRANT: [2, 0, 6, 0], f"grant:net:http:{other}": [1, 0, 3, 0]}


def test_no_clock_is_read_for_a_grant_without_a_budget_of_host_time(timed):
    timed.authority.budget = Budget(60_000, calls=5)
    timed.offer("acme/try:try", lambda guest: guest.ask("http", "fetch", URL))
    timed.call("acme/try:try")
    assert timed.authority.holds == []
    assert charges(timed) == {GRANT: [1, 0, 0, 0]}


def test_a_hold_that_cannot_be_settled_stops_the_call(timed, monkeypatch):
    def broken(_self, _used):
        raise ZeroDivisionError

    monkeypatch.setattr("tests.kernel.simulators.SimHold.settle", broken)
    timed.offer("acme/try:try", lambda guest: guest.host("http", "fetch", URL))
    with pytest.raises(HostFault):
        timed.call("acme/try:try")


# ---- fuel of called actions ----


@pytest.fixture
def fuelled(world):
    """A world in which calls have a budget of fuel, and ``acme/callee:run`` may use 1,000."""
    world.authority.budget = Budget(60_000, fuel=5_000)
    world.offer("acme/caller:go", lambda guest: getattr(guest.call("acme/callee:run"), "code", "ok"))
    return world


def callee(world, answer, limits=METERED):
    world.offer("acme/callee:run", lambda _guest: answer, limits=limits)


def paid(world):
    world.call("acme/caller:go")
    (hold,) = world.authority.holds
    assert hold.amounts.fuel == 1_000
    return hold.used.fuel


def test_a_caller_pays_the_fuel_that_its_callee_used(fuelled):
    callee(fuelled, GuestOutcome("ok", "1", fuel=321))
    assert paid(fuelled) == 321
    assert charges(fuelled) == {"grant:call": [0, 0, 0, 321]}


@pytest.mark.parametrize("tag", ["rejected", "failed", "retry"])
def test_a_callee_that_answers_no_is_paid_for_as_well(fuelled, tag):
    callee(fuelled, GuestOutcome(tag, "no", fuel=99))
    assert paid(fuelled) == 99


def test_a_callee_that_was_stopped_is_paid_for_in_full(fuelled):
    def trap(_guest):
        raise UnitFailed("it did not come back")

    fuelled.offer("acme/callee:run", trap, limits=METERED)
    assert paid(fuelled) == 1_000


def test_a_callee_that_did_not_run_costs_nothing(fuelled):
    fuelled.offer("acme/caller:run", lambda _guest: 1, limits=METERED)
    fuelled.offer("acme/caller:go", lambda guest: guest.call("acme/caller:run").code)
    assert paid(fuelled) == 0  # a unit that is in the chain already is refused


def test_a_callee_whose_bound_is_more_than_what_is_left_does_not_run(fuelled):
    fuelled.authority.left = Amounts(fuel=999)
    callee(fuelled, GuestOutcome("ok", "1", fuel=1))
    assert fuelled.call("acme/caller:go").output == "exhausted"
    assert fuelled.ran("acme/callee:run") == 0


def test_a_budget_of_fuel_allows_no_callee_that_is_not_metered(fuelled):
    callee(fuelled, 1, limits=Limits())
    assert fuelled.call("acme/caller:go").output == "denied"
    assert fuelled.ran("acme/callee:run") == 0


def test_without_a_budget_of_fuel_nothing_is_held(fuelled):
    fuelled.authority.budget = Budget(60_000, calls=5)
    callee(fuelled, GuestOutcome("ok", "1", fuel=321))
    fuelled.call("acme/caller:go")
    assert fuelled.authority.holds == []
