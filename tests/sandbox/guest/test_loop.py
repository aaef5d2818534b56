"""Guests as futures on an asyncio loop: fair, awaiting, cancelled, and bounded as anywhere."""

from __future__ import annotations

import asyncio
import threading

import pytest

from remit.errors import CallCancelled, DeadlineExceeded, GuestTrapped, HostFault
from remit.kernel.answers import Ok, Refused
from remit.kernel.model import Limits, Program, UnitRef

UNIT = UnitRef("acme/guest", "1.0.0", "sha256:" + "0" * 64, "tool", "local")
LOG = "remit:unit/log@0.1.0"
LOG_TYPE = """
  (type $level0 (enum "trace" "debug" "info" "warn" "error"))
  (export "level" (type $level (eq $level0)))
  (export "write" (func (param "level" $level) (param "message" string) (param "fields" string)))
"""
LOGGING = {"imports": {LOG: LOG_TYPE}, "lowered": {"log": f"{LOG} write (param i32 i32 i32 i32 i32)"}}
SPIN = """(local $i i64)
  (loop $l (br_if $l (i64.lt_u (local.tee $i (i64.add (local.get $i) (i64.const 1))) (i64.const {count}))))
  (call $ok (local.get $p) (local.get $n))"""


def program(bench, binary, **limits):
    return Program(UNIT, bench.prepare(binary), "tool", Limits(**limits), frozenset({"log", "secrets", "clock"}))


def start(bench, wanted, door, text="x", deadline_ms=10_000, *, threaded=False):
    return bench.runner.arun(wanted, "provider.call", ("act", text), door, deadline_ms, threaded=threaded)


def test_a_guest_answers_on_the_loop_as_off_it(bench, echo, door):
    wanted = program(bench, echo)
    assert asyncio.run(start(bench, wanted, door, "héllo")) == bench.run(echo, "héllo")


@pytest.mark.parametrize("threaded", [False, True])
def test_a_guest_waits_for_a_coroutine_of_the_host(bench, asking, new_door, threaded):
    async def answer(name):
        await asyncio.sleep(0.01)
        return Ok(f"secret of {name}")

    def door():
        return new_door({("secrets", "read"): lambda _door, name: answer(name)})

    async def main():
        wanted = program(bench, asking)
        calls = [start(bench, wanted, door(), str(i), threaded=threaded) for i in range(20)]
        return [outcome.text for outcome in await asyncio.gather(*calls)]

    assert asyncio.run(main()) == [f"secret of {i}" for i in range(20)]


def test_a_blocking_door_does_not_block_the_loop(bench, asking, new_door):
    gate = threading.Event()

    def answer(_door, _name):
        gate.wait(30)
        return Ok("late")

    async def main():
        wanted = program(bench, asking)
        waiting = asyncio.create_task(
            start(bench, wanted, new_door({("secrets", "read"): answer}), deadline_ms=60_000, threaded=True)
        )
        await asyncio.sleep(0.05)
        gate.set()  # reached only if the loop goes on while the guest waits
        return (await waiting).text

    assert asyncio.run(main()) == "late"


def test_a_refusal_is_an_answer(bench, asking, new_door):
    door = new_door({("secrets", "read"): Refused("denied", "no")})
    assert asyncio.run(start(bench, program(bench, asking), door, "name")).text == "name"


def test_a_long_guest_lets_short_ones_and_the_loop_go_first(bench, guest, echo, door, new_door):
    slow, quick = program(bench, guest(SPIN.format(count=200_000_000))), program(bench, echo)
    order = []

    async def run(name, wanted, own):
        await start(bench, wanted, own)
        order.append(name)

    async def beat():
        for _ in range(3):
            await asyncio.sleep(0)
        order.append("beat")

    async def main():
        await asyncio.gather(run("slow", slow, door), run("quick", quick, new_door()), beat())

    asyncio.run(main())
    assert order[-1] == "slow"


# ---- a brief try first, where the door may block ----


def test_a_guest_that_needs_nothing_is_not_seen_at_the_door(bench, echo, door):
    assert asyncio.run(start(bench, program(bench, echo), door, "héllo", threaded=True)) == bench.run(echo, "héllo")
    assert door.asked == []


def test_a_guest_that_asks_is_asked_for_once(bench, asking, new_door):
    for _ in range(3):
        door = new_door({("secrets", "read"): Ok("the secret")})
        assert asyncio.run(start(bench, program(bench, asking), door, "name", threaded=True)).text == "the secret"
        assert door.asked == [("secrets", "read", ("name",))]


def test_a_guest_that_takes_longer_than_a_moment_is_run_anew_and_holds_nobody_up(bench, guest, echo, door, new_door):
    slow, quick = program(bench, guest(SPIN.format(count=200_000_000))), program(bench, echo)
    order = []

    async def run(name, wanted, own):
        order.append((name, (await start(bench, wanted, own, threaded=True)).text))

    async def main():
        await asyncio.gather(run("slow", slow, door), *(run("quick", quick, new_door()) for _ in range(3)))

    asyncio.run(main())
    assert order == [("quick", "x")] * 3 + [("slow", "x")]


def test_a_trap_is_told_as_ever(bench, guest, door):
    with pytest.raises(GuestTrapped):
        asyncio.run(start(bench, program(bench, guest("unreachable")), door, threaded=True))


def test_what_a_brief_guest_used_is_counted(bench, guest, door):
    wanted = program(bench, guest(SPIN.format(count=1_000)), fuel=1_000_000)
    tried = asyncio.run(start(bench, wanted, door, threaded=True)).fuel
    assert tried == asyncio.run(start(bench, wanted, door)).fuel


def test_cancelling_the_task_drops_the_guest(bench, guest, door, echo):
    wanted = program(bench, guest("(loop $l (br $l)) (unreachable)"))

    async def main():
        task = asyncio.create_task(start(bench, wanted, door, deadline_ms=60_000))
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return (await start(bench, program(bench, echo), door, "after")).text

    assert asyncio.run(main()) == "after"


def test_cancelling_a_guest_that_waits_cancels_what_it_waits_for(bench, asking, new_door):
    ended = []

    async def answer():
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(True)

    async def main():
        door = new_door({("secrets", "read"): lambda *_: answer()})
        task = asyncio.create_task(start(bench, program(bench, asking), door, deadline_ms=60_000))
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)

    asyncio.run(main())
    assert ended == [True]


def test_the_deadline_counts_what_the_guest_waits(bench, asking, new_door):
    door = new_door({("secrets", "read"): lambda *_: asyncio.sleep(60)})
    with pytest.raises(DeadlineExceeded):
        asyncio.run(start(bench, program(bench, asking), door, deadline_ms=50))


def test_another_thread_can_cancel_it(bench, asking, new_door):
    door = new_door({("secrets", "read"): lambda *_: asyncio.sleep(60)})
    timer = threading.Timer(0.05, bench.runner.cancel, [door])
    timer.start()
    with pytest.raises(CallCancelled):
        asyncio.run(start(bench, program(bench, asking), door, deadline_ms=60_000))
    timer.join()


@pytest.mark.parametrize("threaded", [False, True])
def test_an_exception_of_a_host_function_arrives_with_its_cause(bench, asking, new_door, threaded):
    class OwnError(Exception):
        pass

    def answer(_door, name):
        raise OwnError(name)

    door = new_door({("secrets", "read"): answer})
    with pytest.raises(HostFault) as caught:
        asyncio.run(start(bench, program(bench, asking), door, threaded=threaded))
    assert isinstance(caught.value.__cause__, OwnError)


def test_a_trap_arrives(bench, guest, door):
    with pytest.raises(GuestTrapped):
        asyncio.run(start(bench, program(bench, guest("(unreachable)")), door))


def test_fuel_is_counted_on_the_loop(bench, guest, door):
    binary = guest(SPIN.format(count=1000))
    wanted = program(bench, binary, fuel=1_000_000)
    on, off = asyncio.run(start(bench, wanted, door)), bench.run(binary, "x", fuel=1_000_000)
    assert on.fuel == off.fuel > 1000


def test_guests_on_the_loop_and_on_threads_at_once(bench, guest, new_door):
    body = f"(call $log {'(i32.const 0) ' * 5}) (call $ok (local.get $p) (local.get $n))"
    logging = program(bench, guest(body, **LOGGING))
    done = []

    def on_a_thread():
        for i in range(50):
            outcome = bench.runner.run(logging, "provider.call", ("act", str(i)), new_door(), 10_000)
            done.append(outcome.text)

    async def main():
        thread = threading.Thread(target=on_a_thread)
        thread.start()
        outcomes = await asyncio.gather(*(start(bench, logging, new_door(), str(i)) for i in range(50)))
        await asyncio.to_thread(thread.join)
        return [outcome.text for outcome in outcomes]

    assert asyncio.run(main()) == [str(i) for i in range(50)]
    assert done == [str(i) for i in range(50)]
