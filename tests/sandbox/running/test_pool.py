"""Instances that wait: kept ones remember, spares do not, and nobody gets what belongs to another."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from remit.errors import DeadlineExceeded, GuestTrapped, HostFault
from remit.kernel.answers import Ok
from remit.kernel.model import Limits, Program, UnitRef
from remit.kernel.ports import SystemClock, SystemIds
from remit.sandbox.guest.instance import Instance
from remit.sandbox.running import brief
from remit.sandbox.running import runner as runner_module

UNIT = UnitRef("acme/guest", "1.0.0", "sha256:" + "0" * 64, "tool", "local")
# Answers how often it was called: the digit is its memory.
COUNTING = """(i32.store8 (i32.const 64) (i32.add (i32.load8_u (i32.const 64)) (i32.const 1)))
  (i32.store8 (i32.const 65) (i32.add (i32.load8_u (i32.const 64)) (i32.const 48)))
  (if (i32.eqz (local.get $n)) (then (unreachable)))
  (call $ok (i32.const 65) (i32.const 1))"""


@pytest.fixture(scope="module")
def counting(guest):
    return guest(COUNTING)


def refuse(*_arguments, **_options):
    raise HostFault("this is not to be asked for now")


def counted(bench, binary, door=None, text="x", **options):
    return bench.run(binary, text, door=door, **options).text


def test_a_fresh_instance_never_remembers(bench, counting):
    assert [counted(bench, counting) for _ in range(20)] == ["1"] * 20


def test_a_kept_instance_remembers_its_calls(fresh, counting):
    assert [counted(fresh, counting, reuse="kept") for _ in range(5)] == ["1", "2", "3", "4", "5"]


def test_partitions_and_programs_never_share_a_kept_instance(fresh, counting, new_door):
    one, two = (lambda: new_door(partition="one")), (lambda: new_door(partition="two"))
    assert counted(fresh, counting, one(), reuse="kept") == "1"
    assert counted(fresh, counting, two(), reuse="kept") == "1"
    assert counted(fresh, counting, one(), reuse="kept", memory=16 << 20) == "1"
    assert counted(fresh, counting, one(), reuse="kept") == "2"
    assert counted(fresh, counting, one(), reuse="fresh") == "1"


def test_a_kept_instance_that_trapped_is_not_used_again(fresh, counting):
    assert counted(fresh, counting, reuse="kept") == "1"
    with pytest.raises(GuestTrapped):
        counted(fresh, counting, text="", reuse="kept")
    assert counted(fresh, counting, reuse="kept") == "1"


def test_a_kept_instance_that_was_stopped_is_not_used_again(fresh, guest):
    binary = guest(f"(if (i32.gt_u (local.get $n) (i32.const 1)) (then (loop $l (br $l)))) {COUNTING}")
    assert counted(fresh, binary, reuse="kept") == "1"
    with pytest.raises(DeadlineExceeded):
        counted(fresh, binary, text="long", reuse="kept", deadline_ms=20)
    assert counted(fresh, binary, reuse="kept") == "1"


def test_calls_at_once_each_have_a_kept_instance_of_their_own(fresh, counting):
    seen = threading.local()

    def calls(_thread):
        seen.last = 0
        return [counted(fresh, counting, reuse="kept") for _ in range(12)]

    fresh.prepare(counting)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(calls, range(4)))
    # Each of the 48 calls was counted by exactly one instance: as many "1" as instances, and no number is missing.
    counts = sorted(ord(answer) - 48 for thread in answers for answer in thread)
    instances = counts.count(1)
    assert 1 <= instances <= 48
    assert len(counts) == 48
    assert all(counts.count(n) >= counts.count(n + 1) for n in range(1, 48))


def test_waiting_instances_are_bounded(fresh, counting, new_door):
    for number in range(100):
        counted(fresh, counting, new_door(partition=str(number)), reuse="kept")
    assert counted(fresh, counting, new_door(partition="99"), reuse="kept") == "2"
    assert counted(fresh, counting, new_door(partition="0"), reuse="kept") == "1"


def test_a_closed_runner_has_no_waiting_instances(fresh, counting):
    counted(fresh, counting, reuse="kept")
    fresh.runner.close()
    with pytest.raises(HostFault, match="closed"):
        counted(fresh, counting, reuse="kept")


# ---- the same on an event loop, where an instance that waits is tried for a moment ----


def program_of(bench, binary):
    return Program(UNIT, bench.prepare(binary), "tool", Limits(), frozenset({"secrets"}), "kept")


def on_loop(bench, program, door, text="x", deadline_ms=5_000):
    return asyncio.run(bench.runner.arun(program, "provider.call", ("act", text), door, deadline_ms)).text


@pytest.fixture
def patient(monkeypatch):
    """A moment is a second: longer than a busy machine keeps a brief guest waiting."""
    monkeypatch.setattr(brief, "_MOMENT_MS", 1_000)
    return monkeypatch


@pytest.fixture
def kept(fresh, counting, patient):
    """The program of a guest that counts; a call that needed a thread beside the loop would fail."""
    program = program_of(fresh, counting)
    fresh.runner.instance(program).close()  # its code is loaded: that is done on a thread
    patient.setattr(runner_module, "aside", refuse)
    return program


def test_a_kept_instance_remembers_on_a_loop_as_off_it(fresh, kept, door):
    answers = []
    for _ in range(3):
        answers.append(on_loop(fresh, kept, door))
        answers.append(fresh.runner.run(kept, "provider.call", ("act", "x"), door, 5_000).text)
    assert answers == ["1", "2", "3", "4", "5", "6"]


def test_calls_of_a_kept_guest_on_one_loop_do_not_meet(fresh, kept, new_door):
    async def main():
        calls = (fresh.runner.arun(kept, "provider.call", ("act", "x"), new_door(), 5_000) for _ in range(8))
        return [outcome.text for outcome in await asyncio.gather(*calls)]

    assert asyncio.run(main()) == [str(number) for number in range(1, 9)]


def test_a_kept_guest_that_asks_is_asked_for_once_on_a_loop(fresh, asking, new_door):
    program = program_of(fresh, asking)
    for _ in range(3):
        door = new_door({("secrets", "read"): Ok("the secret")})
        assert on_loop(fresh, program, door, "name") == "the secret"
        assert door.asked == [("secrets", "read", ("name",))]


@pytest.mark.usefixtures("patient")
def test_a_kept_guest_that_takes_long_on_a_loop_ends_at_its_deadline_and_is_not_used_again(fresh, guest, door):
    program = program_of(
        fresh, guest(f"(if (i32.gt_u (local.get $n) (i32.const 1)) (then (loop $l (br $l)))) {COUNTING}")
    )
    assert [on_loop(fresh, program, door), on_loop(fresh, program, door)] == ["1", "2"]
    with pytest.raises(DeadlineExceeded):
        on_loop(fresh, program, door, "long", deadline_ms=50)
    assert on_loop(fresh, program, door) == "1"


def test_a_kept_instance_that_was_tried_in_vain_is_not_closed_on_the_loop(fresh, asking, new_door, monkeypatch):
    program, closers = program_of(fresh, asking), []
    close = Instance.close
    monkeypatch.setattr(Instance, "close", lambda one: [closers.append(threading.current_thread().name), close(one)][1])
    on_loop(fresh, program, new_door({("secrets", "read"): Ok("the secret")}), "name")
    fresh.runner.settle()
    assert closers == ["remit-spares"]


# ---- spares: here every guest counts as one that is dear to make ----


@pytest.fixture
def dear(fresh, monkeypatch):
    monkeypatch.setattr(runner_module, "SMALL", 0)
    yield fresh
    fresh.runner.close()


def test_a_spare_was_never_called(dear, counting):
    for _ in range(10):
        assert counted(dear, counting) == "1"
        dear.runner.settle()


def test_a_spare_is_there_when_the_next_call_comes(dear, counting, monkeypatch):
    counted(dear, counting)
    dear.runner.settle()
    monkeypatch.setattr(dear.runner, "_make", refuse)
    assert counted(dear, counting) == "1"


def test_two_calls_in_a_row_find_a_spare_each(dear, counting, monkeypatch):
    counted(dear, counting)
    dear.runner.settle()
    monkeypatch.setattr(dear.runner, "_make", refuse)
    assert [counted(dear, counting), counted(dear, counting)] == ["1", "1"]


def test_used_spares_are_replaced_though_nobody_wakes_the_pool(dear, counting, monkeypatch):
    counted(dear, counting)
    dear.runner.settle()
    made, make = threading.Event(), dear.runner._make
    monkeypatch.setattr(dear.runner, "_make", lambda *arguments: [made.set(), make(*arguments)][1])
    counted(dear, counting)
    assert made.wait(10)


def test_a_fault_in_the_pools_thread_does_not_end_the_pool(dear, counting, monkeypatch):
    counted(dear, counting)
    dear.runner.settle()

    def fail(*_arguments):
        raise RuntimeError("the pool's thread meets what it does not expect")

    died = threading.Event()
    with monkeypatch.context() as patched:
        patched.setattr(threading, "excepthook", lambda _fault: died.set())
        patched.setattr(dear.runner, "_make", fail)
        counted(dear, counting)
        assert died.wait(10)
    for _ in range(3):
        assert counted(dear, counting) == "1"
        dear.runner.settle()


def test_a_guest_that_calls_the_host_at_its_start_has_no_spares_and_runs_all_the_same(dear, guest, door):
    log = "remit:unit/log@0.1.0"
    kind = """(type $level0 (enum "trace" "debug" "info" "warn" "error")) (export "level" (type $level (eq $level0)))
      (export "write" (func (param "level" $level) (param "message" string) (param "fields" string)))"""
    starting = guest(
        "(call $ok (local.get $p) (local.get $n))",
        imports={log: kind},
        lowered={"log": f"{log} write (param i32 i32 i32 i32 i32)"},
        items=f"(func $begin (call $log {'(i32.const 0) ' * 5})) (start $begin)",
    )
    for turn in range(3):
        assert counted(dear, starting, door) == "x"
        dear.runner.settle()
        assert [call[0] for call in door.asked] == ["log"] * (turn + 1)


def test_a_start_that_never_ends_ends(dear, guest):
    endless = guest("(unreachable)", items="(func $begin (loop $l (br $l))) (start $begin)")
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        counted(dear, endless, deadline_ms=50)
    dear.runner.settle()
    assert time.monotonic() - began < 60  # a bound, not a figure: a thread that hangs fails


@pytest.fixture
def rehearsed(tmp_path, monkeypatch, bench):
    monkeypatch.setattr(runner_module, "SMALL", 0)
    (tmp_path / "rehearsed").mkdir(mode=0o700)
    made = runner_module.ComponentRunner(
        tmp_path / "rehearsed", bytes(32), SystemClock(), rehearse=SystemIds(SystemClock())
    )
    yield type(bench)(made, tmp_path / "rehearsed")
    made.close()


def test_a_rehearsed_spare_was_called_once(rehearsed, guest):
    counting = guest(COUNTING.replace("(if (i32.eqz (local.get $n)) (then (unreachable)))", ""))
    first = counted(rehearsed, counting)
    rehearsed.runner.settle()
    assert [first, counted(rehearsed, counting)] == ["1", "2"]


def test_a_rehearsal_that_fails_leaves_a_spare_that_was_never_called(rehearsed, guest):
    counting = guest(COUNTING.replace("(i32.eqz (local.get $n))", "(i32.ne (local.get $n) (i32.const 1))"))
    for _ in range(3):
        assert counted(rehearsed, counting) == "1"
        rehearsed.runner.settle()


# ---- an instance of one's own ----


@pytest.fixture
def program(bench, counting):
    return Program(UNIT, bench.prepare(counting), "tool", Limits(), frozenset())


def test_an_instance_goes_from_new_to_ready_to_poisoned_to_closed(bench, program, door):
    instance = bench.runner.instance(program)
    states = [instance.state]
    assert instance.invoke("provider.call", ("act", "x"), door, 1_000) == ("ok", "1")
    states.append(instance.state)
    with pytest.raises(GuestTrapped):
        instance.invoke("provider.call", ("act", ""), door, 1_000)
    states.append(instance.state)
    with pytest.raises(HostFault, match="poisoned"):
        instance.invoke("provider.call", ("act", "x"), door, 1_000)
    instance.close()
    instance.close()
    with pytest.raises(HostFault, match="closed"):
        instance.invoke("provider.call", ("act", "x"), door, 1_000)
    assert [*states, instance.state] == ["new", "ready", "poisoned", "closed"]


@pytest.mark.parametrize(
    "arguments", [(), ("act",), ("act", 1), ("act", "\ud800"), ("act", None), (1, 2, 3), ("a", b"")]
)
def test_an_argument_of_another_type_never_poisons(bench, program, door, arguments):
    instance = bench.runner.instance(program)
    instance.invoke("provider.call", ("act", "x"), door, 1_000)
    with pytest.raises(HostFault):
        instance.invoke("provider.call", arguments, door, 1_000)
    assert instance.invoke("provider.call", ("act", "x"), door, 1_000) == ("ok", "2")
    instance.close()


def test_more_instances_at_once_than_there_are_slots(bench, program, door):
    instances = [bench.runner.instance(program) for _ in range(150)]
    try:
        assert [one.invoke("provider.call", ("act", "x"), door, 5_000) for one in instances] == [("ok", "1")] * 150
    finally:
        for one in instances:
            one.close()
