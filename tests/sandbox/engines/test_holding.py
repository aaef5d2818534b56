"""Brief guests keep Python's lock: what they were before binds nothing, and who overdoes it is stopped all the same."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from wasmtime import Instance, Module, Store, Trap

from remit.errors import CallCancelled, DeadlineExceeded
from remit.kernel.ports import SystemClock, SystemIds
from remit.sandbox.engines import capi
from remit.sandbox.engines.engine import make_engine
from remit.sandbox.engines.holding import Pace, alarm_for
from remit.sandbox.running import library, runner

# Brief where the text has one character, endless where it has more.
TWO_FACED = """(if (i32.gt_u (local.get $n) (i32.const 1)) (then (loop $l (br $l))))
  (call $ok (local.get $p) (local.get $n))"""
ROOT = Path(__file__).parents[3]
BRIEF_NS, LONG_NS = 10_000, 10_000_000
PROOF = 8
"""Brief calls in a row after which a guest may keep the lock."""
SPIN = """(module (func (export "spin") (param i64)
  (loop $l (br_if $l (i64.ne (local.tee 0 (i64.sub (local.get 0) (i64.const 1))) (i64.const 0))))))"""


@pytest.fixture(scope="module")
def two_faced(guest):
    return guest(TWO_FACED)


@pytest.fixture
def held(monkeypatch):
    """One item for each guest that was called with the lock kept."""
    calls, real = [], capi.func_call_held
    monkeypatch.setattr(capi, "func_call_held", lambda *parameters: [calls.append(1), real(*parameters)][1])
    return calls


def earn_trust(bench, binary, held, **options):
    """Call until the lock is kept; gives the number of calls before that one."""
    calls = 0
    while not held:
        assert bench.run(binary, "x", **options).text == "x"
        calls += 1
    held.clear()
    return calls - 1


@pytest.mark.parametrize("reuse", ["fresh", "kept"])
def test_a_guest_that_was_brief_is_stopped_at_its_deadline(fresh, two_faced, held, reuse):
    earn_trust(fresh, two_faced, held, reuse=reuse)
    with pytest.raises(DeadlineExceeded):
        fresh.run(two_faced, "long", reuse=reuse, deadline_ms=50)
    assert held == [1]


def test_a_guest_that_was_brief_and_is_endless_can_be_cancelled(fresh, two_faced, held, new_door):
    earn_trust(fresh, two_faced, held)
    door = new_door()
    with ThreadPoolExecutor(1) as pool:
        endless = pool.submit(fresh.run, two_faced, "long", door=door, deadline_ms=60_000)
        while not held:
            time.sleep(0.001)
        fresh.runner.cancel(door)
        assert isinstance(endless.exception(), CallCancelled)


def test_the_other_threads_get_turns_while_a_guest_keeps_the_lock_for_long(fresh, two_faced, held):
    earn_trust(fresh, two_faced, held)
    turns, over = [], threading.Event()

    def take_turns():
        while not over.wait(0.001):
            turns.append(len(held))

    with ThreadPoolExecutor(1) as pool:
        pool.submit(take_turns)
        with pytest.raises(DeadlineExceeded):
            fresh.run(two_faced, "long", deadline_ms=500)
        during = turns.count(1)
        over.set()
    assert during >= 5


def test_who_kept_the_lock_for_long_lets_go_of_it_next_time(fresh, two_faced, held):
    earn_trust(fresh, two_faced, held)
    with pytest.raises(DeadlineExceeded):
        fresh.run(two_faced, "long", deadline_ms=50)
    held.clear()
    assert fresh.run(two_faced, "x").text == "x"
    assert held == []


def test_a_guest_keeps_the_lock_once_all_its_calls_have_been_brief_for_a_while():
    pace = Pace(alarm_for(make_engine(metered=False, stack=1 << 20)))
    told = [
        [pace.took(ns), pace.alarm is not None][1] for ns in [BRIEF_NS] * 4 + [LONG_NS] + [BRIEF_NS] * 8 + [LONG_NS]
    ]
    assert told == [False] * 12 + [True, False]


def test_an_alarm_ends_what_runs_on_its_engine_and_none_that_is_turned_off():
    engine = make_engine(metered=False, stack=1 << 20)
    alarm = alarm_for(engine)
    store = Store(engine)
    spin = Instance(store, Module(engine, SPIN), []).exports(store)["spin"]
    store.set_epoch_deadline(1)
    alarm.put_off(1)
    alarm.rest([])
    assert spin(store, 20_000_000) is None
    alarm.put_off(1)
    alarm.rest(["a guest"])
    with pytest.raises(Trap, match="interrupt"):
        spin(store, 1 << 60)
    alarm.rest([])


def test_an_alarm_that_is_on_outlives_its_engine():
    # What is freed is overwritten, so that whoever still reads it is caught; an interpreter frees engines as it ends.
    program = """if True:
        import gc, time
        from remit.sandbox.engines.engine import make_engine
        from remit.sandbox.engines.holding import alarm_for
        engine = make_engine(metered=False, stack=1 << 20)
        alarm = alarm_for(engine)
        alarm.put_off(1)
        del engine, alarm
        gc.collect()
        time.sleep(0.05)
    """
    overwritten = dict(os.environ, MALLOC_PERTURB_="165")
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=overwritten, check=False)
    assert done.returncode == 0


@pytest.fixture
def large(tmp_path, monkeypatch, bench):
    """A bench where every guest counts as one that is dear to make: its fresh instances are rehearsed spares."""
    monkeypatch.setattr(library, "SMALL", 0)
    monkeypatch.setattr(runner, "SMALL", 0)
    (tmp_path / "large").mkdir(mode=0o700)
    made = runner.ComponentRunner(tmp_path / "large", bytes(32), SystemClock(), rehearse=SystemIds(SystemClock()))
    yield type(bench)(made, tmp_path / "large")
    made.close()


def test_a_large_guest_that_is_kept_may_keep_the_lock_and_its_first_call_is_no_proof(large, echo, held):
    assert earn_trust(large, echo, held, reuse="kept") >= 1 + PROOF


def test_a_large_guest_that_is_made_for_each_call_lets_go_of_the_lock_however_brief_it_is(large, echo, held):
    for _ in range(4 * PROOF):
        assert large.run(echo, "x").text == "x"
        large.runner.settle()
    assert held == []


def test_without_such_timers_no_guest_keeps_the_lock(monkeypatch):
    monkeypatch.setattr("sys.platform", "darwin")
    assert alarm_for(make_engine(metered=False, stack=1 << 20)) is None
