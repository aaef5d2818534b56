"""Many threads, calls within calls, and fork: nobody gets what belongs to another."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from remit.errors import DeadlineExceeded, GuestTrapped, HostFault
from remit.kernel.hostcall import Ok
from remit.kernel.model import Limits, Program, UnitRef

LOG = "remit:unit/log@0.1.0"
LOG_TYPE = """
  (type $level0 (enum "trace" "debug" "info" "warn" "error"))
  (export "level" (type $level (eq $level0)))
  (export "write" (func (param "level" $level) (param "message" string) (param "fields" string)))
"""
LOGGING = {"imports": {LOG: LOG_TYPE}, "lowered": {"log": f"{LOG} write (param i32 i32 i32 i32 i32)"}}
LOG_THEN_ECHO = """(call $log (i32.const 2) (local.get $p) (local.get $n) (i32.const 0) (i32.const 0))
  (call $ok (local.get $p) (local.get $n))"""


class OwnError(Exception):
    pass


def test_exceptions_of_host_functions_never_cross_threads(bench, guest, new_door):
    binary = guest(LOG_THEN_ECHO, **LOGGING)
    crossed = []

    def calls(thread: int) -> None:
        for turn in range(150):
            name = f"{thread}/{turn}"

            def answer(_door, _level, message, _fields, turn=turn):
                if turn % 2:
                    raise OwnError(message)
                return Ok()

            door = new_door({("log", "write"): answer})
            try:
                got = bench.run(binary, name, door=door).text
            except HostFault as error:
                got = str(error.__cause__)
                if not turn % 2:
                    crossed.append(name)
            if got != name:
                crossed.append(name)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(calls, range(4)))
    assert crossed == []


def test_threads_that_share_an_instance_get_their_own_answers_or_are_refused(bench, echo, new_door):
    unit = UnitRef("acme/guest", "1.0.0", "sha256:" + "0" * 64, "tool", "local")
    instance = bench.runner.instance(Program(unit, bench.prepare(echo), "tool", Limits(), frozenset()))
    wrong, right = [], []

    def calls(thread: int) -> None:
        for turn in range(500):
            name = f"{thread}/{turn}" * (turn % 7 + 1)
            try:
                answer = instance.invoke("provider.call", ("act", name), new_door(), 5_000)
            except HostFault as error:
                if "in a call" not in str(error):
                    wrong.append(error)
            else:
                (right if answer == ("ok", name) else wrong).append(name)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(calls, range(4)))
    finally:
        sys.setswitchinterval(before)
        instance.close()
    assert (wrong, right != []) == ([], True)


def test_a_deadline_stops_only_its_own_call(bench, guest, echo):
    looping = guest("(loop $l (br $l)) (unreachable)")

    def loop() -> str:
        with pytest.raises(DeadlineExceeded):
            bench.run(looping, deadline_ms=40)
        return "stopped"

    with ThreadPoolExecutor(4) as pool:
        ends = [pool.submit(loop) for _ in range(2)]
        texts = [pool.submit(bench.run, echo, str(i)) for i in range(50)]
        assert [future.result().text for future in texts] == [str(i) for i in range(50)]
        assert [future.result() for future in ends] == ["stopped", "stopped"]


def test_cancelling_one_call_leaves_the_others_running(bench, guest, new_door):
    slow = guest(
        """(local $i i32)
        (call $log (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
        (loop $l (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 20000000))))
        (call $ok (local.get $p) (local.get $n))""",
        **LOGGING,
    )
    started = threading.Barrier(3)
    doors = [new_door({("log", "write"): lambda _door, *_a: [started.wait(), Ok()][1]}) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        first, second = (pool.submit(bench.run, slow, "done", door=door, deadline_ms=60_000) for door in doors)
        started.wait()
        bench.runner.cancel(doors[0])
        assert second.result().text == "done"
        assert first.exception() is None or first.exception().code == "RM-5019"


def test_a_call_within_a_call_has_a_state_of_its_own(bench, guest, echo, door):
    def nested(_door, *_arguments):
        with pytest.raises(GuestTrapped):
            bench.run(guest("(unreachable)"))
        assert bench.run(echo, "inner").text == "inner"
        return Ok()

    door.answers["log", "write"] = nested
    assert bench.run(guest(LOG_THEN_ECHO, **LOGGING), "outer", door=door).text == "outer"


def test_a_forked_child_runs_guests_with_engines_of_its_own(bench, guest, echo):
    assert bench.run(echo, "parent").text == "parent"
    looping = guest("(loop $l (br $l)) (unreachable)")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            assert bench.run(echo, "child").text == "child"
            with pytest.raises(DeadlineExceeded):
                bench.run(looping, deadline_ms=30)
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert bench.run(echo, "parent again").text == "parent again"


def test_a_child_forked_in_a_host_call_has_the_parents_instance_no_more(bench, guest, new_door):
    binary = guest(LOG_THEN_ECHO, **LOGGING)
    unit = UnitRef("acme/guest", "1.0.0", "sha256:" + "0" * 64, "tool", "local")
    instance = bench.runner.instance(Program(unit, bench.prepare(binary), "tool", Limits(), frozenset({"log"})))
    children = []

    def fork(_door, *_arguments):
        children.append(os.fork())
        return Ok()

    door = new_door({("log", "write"): fork})
    code = 1
    try:
        assert instance.invoke("provider.call", ("act", "x"), door, 5_000) == ("ok", "x")
        if children == [0]:
            with pytest.raises(HostFault, match="forked"):
                instance.invoke("provider.call", ("act", "x"), door, 5_000)
            code = 0
    finally:
        if children == [0]:
            os._exit(code)
    _, status = os.waitpid(children[0], 0)
    assert os.waitstatus_to_exitcode(status) == 0
    door.answers.clear()
    assert instance.invoke("provider.call", ("act", "y"), door, 5_000) == ("ok", "y")
    instance.close()


def test_no_thread_is_left_when_no_guest_runs(bench, echo):
    bench.run(echo, "x")
    for thread in threading.enumerate():
        if thread.name == "remit-epochs":
            thread.join(10)
    assert "remit-epochs" not in [thread.name for thread in threading.enumerate()]
