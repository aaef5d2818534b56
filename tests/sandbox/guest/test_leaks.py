"""What is thrown away is gone: memory does not grow with the number of calls."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
from pathlib import Path

import pytest

from remit.errors import GuestTrapped, HostFault
from remit.kernel.answers import Ok
from remit.kernel.model import Limits, Program, UnitRef

SOAK = int(os.environ.get("REMIT_SOAK", "1"))
CYCLES = 2_000 * SOAK
ALLOWED = 1 << 20
UNIT = UnitRef("acme/guest", "1.0.0", "sha256:" + "0" * 64, "tool", "local")


def resident() -> int:
    """Bytes of this process in memory."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def growth(cycle) -> int:
    """Bytes that so many cycles add, after as many as warm every cache and pool."""
    for number in range(CYCLES // 4):
        cycle(number)
    before = resident()
    for number in range(CYCLES):
        cycle(number)
    return resident() - before


@pytest.fixture
def wanted(bench, echo):
    return Program(UNIT, bench.prepare(echo), "tool", Limits(), frozenset({"log"}))


@pytest.mark.parametrize("memory", [8 << 20, 32 << 20], ids=["freed at once", "freed beside others"])
def test_fresh_instances_leave_nothing(bench, echo, door, memory):
    wanted = Program(UNIT, bench.prepare(echo), "tool", Limits(memory=memory), frozenset({"log"}))

    def cycle(number):
        bench.runner.run(wanted, "provider.call", ("act", "x" * (number % 1000)), door, 5_000)

    assert growth(cycle) <= ALLOWED


def test_instances_that_trap_leave_nothing(bench, guest, door):
    trapping = Program(UNIT, bench.prepare(guest("(unreachable)")), "tool", Limits(), frozenset())

    def cycle(_number):
        with pytest.raises(GuestTrapped):
            bench.runner.run(trapping, "provider.call", ("act", "x"), door, 5_000)

    assert growth(cycle) <= ALLOWED


def test_instances_that_nobody_closes_leave_nothing(bench, wanted, door):
    def cycle(_number):
        bench.runner.instance(wanted).invoke("provider.call", ("act", "x"), door, 5_000)

    assert growth(cycle) <= ALLOWED


@pytest.mark.parametrize("thousands", [1, 40], ids=["freed by the next", "freed at once"])
def test_results_of_an_instance_that_is_called_again_leave_nothing(bench, guest, door, thousands):
    binary = guest("(call $ok (i32.const 64) (i32.mul (local.get $n) (i32.const 1000)))")
    instance = bench.runner.instance(Program(UNIT, bench.prepare(binary), "tool", Limits(), frozenset()))

    def cycle(number):
        count = thousands + number % 2
        answer = instance.invoke("provider.call", ("act", "x" * count), door, 5_000)
        assert answer == ("ok", "\0" * 1_000 * count)

    assert growth(cycle) <= ALLOWED
    instance.close()


def test_arguments_that_are_refused_leave_nothing(bench, wanted, door):
    instance = bench.runner.instance(wanted)

    def cycle(number):
        with pytest.raises(HostFault):
            instance.invoke("provider.call", ("act" * 100, number), door, 5_000)

    assert growth(cycle) <= ALLOWED
    instance.close()


def test_host_calls_leave_nothing(bench, guest, new_door):
    log = "remit:unit/log@0.1.0"
    kind = """(type $level0 (enum "trace" "debug" "info" "warn" "error")) (export "level" (type $level (eq $level0)))
      (export "write" (func (param "level" $level) (param "message" string) (param "fields" string)))"""
    body = f"(call $log {'(i32.const 0) ' * 5}) (call $ok (local.get $p) (local.get $n))"
    lowered = {"log": f"{log} write (param i32 i32 i32 i32 i32)"}
    logging = guest(body, imports={log: kind}, lowered=lowered)
    wanted = Program(UNIT, bench.prepare(logging), "tool", Limits(), frozenset({"log"}))
    door = new_door({("log", "write"): Ok()})

    def cycle(_number):
        bench.runner.run(wanted, "provider.call", ("act", "x"), door, 5_000)
        door.asked.clear()

    assert growth(cycle) <= ALLOWED


def test_guests_on_a_loop_leave_nothing(bench, wanted, door):
    async def cycles(count):
        for _ in range(count):
            await bench.runner.arun(wanted, "provider.call", ("act", "x"), door, 5_000)

    asyncio.run(cycles(CYCLES // 4))
    before = resident()
    asyncio.run(cycles(CYCLES))
    assert resident() - before <= ALLOWED
