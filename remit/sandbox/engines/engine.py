"""wasmtime engines: one per process and configuration, their clock of epochs, and what becomes of both after a fork.

An epoch is about a millisecond, the first one up to three, and only a hint: who wants to know whether time is up asks
the Clock (see :mod:`remit.sandbox.guest.call`). A child of ``fork`` gets engines of its own; the parent's are left
alone in it, never freed, because their locks may be held by threads that the child does not have.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import threading
from collections import deque
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol
from weakref import WeakSet

from wasmtime import Config, Engine
from wasmtime import _ffi as ffi

from remit.sandbox.engines.holding import Alarm, alarm_for

__all__ = [
    "HUB",
    "INSTANCES",
    "MAX_STACK",
    "SLOTS",
    "SLOT_MEMORIES",
    "TABLES",
    "TABLE_ELEMENTS",
    "Forked",
    "abandon",
    "alarm_of",
    "engine_for",
    "fingerprint",
    "make_engine",
    "slots_of",
    "survive_fork",
]

MAX_STACK = 2 << 20
"""Bytes of guest stack at most: Python's threads have eight MiB, of which wasmtime must leave the host enough."""

_TICK_S = 0.001
_LOOK_S = 0.003
"""How often the ticker looks whether a guest needs it: none does that is done by then, or keeps Python's lock."""
_IDLE_LOOKS = 33

_FEATURES_OFF = (
    "wasm_threads", "wasm_memory64", "wasm_gc", "wasm_function_references", "wasm_stack_switching",
    "wasm_custom_page_sizes", "wasm_wide_arithmetic", "shared_memory", "wasm_component_model_async",
    "concurrency_support",
)  # fmt: skip
"""Proposals that units do not need: less to trust. The last, what the component model's own ``async`` needs of a store,
costs every call a tenth of its time where it is on."""
_REVISION = 1
"""Raised with any change of :func:`make_engine` that its other inputs do not show."""


class Runs(Protocol):
    """A call that runs; see :class:`remit.sandbox.guest.call.Call`."""

    inside: Any
    """The instance that it runs in, whose ``engine`` has the epochs that it needs; no such ones, if it ``holds``."""


class Forked(Protocol):
    """Somebody with locks or wasmtime objects of their own."""

    def after_fork(self) -> None:
        """Start afresh in a child of ``fork``: called there, before anything else runs."""
        ...


INSTANCES = 256
TABLES = 32
TABLE_ELEMENTS = 64 << 10
"""What one store may have: core instances, tables, and elements of one table, eight bytes each."""
SLOTS = 128
"""Stores at most that one pooled engine holds at a time."""
SLOT_MEMORIES = 2
"""Memories at most of a component that goes into a slot."""
_RESIDENT = 512 << 10
"""Bytes of a slot that stay in memory, wiped, when its instance goes: cheaper than giving pages back and forth."""
_WARM_SLOTS = 16


def make_engine(*, metered: bool, stack: int, parallel: bool = False, pooled: bool = False) -> Engine:
    """A new engine of our one configuration.

    :param metered: count instructions (fuel)
    :param stack: bytes that wasm frames may take
    :param parallel: compile on many threads; only in the compiler's process, since such threads do not survive a fork
    :param pooled: take instances from slots that are reserved once, for components of a few memories and little state:
        a fresh one then costs a quarter
    :raises WasmtimeError: if there is no address space for the slots
    """
    config = Config()
    for feature in _FEATURES_OFF:  # the package has no property for some of them
        getattr(ffi, f"wasmtime_config_{feature}_set")(config.ptr(), False)  # noqa: FBT003 - C API
    config.wasm_component_model = True
    config.epoch_interruption = True
    config.cranelift_nan_canonicalization = True
    config.wasm_relaxed_simd_deterministic = True
    config.max_wasm_stack = min(stack, MAX_STACK)
    config.parallel_compilation = parallel
    if metered:
        config.consume_fuel = True
    if pooled:
        _pool(config)
    return Engine(config)


def _pool(config: Config) -> None:
    """Reserve slots; code that was compiled without them runs in them, since a memory is as large as everywhere."""
    pool: Any = ffi.wasmtime_pooling_allocation_config_new()
    for name, value in {
        "max_memory_size": 4 << 30,
        "max_memories_per_module": SLOT_MEMORIES,
        "max_tables_per_module": TABLES,
        "total_memories": SLOTS * SLOT_MEMORIES,
        "total_tables": SLOTS * TABLES,
        "total_core_instances": SLOTS * INSTANCES,
        "total_component_instances": SLOTS,
        "table_elements": TABLE_ELEMENTS,
        "linear_memory_keep_resident": _RESIDENT,
        "table_keep_resident": _RESIDENT,
        "max_unused_warm_slots": _WARM_SLOTS,
    }.items():
        getattr(ffi, f"wasmtime_pooling_allocation_config_{name}_set")(pool, value)
    ffi.wasmtime_pooling_allocation_strategy_set(config.ptr(), pool)
    ffi.wasmtime_pooling_allocation_config_delete(pool)


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

    A guest runs between :meth:`enter` and :meth:`leave`; the hot path of :mod:`remit.sandbox.guest.instance` has both
    written out.
    """

    running: dict[int, Runs]
    """The calls that run in stores of this process, by the address of the store's context; always the same object."""
    ticker: threading.Thread | None
    forks: int
    """How many forks lie between this process and the one that loaded this module: stores do not cross one."""

    def __init__(self) -> None:
        self.running = {}
        self._kept: list[Any] = []
        self._survivors: WeakSet[Forked] = WeakSet()
        self.forks = 0
        self._start()

    def _start(self) -> None:
        self._lock = threading.Lock()
        self._engines: dict[tuple[bool, int, bool], Engine] = {}
        self._slots: dict[Engine, deque[None]] = {}
        self._alarms: dict[Engine, Alarm] = {}
        self.ticker = None

    def engine(self, *, metered: bool, stack: int, pooled: bool) -> Engine:
        key = (metered, min(stack, MAX_STACK), pooled)
        with self._lock:
            if key not in self._engines:
                self._engines[key] = make_engine(metered=metered, stack=key[1], pooled=pooled)
                if pooled:
                    self._slots[self._engines[key]] = deque([None] * SLOTS)
                # A child has none: where the parent was at a timer, the C library's lock is locked for ever.
                alarm = alarm_for(self._engines[key]) if not self.forks else None
                if alarm is not None:
                    self._alarms[self._engines[key]] = alarm
            return self._engines[key]

    def slots(self, engine: Engine) -> deque[None] | None:
        return self._slots.get(engine)

    def alarm(self, engine: Engine) -> Alarm | None:
        return self._alarms.get(engine)

    def enter(self, context: int, call: Runs) -> None:
        """Have the epoch of its engine move on about once per millisecond, until :meth:`leave`."""
        self.running[context] = call
        if self.ticker is None:
            self.wake()

    def leave(self, context: int) -> None:
        """The call in this store has ended."""
        self.running.pop(context, None)

    def wake(self) -> None:
        """Start the ticker, unless it runs."""
        with self._lock:
            if self.ticker is None:
                self.ticker = threading.Thread(target=self._tick, name="remit-epochs", daemon=True)
                self.ticker.start()

    def _tick(self) -> None:
        pause = threading.Lock()  # waiting for an Event takes many steps of Python, which guests' hosts would wait for
        pause.acquire()
        idle = 0
        engines: set[Engine] = set()
        while True:
            pause.acquire(timeout=_TICK_S if engines else _LOOK_S)
            calls = list(self.running.values())  # made in one step, unlike the set
            engines = {call.inside.engine for call in calls if not call.inside.holds}
            idle = 0 if calls else idle + 1
            if idle > _IDLE_LOOKS:
                # Nobody has run for a while: the next guest starts another thread, an idle host has none.
                self.ticker = None
                # A guest enters, then looks for the ticker; this leaves, then looks for guests: one sees the other.
                if not self.running:
                    for alarm in list(self._alarms.values()):
                        alarm.rest(self.running)
                    return
                self.wake()
                return
            for engine in engines:
                engine.increment_epoch()
            for alarm in list(self._alarms.values()):
                alarm.put_off_again()

    def abandon(self, thing: Any) -> None:
        self._kept.append(thing)

    def survive(self, thing: Forked) -> None:
        self._survivors.add(thing)

    def after_fork(self) -> None:
        self._kept.append((self._engines, dict(self.running)))
        self.running.clear()
        self.forks += 1
        self._start()
        for thing in list(self._survivors):
            thing.after_fork()


HUB = _Hub()
os.register_at_fork(after_in_child=HUB.after_fork)


def engine_for(*, metered: bool, stack: int, pooled: bool = False) -> Engine:
    """This process's engine for a configuration.

    :raises WasmtimeError: if there is no address space for a pooled one
    """
    return HUB.engine(metered=metered, stack=stack, pooled=pooled)


def slots_of(engine: Engine) -> deque[None] | None:
    """The free slots of a pooled engine, one item each: an instance pops one and gives it back. ``None`` without."""
    return HUB.slots(engine)


def alarm_of(engine: Engine) -> Alarm | None:
    """What bounds guests of this engine that keep Python's lock; ``None`` where none may."""
    return HUB.alarm(engine)


def abandon(thing: Any) -> None:
    """Keep a wasmtime object of the parent process for ever, so that its finaliser does not run in the child."""
    HUB.abandon(thing)


def survive_fork(thing: Forked) -> None:
    """Have ``thing.after_fork()`` called in every child; it is held weakly."""
    HUB.survive(thing)
