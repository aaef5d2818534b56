"""Guests in processes of their own: the same answers and errors, and a process that dies is not the kernel's."""

from __future__ import annotations

import hashlib
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from remit.errors import (
    CallCancelled,
    DeadlineExceeded,
    FuelExhausted,
    GuestTrapped,
    HostCallsExceeded,
    HostFault,
    ImportRefused,
    OutputTooLarge,
)
from remit.kernel.answers import Ok, Refused
from remit.kernel.model import Limits, Program, UnitRef
from remit.kernel.ports import SystemClock
from remit.sandbox.running.runner import ComponentRunner
from remit.sandbox.running.wire import Start
from remit.sandbox.running.workers import IsolatingRunner

KEY = bytes(range(32))
SECRETS = "remit:unit/secrets@0.1.0"
READ = "(call $read (local.get $p) (local.get $n) (i32.const 64))"
ASK = f"""{READ}
  (if (result i32) (i32.load8_u (i32.const 64)) (then (call $ok (local.get $p) (local.get $n)))
    (else (call $ok (i32.load (i32.const 68)) (i32.load (i32.const 72)))))"""


class Isolated:
    """A runner whose local units run in workers."""

    def __init__(self, folder: Path) -> None:
        self.inner = ComponentRunner(folder, KEY, SystemClock())
        start = Start(str(folder), KEY)
        self.runner = IsolatingRunner(self.inner, start, lambda program: program.unit.admission == "local")

    def run(self, binary, text, door, *, deadline_ms=10_000, admission="local", reuse="fresh", **limits):
        digest = f"sha256:{hashlib.sha256(binary).hexdigest()}"
        self.runner.prepare(digest, lambda: binary, metered="fuel" in limits)
        unit = UnitRef("acme/guest", "1.0.0", digest, "tool", admission)
        program = Program(unit, digest, "tool", Limits(**limits), frozenset({"secrets"}), reuse)
        return self.runner.run(program, "provider.call", ("act", text), door, deadline_ms)

    def workers(self):
        busy, idle = self.runner._active.values(), self.runner._idle
        return [worker._process.pid for worker in (*busy, *idle)]


@pytest.fixture(scope="module")
def isolated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("code")
    folder.chmod(0o700)
    made = Isolated(folder)
    yield made
    made.runner.close()
    assert made.workers() == []


@pytest.fixture(scope="module")
def asks(guest, host_error):
    kind = f'{host_error} (export "read" (func (param "name" string) (result (result string (error $host-error)))))'
    return lambda body: guest(body, imports={SECRETS: kind}, lowered={"read": f"{SECRETS} read (param i32 i32 i32)"})


@pytest.fixture(scope="module")
def asking(asks):
    return asks(ASK)


def test_a_worker_answers_as_the_kernels_own_process(isolated, echo, door):
    answers = {isolated.run(echo, "héllo", door, admission=admission).text for admission in ("local", "signed")}
    assert answers == {"héllo"}


def test_only_what_is_to_be_isolated_starts_a_worker(tmp_path, echo, door):
    tmp_path.chmod(0o700)
    own = Isolated(tmp_path)
    own.run(echo, "x", door, admission="signed")
    assert own.workers() == []
    own.run(echo, "x", door)
    assert len(own.workers()) == 1
    own.runner.close()


def test_host_calls_go_through_the_kernels_door(isolated, asking, new_door):
    door = new_door({("secrets", "read"): lambda _door, name: Ok(f"secret of {name}")})
    assert isolated.run(asking, "a", door).text == "secret of a"
    assert door.asked == [("secrets", "read", ("a",))]
    refusing = new_door({("secrets", "read"): Refused("denied", "no")})
    assert isolated.run(asking, "name", refusing).text == "name"


@pytest.mark.parametrize(
    ("body", "limits", "error"),
    [
        ("(unreachable)", {}, GuestTrapped),
        ("(loop $l (br $l)) (unreachable)", {"deadline_ms": 50}, DeadlineExceeded),
        ("(loop $l (br $l)) (unreachable)", {"fuel": 10_000}, FuelExhausted),
        ("(call $ok (i32.const 1024) (i32.const 60000))", {"output": 100}, OutputTooLarge),
    ],
)
def test_errors_keep_their_kind(isolated, guest, door, body, limits, error):
    with pytest.raises(error):
        isolated.run(guest(body), "x", door, **limits)


def test_what_the_door_decides_ends_the_call(isolated, asking, new_door):
    def stop(door, _name):
        door.abort = HostCallsExceeded("enough")
        return Refused("unavailable", "stopping")

    with pytest.raises(HostCallsExceeded, match="enough"):
        isolated.run(asking, "x", new_door({("secrets", "read"): stop}))


def test_an_exception_of_a_host_function_arrives_with_its_cause(isolated, asking, new_door, echo, door):
    def fail(_door, name):
        raise KeyError(name)

    with pytest.raises(HostFault) as caught:
        isolated.run(asking, "x", new_door({("secrets", "read"): fail}))
    assert isinstance(caught.value.__cause__, KeyError)
    assert isolated.run(echo, "after", door).text == "after"


@pytest.mark.parametrize("how", [signal.SIGABRT, signal.SIGKILL])
def test_a_worker_that_dies_costs_its_call_only(isolated, asking, echo, new_door, how):
    def die(_door, _name):
        (active,) = isolated.runner._active.values()
        os.kill(active._process.pid, how)
        return Ok("too late")

    with pytest.raises(HostFault, match=how.name):
        isolated.run(asking, "x", new_door({("secrets", "read"): die}))
    assert isolated.run(echo, "alive", new_door()).text == "alive"


def test_a_worker_that_dies_while_it_waits_costs_nothing(isolated, echo, door):
    isolated.run(echo, "x", door)
    for worker in isolated.runner._idle:
        worker._process.kill()
    while any(worker.alive for worker in isolated.runner._idle):
        time.sleep(0.01)
    assert isolated.run(echo, "alive", door).text == "alive"


def test_cancelling_kills_the_worker(isolated, asks, new_door, echo, door):
    begun = threading.Event()

    def begin(_door, _name):
        begun.set()
        return Ok("x")

    endless = new_door({("secrets", "read"): begin})
    watch = threading.Thread(target=lambda: begun.wait(60) and isolated.runner.cancel(endless))
    watch.start()
    with pytest.raises(CallCancelled):
        isolated.run(asks(f"{READ} (loop $l (br $l)) (unreachable)"), "x", endless, deadline_ms=60_000)
    watch.join()
    assert isolated.run(echo, "after", door).text == "after"


def test_a_call_that_was_cancelled_before_it_began_does_not_begin(isolated, guest, new_door, echo, door):
    early = new_door()
    isolated.runner.cancel(early)
    with pytest.raises(CallCancelled):
        isolated.run(guest("(loop $l (br $l)) (unreachable)"), "x", early, deadline_ms=60_000)
    assert isolated.run(echo, "after", door).text == "after"


def test_a_worker_that_does_not_answer_is_killed(isolated, asking, new_door, echo, door):
    def stop(_door, _name):
        (active,) = isolated.runner._active.values()
        os.kill(active._process.pid, signal.SIGSTOP)
        return Ok("x")

    began = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        isolated.run(asking, "x", new_door({("secrets", "read"): stop}), deadline_ms=100)
    assert time.monotonic() - began < 60  # a bound, not a figure: one that hangs fails
    assert isolated.run(echo, "after", door).text == "after"


def test_calls_at_once_have_workers_of_their_own(isolated, echo, new_door):
    with ThreadPoolExecutor(6) as pool:
        outcomes = pool.map(lambda n: isolated.run(echo, str(n), new_door()).text, range(40))
        assert list(outcomes) == [str(n) for n in range(40)]
    assert len(isolated.workers()) <= 4


def test_a_worker_has_no_environment_and_refuses_what_is_not_declared(isolated, asking, door, echo, monkeypatch):
    monkeypatch.setenv("REMIT_TEST_SECRET", "x")
    isolated.run(echo, "x", door)
    for process in isolated.workers():
        assert b"REMIT_TEST_SECRET" not in Path(f"/proc/{process}/environ").read_bytes()
    digest = f"sha256:{hashlib.sha256(asking).hexdigest()}"
    isolated.runner.prepare(digest, lambda: asking)
    unit = UnitRef("acme/guest", "1.0.0", digest, "tool", "local")
    with pytest.raises(ImportRefused):
        isolated.runner.run(
            Program(unit, digest, "tool", Limits(), frozenset()), "provider.call", ("a", "b"), door, 5_000
        )


def test_a_closed_runner_runs_nothing(tmp_path, echo, door):
    tmp_path.chmod(0o700)
    own = Isolated(tmp_path)
    own.run(echo, "x", door)
    own.runner.close()
    with pytest.raises(HostFault, match="closed"):
        own.run(echo, "x", door)
