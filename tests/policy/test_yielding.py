from __future__ import annotations

import sys
import threading

import pytest

from remit.policy.postures import load
from remit.policy.yielding import giving_way


@pytest.fixture
def log(monkeypatch):
    """What happened, rests of long work among it."""
    happened = []

    class Rest:
        def wait(self, seconds):
            assert 0 < seconds < 0.001
            happened.append("rest")

    monkeypatch.setattr("remit.policy.yielding._NEVER", Rest())
    return happened


LONG = {
    0: [],
    1: [0],
    3: [0, 1, "rest", 2, "rest"],
    4: [0, 1, "rest", 2, 3, "rest"],
    5: [0, 1, "rest", 2, 3, "rest", 4, "rest"],
}


@pytest.mark.parametrize("count", LONG)
def test_all_items_come_in_order_with_a_rest_after_each_piece(log, count):
    for item in giving_way(iter(range(count)), 2):
        log.append(item)
    assert log == LONG[count]


def test_loading_rests_after_each_policy_that_is_new(log):
    rules = [f'@id("site.r{number}") forbid (principal, action, resource) when {{ false }};' for number in range(20)]
    before = load("standard", {"policy/site.cedar": "\n".join(rules[:10])})
    whole = log.count("rest")
    log.clear()
    load("standard", {"policy/site.cedar": "\n".join(rules)}, like=before)
    assert 10 <= log.count("rest") < whole


def test_another_thread_gets_in_though_the_interpreter_would_not_ask():
    before, turns, done = sys.getswitchinterval(), [], threading.Event()
    sys.setswitchinterval(3_600)

    def other():
        while not done.wait(0.00001):
            turns.append(at)

    at, thread = -1, threading.Thread(target=other)
    try:
        thread.start()
        for at in giving_way(range(1_000_000), 1_000):  # noqa: B007 - the other thread reads it
            if len(set(turns)) > 3:
                break
    finally:
        sys.setswitchinterval(before)
        done.set()
        thread.join()
    assert len(set(turns)) > 3


def test_the_hosts_switch_interval_is_left_alone():
    before = sys.getswitchinterval()
    assert {sys.getswitchinterval() for _ in giving_way(range(3), 1)} == {before}
