from __future__ import annotations

import gc
import sys
import threading

import pytest

from remit.policy.postures import load
from remit.policy.sets.yielding import at_once, giving_way, rest, tidy


class Log(list):
    """What happened, rests of long work among it, by a clock that each look at it moves on."""

    now_ns, step_ns = 0, 1_000_000

    def look(self):
        self.now_ns += self.step_ns
        return self.now_ns

    def wait(self, seconds):
        assert 0 < seconds < 0.001
        self.append("rest")


@pytest.fixture
def log(monkeypatch):
    happened = Log()
    monkeypatch.setattr("remit.policy.sets.yielding._NEVER", happened)
    monkeypatch.setattr("remit.policy.sets.yielding._now", happened.look)
    monkeypatch.setattr("remit.policy.sets.yielding._OWN.rested_ns", 0)
    monkeypatch.setattr("remit.policy.sets.yielding._YOUNG", 1 << 30)
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


def test_no_rest_is_taken_before_the_work_was_long(log):
    log.step_ns = 40_000
    list(giving_way(range(42), 1))
    assert len(log) == 42 // 7  # every seventh look finds more than 250 us


def test_what_survived_its_first_collections_is_looked_at_in_a_rest():
    for _ in range(3):
        gc.collect(0)
    rest()
    assert gc.get_count()[1] < 3


def test_after_long_work_what_it_made_was_looked_at(log):
    gc.disable()
    try:
        made = [[] for _ in range(1_000)]
        gc.enable()
        tidy()
        assert gc.get_count()[0] < len(made)
    finally:
        gc.enable()
    assert log == ["rest", "rest"]


def test_a_host_that_switched_the_collector_off_keeps_it_off():
    gc.disable()
    try:
        for _ in range(3):
            gc.collect(0)
        rest()
        assert gc.get_count()[1] >= 3
    finally:
        gc.enable()


def test_loading_rests_after_each_policy_that_is_new(log):
    rules = [f'@id("site.r{number}") forbid (principal, action, resource) when {{ false }};' for number in range(20)]
    before = load("standard", {"policy/site.cedar": "\n".join(rules[:10])})
    whole = log.count("rest")
    log.clear()
    load("standard", {"policy/site.cedar": "\n".join(rules)}, like=before)
    assert 10 <= log.count("rest") < whole


def test_a_home_that_starts_loads_in_one_go_and_rests_again_after(log):
    rules = "\n".join(f'@id("site.r{n}") forbid (principal, action, resource) when {{ false }};' for n in range(20))
    with at_once():
        load("standard", {"policy/site.cedar": rules})
    during = len(log)
    load("standard", {"policy/site.cedar": rules})
    assert (during, len(log) > 0) == (0, True)


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
