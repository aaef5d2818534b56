"""What many sandboxes cost: two threads, a hundred guests on one event loop, live instances, fresh ones without end."""

from __future__ import annotations

import asyncio
import gc
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.guests import component
from benchmarks.measure import Benchmark, Figure
from benchmarks.peers import Extism, Stock
from benchmarks.sandbox import OpenDoor, program, runner
from remit.kernel.answers import Ok

__all__ = ["BENCHMARKS"]

_CALL = "provider.call"
_DEADLINE_MS = 5_000
_TEXT = "x" * 100
_ROUNDS = 7
_CALLS = 4_000
_GUESTS = 100
_ASKS = 20
_PAUSE_S = 0.001
_LIVE = 500
_CYCLES = 20_000
_WARM_UP = 2_000
_STARTS = 11


def _resident_kib() -> float:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024


def _together(work: list[Callable[[], Any]]) -> float:
    """Thousand calls a second of all the threads together, one for each piece of work."""

    def repeat(one: Callable[[], Any]) -> None:
        for _ in range(_CALLS):
            one()

    threads = [threading.Thread(target=repeat, args=(one,)) for one in work]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(work) * _CALLS / (time.perf_counter() - started) / 1e3


def _two_threads(resources: ExitStack) -> Figure:
    made = runner(resources)
    instances = [made.instance(program(made, component())) for _ in range(2)]
    for instance in instances:
        resources.callback(instance.close)
    door, plugins, stock = OpenDoor(), [Extism(), Extism()], Stock()
    ours: list[Callable[[], Any]] = [
        lambda one=one: one.invoke(_CALL, ("echo", _TEXT), door, _DEADLINE_MS) for one in instances
    ]
    cases: dict[str, list[Callable[[], Any]]] = {
        "remit": ours,
        "remit, one thread": ours[:1],
        "extism": [lambda one=one: one.call("echo", _TEXT) for one in plugins],
        "wasmtime-py": [lambda one=one: one("echo", _TEXT) for one in (stock.instance(), stock.instance())],
    }
    samples: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(_ROUNDS):
        for name, work in cases.items():
            samples[name].append(_together(work))
    found = {name: statistics.median(values) for name, values in samples.items()}
    return Figure(found.pop("remit"), "k/s", found, runs=_ROUNDS)


class _SlowDoor(OpenDoor):
    """Answers after a while, and lets the loop go on meanwhile."""

    def __call__(self, _interface: str, _function: str, _arguments: tuple[Any, ...]) -> Any:
        return self._answer()

    @staticmethod
    async def _answer() -> Ok:
        await asyncio.sleep(_PAUSE_S)
        return Ok("correct horse")


def _async_guests(resources: ExitStack) -> Figure:
    made = runner(resources)
    guest = program(made, component())

    async def one() -> None:
        await made.arun(guest, _CALL, ("ask", str(_ASKS)), _SlowDoor(), _DEADLINE_MS, threaded=False)

    async def everybody() -> float:
        started = time.perf_counter()
        await asyncio.gather(*[one() for _ in range(_GUESTS)])
        return (time.perf_counter() - started) * 1e3

    asyncio.run(everybody())
    found = statistics.median(asyncio.run(everybody()) for _ in range(_ROUNDS))
    return Figure(found, "ms", {"one after the other, waiting alone": _GUESTS * _ASKS * _PAUSE_S * 1e3}, runs=_ROUNDS)


def _live(resources: ExitStack) -> Figure:
    made = runner(resources)
    guest, door = program(made, component()), OpenDoor()
    made.run(guest, _CALL, ("echo", _TEXT), door, _DEADLINE_MS)
    gc.collect()
    before = _resident_kib()
    instances = [made.instance(guest) for _ in range(_LIVE)]
    for instance in instances:
        resources.callback(instance.close)
        instance.invoke(_CALL, ("echo", _TEXT), door, _DEADLINE_MS)
    return Figure((_resident_kib() - before) / _LIVE, "KiB", runs=_LIVE)


def _growth(resources: ExitStack) -> Figure:
    made = runner(resources)
    guest, door = program(made, component()), OpenDoor()

    def cycles(count: int) -> float:
        for _ in range(count):
            made.run(guest, _CALL, ("echo", _TEXT), door, _DEADLINE_MS)
        gc.collect()
        return _resident_kib()

    before = cycles(_WARM_UP)
    return Figure((cycles(_CYCLES) - before) / 1024, "MiB", runs=_CYCLES)


def _help(_resources: ExitStack) -> Figure:
    samples: dict[str, list[float]] = {"remit": [], "python": []}
    commands = {"remit": ["-c", "from remit.cli import main; main()", "--help"], "python": ["-c", "pass"]}
    for _ in range(_STARTS):
        for name, command in commands.items():
            started = time.perf_counter()
            subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)
            samples[name].append((time.perf_counter() - started) * 1e3)
    found = {name: statistics.median(values) for name, values in samples.items()}
    return Figure(found.pop("remit"), "ms", found, runs=_STARTS)


BENCHMARKS = (
    Benchmark(
        "sandbox.two_threads",
        "warm calls a second, two threads together",
        "",
        "Two threads, each with an instance of its own, 100-byte echo. Python's lock lets one of them prepare a call "
        "at a time, so short calls gain little from a second thread, with any host. More is better.",
        _two_threads,
    ),
    Benchmark(
        "sandbox.async_100",
        "a hundred guests on one event loop",
        "",
        f"{_GUESTS} fresh guests through the asyncio runner on one thread; each asks the host {_ASKS} times and waits "
        "1 ms for each answer. The peer is computed: the same waits one after the other.",
        _async_guests,
    ),
    Benchmark(
        "sandbox.live_memory",
        "memory of a live small instance",
        "",
        f"Resident memory with {_LIVE} instances that were each called once, less the memory before, for each.",
        _live,
    ),
    Benchmark(
        "sandbox.fresh_growth",
        "growth over 20,000 fresh sandboxes",
        "≤ 1 MB",
        f"Resident memory after {_CYCLES:,} calls with a fresh instance each, less after the first {_WARM_UP:,}.",
        _growth,
    ),
    Benchmark(
        "cli.help",
        "`remit --help`",
        "≤ 200 ms",
        "A process of its own, start to end. The peer is a Python process that does nothing.",
        _help,
    ),
)
