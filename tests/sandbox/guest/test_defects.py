"""What wasmtime's own Python classes get wrong, side by side with the sandbox: each defect is shown, then its absence.

A defect that ends a process is shown in a process of its own. Where a newer wasmtime no longer has a defect, its test
here fails: then what is written around it can go.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wasmtime import Config, Engine, Store, WasmtimeError
from wasmtime import component as wc

from remit.errors import HostFault, RemitError
from remit.kernel.answers import Ok
from remit.kernel.model import Limits, Program, UnitRef
from remit.sandbox.crossing.packing import packer
from remit.sandbox.wit.types import U32

SOAK = int(os.environ.get("REMIT_SOAK", "1"))
UNIT = UnitRef("acme/guest", "1.0.0", "sha256:" + "0" * 64, "tool", "local")
CALL = "provider.call"

NUMBERS = """(component
  (type $e0 (enum "a" "b"))
  (export $e "e" (type $e0))
  (core module $m (func (export "f") (param i32) (result i32) (local.get 0)))
  (core instance $i (instantiate $m))
  (func (export "same") (param "x" u32) (result u32) (canon lift (core func $i "f")))
  (func (export "pick") (param "x" $e) (result u32) (canon lift (core func $i "f"))))"""

ASKING = """(component
  (import "ask" (func $ask (param "x" u32) (result u32)))
  (core func $low (canon lower (func $ask)))
  (core module $m (import "h" "ask" (func $ask (param i32) (result i32)))
    (func (export "f") (param i32) (result i32) (call $ask (local.get 0))))
  (core instance $i (instantiate $m (with "h" (instance (export "ask" (func $low))))))
  (func (export "f") (param "x" u32) (result u32) (canon lift (core func $i "f"))))"""

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


def stock(text, **imports):
    """A function of a component through wasmtime's own classes, by name."""
    engine = Engine()
    component = wc.Component(engine, text)
    linker = wc.Linker(engine)
    with linker.root() as root:
        for name, function in imports.items():
            root.add_func(name, function)

    def instance():
        store = Store(engine)
        made = linker.instantiate(store, component)
        return lambda name, *arguments: made.get_func(store, name)(store, *arguments)

    return instance


def ended(script: str, *words: str) -> int:
    """How a Python process that runs this ends."""
    shown = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.run([sys.executable, "-c", script, *words], check=False, timeout=60, **shown).returncode


# ---- integers ----


def test_stock_wraps_integers():
    assert stock(NUMBERS)()("same", 2**32 + 5) == 5


@given(st.integers(max_value=-1) | st.integers(min_value=2**32))
def test_no_integer_wraps(value):
    with pytest.raises(HostFault):
        packer((U32,))((value,), [])


# ---- poisoned instances ----


def test_stock_poisons_an_instance_with_a_bad_argument():
    call = stock(NUMBERS)()
    assert call("pick", "b") == 1
    with pytest.raises(WasmtimeError):
        call("pick", "c")
    with pytest.raises(WasmtimeError, match="cannot enter"):
        call("pick", "b")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.one_of(st.none(), st.integers(), st.binary(), st.text(st.characters()), st.just("\udc80")), max_size=4)
)
def test_no_argument_poisons_an_instance(bench, echo, new_door, values):
    program = Program(UNIT, bench.prepare(echo), "tool", Limits(), frozenset())
    instance = bench.runner.instance(program)
    try:
        instance.invoke(CALL, ("act", "x"), new_door(), 1_000)
        try:
            answer = instance.invoke(CALL, tuple(values), new_door(), 1_000)
            assert answer == ("ok", values[1])
        except HostFault:
            pass
        assert instance.state == "ready"
        assert instance.invoke(CALL, ("act", "y"), new_door(), 1_000) == ("ok", "y")
    finally:
        instance.close()


# ---- exceptions and threads ----


def crossings(calls, run):
    """How many of so many calls on four threads got another thread's exception, or none."""
    crossed = []

    def work(thread):
        for turn in range(calls // 4):
            name = f"{thread}/{turn}"
            try:
                run(name)
            except Exception as error:  # noqa: BLE001 - whose it is, is the question
                if name not in f"{error} {error.__cause__}":
                    crossed.append(name)
            else:
                crossed.append(name)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, range(4)))
    finally:
        sys.setswitchinterval(before)
    return len(crossed)


def test_stock_gives_threads_each_others_exceptions():
    names = threading.local()

    def ask(_store, _x):
        raise OwnError(names.mine)

    instance = stock(ASKING, ask=ask)

    def run(name):
        names.mine = name
        instance()("f", 1)

    assert crossings(4_000, run) > 0


def test_no_exception_crosses_threads(bench, guest, new_door, record_property):
    calls = 2_000 if SOAK == 1 else 100_000
    record_property("calls on four threads whose host function raises", calls)
    binary = guest(LOG_THEN_ECHO, **LOGGING)
    bench.run(binary, "x", door=new_door({("log", "write"): Ok()}))

    def run(name):
        def answer(_door, _level, message, _fields):
            raise OwnError(message)

        bench.run(binary, name, door=new_door({("log", "write"): answer}))

    assert crossings(calls, run) == 0


# ---- stores ----


def test_stock_aborts_the_process_when_stores_are_mixed_up():
    script = """
import sys
from wasmtime import Engine, Store, component as wc
engine = Engine()
component = wc.Component(engine, sys.argv[1])
one, two = Store(engine), Store(engine)
made = wc.Linker(engine).instantiate(one, component)
made.get_func(one, "same")(two, 1)
"""
    assert ended(script, NUMBERS) == -signal.SIGABRT


def test_an_instance_in_a_call_refuses_another_thread_and_itself(bench, guest, door):
    program = Program(UNIT, bench.prepare(guest(LOG_THEN_ECHO, **LOGGING)), "tool", Limits(), frozenset({"log"}))
    instance = bench.runner.instance(program)
    refused = []

    def again(*_arguments):
        def misuse(action):
            try:
                action()
            except HostFault as error:
                refused.append(str(error))

        actions = [lambda: instance.invoke(CALL, ("act", "x"), door, 1_000), instance.close]
        for action in actions:
            misuse(action)
            thread = threading.Thread(target=misuse, args=(action,))
            thread.start()
            thread.join()
        return Ok()

    door.answers["log", "write"] = again
    assert instance.invoke(CALL, ("act", "x"), door, 5_000) == ("ok", "x")
    instance.close()
    assert ["in a call" in message for message in refused] == [True] * 4


# ---- signals ----


def test_stock_loses_what_a_handler_raises_in_a_host_call_or_crashes():
    # What ctypes returns to wasmtime in place of an answer is not initialised: an error that is none, no error at all,
    # or no process. Only an interrupt that arrives would end as 0.
    script = """
import os, signal, sys, time
from wasmtime import Engine, Store, component as wc
engine = Engine()
linker = wc.Linker(engine)
def ask(store, x):
    os.kill(os.getpid(), signal.SIGINT)
    ends = time.monotonic() + 1
    while time.monotonic() < ends:
        pass
    return x
with linker.root() as root:
    root.add_func("ask", ask)
store = Store(engine)
made = linker.instantiate(store, wc.Component(engine, sys.argv[1]))
try:
    made.get_func(store, "f")(store, 1)
except KeyboardInterrupt:
    sys.exit(0)
sys.exit(3)
"""
    assert ended(script, ASKING) != 0


# ---- fork ----


def test_stock_hangs_when_a_child_compiles():
    script = """
import os, sys
from wasmtime import Engine, Module
Module(Engine(), sys.argv[1])
print("compiled", flush=True)
child = os.fork()
if child == 0:
    Module(Engine(), sys.argv[1])
    os._exit(0)
os.waitpid(child, 0)
"""
    module = "(module " + "(func (result i32) (i32.const 1))" * 100 + ")"
    words = [sys.executable, "-c", script, module]
    # A session of its own: the child that hangs goes with its parent.
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            assert process.stdout.readline() == "compiled\n"
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(5)
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def test_an_instance_does_not_cross_a_fork(bench, echo, door):
    program = Program(UNIT, bench.prepare(echo), "tool", Limits(), frozenset())
    instance = bench.runner.instance(program)
    instance.invoke(CALL, ("act", "x"), door, 1_000)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            with pytest.raises(HostFault, match="forked"):
                instance.invoke(CALL, ("act", "x"), door, 1_000)
            assert bench.run(echo, "child").text == "child"
            instance.close()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert instance.invoke(CALL, ("act", "x"), door, 1_000) == ("ok", "x")
    instance.close()


# ---- compiled code ----


def test_stock_loads_code_that_was_changed():
    config = Config()
    config.parallel_compilation = False
    code = wc.Component(Engine(config), NUMBERS).serialize()
    script = """
import sys
from wasmtime import Engine, component as wc
code = bytearray(sys.stdin.buffer.read())
at = len(code) * int(sys.argv[1]) // 8
code[at] ^= 1
wc.Component.deserialize(Engine(), code)
"""
    accepted = 0
    for part in range(1, 8):
        run = [sys.executable, "-c", script, str(part)]
        accepted += subprocess.run(run, input=code, check=False, stderr=subprocess.DEVNULL).returncode == 0
    assert accepted > 0


# ---- the public interface, misused at random ----

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["invoke", "bad export", "bad arguments", "close", "cancel", "trap", "short", "new", "gc"]),
        st.text(max_size=10),
        st.integers(-5, 2_000),
    ),
    max_size=20,
)


SEQUENCES = 40 if SOAK == 1 else 2_000


def test_no_misuse_of_an_instance_ends_in_anything_but_an_error(bench, echo, guest, new_door, record_property):
    record_property("random sequences of up to 20 misuses of instances", SEQUENCES)
    programs = [
        Program(UNIT, bench.prepare(binary), "tool", Limits(), frozenset()) for binary in (echo, guest("(unreachable)"))
    ]

    @settings(max_examples=SEQUENCES, deadline=None)
    @given(steps=STEPS)
    def misused(steps):
        instances = [bench.runner.instance(program) for program in programs]
        actions = {
            "invoke": lambda one, text, number: one.invoke(CALL, ("act", text), new_door(), number),
            "bad export": lambda one, text, number: one.invoke(text, ("act", text), new_door(), number),
            "bad arguments": lambda one, text, number: one.invoke(CALL, (text,) * (number % 5), new_door(), number),
            "close": lambda one, _text, _number: one.close(),
            "cancel": lambda _one, _text, _number: bench.runner.cancel(new_door()),
            "trap": lambda _one, text, number: instances[1].invoke(CALL, ("act", text), new_door(), number),
            "short": lambda one, text, _number: one.invoke(CALL, ("act", text), new_door(), 0),
            "new": lambda _one, _text, number: instances.append(bench.runner.instance(programs[number % 2])),
            "gc": lambda _one, _text, number: instances.pop(number % len(instances)) if len(instances) > 2 else None,
        }
        for name, text, number in steps:
            try:
                actions[name](instances[number % len(instances)], text, number)
            except RemitError as error:
                assert error.code.startswith("RM-50")  # noqa: PT017 - the code is the property
        assert bench.run(echo, "alive").text == "alive"
        for one in instances:
            one.close()

    misused()
