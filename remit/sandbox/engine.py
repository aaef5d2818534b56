"""wasmtime engines: one per process and configuration, their clock of epochs, and what becomes of both after a fork.

An epoch is about a millisecond, and only a hint: who wants to know whether time is up asks the Clock (see
:mod:`remit.sandbox.call`). A child of ``fork`` gets engines of its own; the parent's are left alone in it, never
freed, because their locks may be held by threads that the child does not have.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import threading
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol
from weakref import WeakSet

from wasmtime import Config, Engine

__all__ = [
    "HUB",
    "MAX_STACK",
    "Forked",
    "abandon",
    "engine_for",
    "fingerprint",
    "make_engine",
    "survive_fork",
]

MAX_STACK = 2 << 20
"""Bytes of guest stack at most: Python's threads have eight MiB, of which wasmtime must leave the host enough."""

_TICK_S = 0.001
_IDLE_TICKS = 100

_FEATURES_OFF = (
    "wasm_threads", "wasm_memory64", "wasm_gc", "wasm_function_references", "wasm_stack_switching",
    "wasm_custom_page_sizes", "wasm_wide_arithmetic", "shared_memory",
)  # fmt: skip
"""Proposals that units do not need: less to trust."""
_REVISION = 1
"""Raised with any change of :func:`make_engine` that its other inputs do not show."""


class Forked(Protocol):
    """Somebody with locks or wasmtime objects of their own."""

    def after_fork(self) -> None:
        """Start afresh in a child of ``fork``: called there, before anything else runs."""
        ...


def make_engine(*, metered: bool, stack: int, parallel: bool = False) -> Engine:
    """A new engine of our one configuration.

    :param metered: count instructions (fuel)
    :param stack: bytes that wasm frames may take
    :param parallel: compile on many threads; only in the compiler's process, since such threads do not survive a fork
    """
    config = Config()
    for feature in _FEATURES_OFF:
        setattr(config, feature, False)
    config.wasm_component_model = True
    config.epoch_interruption = True
    config.cranelift_nan_canonicalization = True
    config.wasm_relaxed_simd_deterministic = True
    config.max_wasm_stack = min(stack, MAX_STACK)
    config.parallel_compilation = parallel
    if metered:
        config.consume_fuel = True
    return Engine(config)


@functools.cache
def fingerprint(*, metered: bool) -> str:
    """Names everything that compiled code depends on: wasmtime, our configuration, and the processor."""
    release = version("wasmtime")
    parts = ("remit/code/1", release, str(_REVISION), *_FEATURES_OFF, f"metered={metered}", _processor())
    return f"{release}-{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:16]}"


def _processor() -> str:
    """Architecture and, where the system tells, the processor's features: compiled code uses all of them."""
    machine = f"{platform.system()}-{platform.machine()}"
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return f"{machine}-{platform.processor()}"
    return f"{machine}-{next((line for line in lines if line.lower().startswith(('flags', 'features'))), '')}"


class _Hub:
    """The engines of this process and the thread that moves their epochs while a guest runs.

    A guest runs between :meth:`enter` and :meth:`leave`; the hot path of :mod:`remit.sandbox.instance` has both written
    out.
    """

    running: dict[int, Engine]
    """The engines of the stores that run, by the address of their context."""
    ticker: threading.Thread | None
    forks: int
    """How many forks lie between this process and the one that loaded this module: stores do not cross one."""

    def __init__(self) -> None:
        self._kept: list[Any] = []
        self._survivors: WeakSet[Forked] = WeakSet()
        self.forks = 0
        self._start()

    def _start(self) -> None:
        self._lock = threading.Lock()
        self._engines: dict[tuple[bool, int], Engine] = {}
        self.running = {}
        self.ticker = None

    def engine(self, *, metered: bool, stack: int) -> Engine:
        stack = min(stack, MAX_STACK)
        with self._lock:
            if (metered, stack) not in self._engines:
                self._engines[metered, stack] = make_engine(metered=metered, stack=stack)
            return self._engines[metered, stack]

    def enter(self, key: int, engine: Engine) -> None:
        """Have the engine's epoch move on about once per millisecond, until :meth:`leave`."""
        self.running[key] = engine
        if self.ticker is None:
            self.wake()

    def leave(self, key: int) -> None:
        """The guest that entered by this key has ended."""
        self.running.pop(key, None)

    def wake(self) -> None:
        """Start the ticker, unless it runs."""
        with self._lock:
            if self.ticker is None:
                self.ticker = threading.Thread(target=self._tick, name="remit-epochs", daemon=True)
                self.ticker.start()

    def _tick(self) -> None:
        pause = threading.Event()
        idle = 0
        while True:
            pause.wait(_TICK_S)
            engines = set(list(self.running.values()))  # noqa: C414 - a list is made in one step, a set is not
            idle = 0 if engines else idle + 1
            if idle > _IDLE_TICKS:
                # Nobody has run for a while: the next guest starts another thread, an idle host has none.
                self.ticker = None
                # A guest enters, then looks for the ticker; this leaves, then looks for guests: one sees the other.
                if not self.running:
                    return
                self.wake()
                return
            for engine in engines:
                engine.increment_epoch()

    def abandon(self, thing: Any) -> None:
        self._kept.append(thing)

    def survive(self, thing: Forked) -> None:
        self._survivors.add(thing)

    def after_fork(self) -> None:
        self._kept.append((self._engines, self.running))
        self.forks += 1
        self._start()
        for thing in list(self._survivors):
            thing.after_fork()


HUB = _Hub()
os.register_at_fork(after_in_child=HUB.after_fork)


def engine_for(*, metered: bool, stack: int) -> Engine:
    """This process's engine for a configuration."""
    return HUB.engine(metered=metered, stack=stack)


def abandon(thing: Any) -> None:
    """Keep a wasmtime object of the parent process for ever, so that its finaliser does not run in the child."""
    HUB.abandon(thing)


def survive_fork(thing: Forked) -> None:
    """Have ``thing.after_fork()`` called in every child; it is held weakly."""
    HUB.survive(thing)
