"""The circuit breaker: opens after faults in a row, lets one probe through, and waits longer each time it fails."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from remit.host.delivery.breaker import Breaker


def test_it_opens_at_the_fifth_fault_in_a_row():
    breaker = Breaker()
    assert [breaker.failed(0) for _ in range(5)] == [False] * 4 + [True]
    assert not breaker.allows(999)
    assert breaker.allows(1_000)


def test_a_success_in_between_begins_the_count_anew():
    breaker = Breaker()
    for _ in range(4):
        breaker.failed(0)
    assert not breaker.succeeded()
    assert [breaker.failed(0) for _ in range(4)] == [False] * 4
    assert breaker.closed


def test_a_probe_that_fails_opens_it_for_twice_as_long_up_to_five_minutes():
    breaker = Breaker()
    for _ in range(5):
        breaker.failed(0)
    pauses = []
    for _ in range(12):
        now = breaker.until_ms
        assert breaker.failed(now)
        pauses.append(breaker.until_ms - now)
    assert pauses[:3] == [2_000, 4_000, 8_000]
    assert pauses[-1] == 300_000
    assert breaker.succeeded()
    assert breaker.closed
    assert breaker.allows(0)


@given(st.lists(st.booleans(), max_size=40))
def test_it_is_open_only_after_five_faults_without_a_success(outcomes):
    breaker, now, row = Breaker(), 0, 0
    for good in outcomes:
        now = max(now, breaker.until_ms)
        row = 0 if good else row + 1
        if good:
            breaker.succeeded()
        else:
            breaker.failed(now)
        assert breaker.closed == (row < 5)
