"""What the sandbox costs: warm and fresh calls, host calls, loading, killing."""

from __future__ import annotations

import hashlib
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.guests import component, python
from benchmarks.measure import Benchmark, Figure, interleaved, percentile
from benchmarks.peers import Extism, Pipe, Stock, plain
from remit.errors import DeadlineExceeded
from remit.kernel.answers import Ok
from remit.kernel.model import Limits, Program, UnitRef
from remit.kernel.ports import SystemClock, SystemIds
from remit.sandbox import ComponentRunner
from remit.sandbox.wit.contract import IMPORTS

__all__ = ["BENCHMARKS", "OpenDoor", "program", "runner"]

_CALL = "provider.call"
_DEADLINE_MS = 1_000
_KILLS = 200
_KILL_MS = 20
_LOADS = 50
_SPARES = 200
_BEFORE = 5
"""Calls of a small unit before one of a spare is measured, as on a host that serves."""
_IN_A_ROW = 200
"""Warm calls of a round, and a quarter of it fresh ones, so that few find what the peers left in the caches."""

extism = cache(Extism)
stock = cache(Stock)


class OpenDoor:
    """A door that answers everything, for what measures the guest and not the door."""

    abort = None
    partition = "main"

    def __call__(self, interface: str, _function: str, arguments: tuple[Any, ...]) -> Ok:
        """Something of the type that the function gives."""
        if interface == "random":
            return Ok("5" * 2 * arguments[0])
        return Ok(0 if interface == "clock" else "correct horse")


def runner(resources: ExitStack, *, rehearse: bool = False) -> ComponentRunner:
    """A runner with a cache of its own."""
    folder = Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="remit-bench-")))
    clock = SystemClock()
    made = ComponentRunner(folder, bytes(32), clock, rehearse=SystemIds(clock) if rehearse else None)
    resources.callback(made.close)
    return made


def program(made: ComponentRunner, binary: bytes, **limits: Any) -> Program:
    """A prepared program of these bytes."""
    digest = f"sha256:{hashlib.sha256(binary).hexdigest()}"
    made.prepare(digest, lambda: binary)
    unit = UnitRef("bench/guest", "1.0.0", digest, "tool", "local")
    return Program(unit, digest, "tool", Limits(**limits), frozenset(IMPORTS))


def _warm(size: int) -> Any:
    def measure(resources: ExitStack) -> Figure:
        made = runner(resources)
        instance = made.instance(program(made, component()))
        resources.callback(instance.close)
        door, text = OpenDoor(), "x" * size
        assert instance.invoke(_CALL, ("echo", text), door, _DEADLINE_MS) == ("ok", text)
        pipe = Pipe()
        resources.callback(pipe.close)
        assert extism().call("echo", text) == stock().call("echo", text) == pipe.call(text) == plain("echo", text)
        found = interleaved(
            {
                "remit": lambda: instance.invoke(_CALL, ("echo", text), door, _DEADLINE_MS),
                "extism": lambda: extism().call("echo", text),
                "wasmtime-py": lambda: stock().call("echo", text),
                "pipe": lambda: pipe.call(text),
                "plain Python": lambda: plain("echo", text),
            },
            rounds=100,
            each=_IN_A_ROW,
        )
        return Figure(found.pop("remit"), "us", found, runs=100)

    return measure


def _fresh(resources: ExitStack) -> Figure:
    made = runner(resources)
    small = program(made, component())
    door, text = OpenDoor(), "x" * 100
    found = interleaved(
        {
            "remit": lambda: made.run(small, _CALL, ("echo", text), door, _DEADLINE_MS),
            "extism": lambda: extism().fresh("echo", text),
            "wasmtime-py": lambda: stock().fresh("echo", text),
        },
        rounds=100,
        each=_IN_A_ROW // 4,
    )
    return Figure(found.pop("remit"), "us", found, runs=100)


def _load(resources: ExitStack) -> Figure:
    made = runner(resources)
    wanted = program(made, python(), memory=64 << 20)
    folder = made.cache_folder
    samples = []
    for _ in range(_LOADS):
        other = ComponentRunner(folder, bytes(32), SystemClock())
        started = time.perf_counter_ns()
        instance = other.instance(wanted)
        samples.append((time.perf_counter_ns() - started) / 1e6)
        instance.close()
        other.close()
    return Figure(statistics.median(samples), "ms", runs=_LOADS)


def _spare(resources: ExitStack) -> Figure:
    made = runner(resources, rehearse=True)
    guest = program(made, python(), memory=64 << 20)
    small = program(made, component())
    door, text = OpenDoor(), "x" * 100

    def call(unit: Any) -> float:
        started = time.perf_counter_ns()
        assert made.run(unit, _CALL, ("echo", text), door, _DEADLINE_MS).text == text
        return (time.perf_counter_ns() - started) / 1e3

    samples: list[float] = []
    paused: list[float] = []
    others: list[float] = []
    for turn in range(_SPARES):
        made.settle()
        paused.append(call(guest))
        made.settle()
        for _ in range(_BEFORE):
            call(small)
        samples.append(call(guest))
        if turn % 10 == 0:
            started = time.perf_counter_ns()
            subprocess.run([sys.executable, "-I", "-S", "-c", "print('x')"], check=True, stdout=subprocess.DEVNULL)
            others.append((time.perf_counter_ns() - started) / 1e3)
    peers = {"after a pause": statistics.median(paused), "python": statistics.median(others)}
    return Figure(statistics.median(samples), "us", peers, runs=_SPARES)


def _kill(resources: ExitStack) -> Figure:
    from wasmtime import wat2wasm  # noqa: PLC0415 - heavy, as above

    made = runner(resources)
    shell = Path(__file__).with_name("guests") / "shell.wat"
    looping = shell.read_text("utf-8").replace("(unreachable)", "(loop $l (br $l)) (unreachable)", 1)
    endless = program(made, bytes(wat2wasm(looping)))
    late = []
    for _ in range(_KILLS):
        started = time.perf_counter_ns()
        try:
            made.run(endless, _CALL, ("echo", ""), OpenDoor(), _KILL_MS)
        except DeadlineExceeded:
            late.append((time.perf_counter_ns() - started) / 1e6 - _KILL_MS)
    return Figure(percentile(late, 0.99), "ms", runs=len(late))


BENCHMARKS = (
    Benchmark(
        "sandbox.warm_100b",
        "warm call, 100 bytes in and out",
        "≤ 3.5 µs",
        "One instance, `provider.call` echoes its text; arguments validated, deadline and epochs set, result tagged. "
        "`pipe` is a process of `cat`, written to and read from; `plain Python` a function, with no boundary at all. "
        "Extism's calls come at two speeds, about one and three times its fastest, also when it is measured alone and "
        "on one core; why is not known. A round is the mean of 200 calls in a row: both count as often as they occur.",
        _warm(100),
        {"extism": 6},
    ),
    Benchmark("sandbox.warm_10k", "warm call, 10 kB in and out", "≤ 6 µs", "As above.", _warm(10_000), {"extism": 5}),
    Benchmark(
        "sandbox.fresh_small",
        "fresh sandbox per call",
        "≤ 25 µs",
        '`Runner.run` with `reuse = "fresh"`: store, instance, 100-byte echo, close. A round has 50 in a row.',
        _fresh,
        {"extism": 6},
    ),
    Benchmark(
        "sandbox.fresh_python_spare",
        "fresh Python guest from a warm spare",
        "≤ 40 µs",
        "`Runner.run` of a Python guest that echoes 100 bytes, in a spare that was rehearsed once with another text; "
        "the next one is made off the path, before the next call. Five calls of a small unit come first, as on a host "
        "that serves; `after a pause` nothing has run since the spare was made. The other peer is a Python process "
        "that prints one letter.",
        _spare,
        {"python": 25},
    ),
    Benchmark(
        "sandbox.load_cached",
        "load an installed 18 MB unit",
        "≤ 5 ms",
        "A new runner finds the sealed code of a Python unit, checks its seal, maps and links it.",
        _load,
    ),
    Benchmark(
        "sandbox.kill_p99",
        "runaway guest stopped after its deadline",
        "≤ 3 ms",
        f"An endless loop with a deadline of {_KILL_MS} ms: how much later the error arrives, 99th percentile.",
        _kill,
    ),
)
