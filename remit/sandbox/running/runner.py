"""The kernel's port for running components: finds or makes the code, keeps what is loaded, runs calls, stops them.

A call gets an instance of its own, or one that is kept for its program and partition. Safe from any thread that does
not handle signals: Python runs signal handlers inside ctypes callbacks, and one that raises there would crash the
process.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from remit.errors import (
    CallCancelled,
    HostFault,
    InputTooLarge,
    SandboxError,
)
from remit.kernel.model import Exported, GuestOutcome, Limits, Program
from remit.kernel.ports import Clock, HostCalls, Ids, Progress, no_progress
from remit.sandbox.code.cache import CacheEntry, CodeCache
from remit.sandbox.code.compiling import CompileBounds
from remit.sandbox.engines.engine import abandon, survive_fork
from remit.sandbox.guest.call import CHECK_EPOCHS, Call
from remit.sandbox.guest.instance import Instance
from remit.sandbox.guest.loaded import Loaded
from remit.sandbox.guest.loop import LoopInstance
from remit.sandbox.running.aside import aside
from remit.sandbox.running.brief import Tries, brief_call
from remit.sandbox.running.early import Early
from remit.sandbox.running.library import SMALL, Library
from remit.sandbox.running.pool import ClosedDoor, Pool, RehearsalDoor
from remit.sandbox.wit.contract import check
from remit.sandbox.wit.plain import plain_functions

__all__ = ["ComponentRunner"]

_START_MS = 1_000
"""Milliseconds that a spare may take to start."""
_REHEARSAL = ("rehearsal", "{" + " " * 94 + "}")
"""An action that is none, and as much input as a small call has: text that is empty takes other ways in a guest."""

Made = TypeVar("Made", bound=Instance)


class ComponentRunner:
    """Runs components of the world ``remit:unit``; implements :class:`remit.kernel.ports.Runner`.

    :param cache: an owner-only folder for compiled code
    :param key: 32 secret bytes that seal it
    :param clock: what deadlines are measured by
    :param bounds: what compiling one artifact may take
    :param rehearse: randomness for spares that are called once before they wait, with an action that no unit has and
        an empty object, so that the language runtime inside has done what it does at its first call. Only for units
        that leave nothing behind in such a call; and what they drew is in no transcript, so their recordings do not
        replay. ``None``: a spare was never called
    :raises HomeUnsafe: if others can enter the folder
    """

    def __init__(
        self,
        cache: Path,
        key: bytes,
        clock: Clock,
        *,
        bounds: CompileBounds | None = None,
        rehearse: Ids | None = None,
    ) -> None:
        self._cache = CodeCache(cache, key)
        self._clock = clock
        self._rehearse = rehearse
        self._library = Library(self._cache, bounds or CompileBounds())
        self._closed = False
        self._reset()
        survive_fork(self)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._active: dict[int, Call] = {}
        self._pool = Pool()
        self._early = Early()
        self._tries = {"fresh": Tries(1, 128), "kept": Tries(128, 1 << 20)}
        """What is lost with an instance that was tried in vain differs; see :mod:`remit.sandbox.running.brief`."""

    def after_fork(self) -> None:
        """Forget what belongs to the parent; the code is loaded again from the cache, for this process's engine."""
        abandon((self._active, self._pool))
        self._library.after_fork()
        self._reset()

    # ---- the port ----

    def interfaces(
        self, component: bytes, progress: Progress = no_progress, *, native: str = ""
    ) -> tuple[frozenset[str], frozenset[str]]:
        """Short names of our interfaces that a component imports and exports; compiles it into the cache on the way.

        :raises ArtifactInvalid: if the bytes are not a component, or take too much to compile
        :raises ImportRefused: if it imports what is neither ours nor in the closed WASI world, naming all of it
        """
        _no_native(native)
        return check(self._library.shape(component, progress))

    def functions(self, component: bytes, progress: Progress = no_progress) -> Mapping[str, Exported]:
        """Every exported function that is not our world's, as an action could be made of it, by its export.

        :raises ArtifactInvalid: if the bytes are not a component, or take too much to compile
        """
        return plain_functions(self._library.shape(component, progress))

    def prepare(
        self, artifact: str, load: Callable[[], bytes], progress: Progress = no_progress, *,
        metered: bool = False, native: str = "",
    ) -> None:  # fmt: skip
        """Compile an artifact into the cache, unless it is there, and remember where its bytes come from.

        :param metered: whether it will run with a fuel limit, which is other code

        :raises ArtifactInvalid: if it does not compile within the compiler's bounds, or is not what its digest says
        :raises DiskFull, HomeReadOnly: if the cache cannot take it
        """
        _no_native(native)
        self._library.prepare(artifact, load, progress, metered=metered)

    def run(
        self, program: Program, export: str, arguments: tuple[Any, ...], host: HostCalls, deadline_ms: int
    ) -> GuestOutcome:
        """Run an export of a prepared program, in a fresh instance or, if the program says so, in one that is kept.

        Code that is not there for this engine (another wasmtime, a metered program) is compiled first, before the
        deadline begins.

        :param deadline_ms: milliseconds that the call may take, host calls included
        :raises SandboxError: one class per limit and fault
        :raises CacheTampered: if the cached code was changed and the artifact's bytes are not known here
        """
        call = self._begin(program, arguments, host, deadline_ms)
        try:
            return self._run(program, call, export, arguments)
        finally:
            self._active.pop(id(host), None)

    async def arun(
        self,
        program: Program,
        export: str,
        arguments: tuple[Any, ...],
        host: HostCalls,
        deadline_ms: int,
        *,
        threaded: bool = True,
    ) -> GuestOutcome:
        """As :meth:`run`, on the running event loop.

        See :mod:`remit.sandbox.running.brief` and :mod:`remit.sandbox.guest.loop`. A large program runs on a thread,
        and so does one that is kept and needs more than a moment: what waits in the pool is not made for a future.

        :param threaded: whether the door may block; if not, it may answer with awaitables, and the instance is fresh
        :raises asyncio.CancelledError: if the task is cancelled; the guest is gone then
        """
        loaded = (
            self._library.get(program)
            if self._library.has(program)
            else await aside(partial(self._library.get, program))
        )
        if threaded and loaded.size > SMALL:
            return await self._beside(program, export, arguments, host, deadline_ms)
        call = self._begin(program, arguments, host, deadline_ms)
        try:
            if threaded and (outcome := self._briefly(program, loaded, call, export, arguments)) is not None:
                return outcome
            if not threaded or program.reuse == "fresh":
                instance = self._make(program, loaded, LoopInstance)
                call.restart_clock()
                try:
                    return await instance.arun(call, export, arguments, threaded=threaded)
                finally:
                    instance.close()
        finally:
            self._active.pop(id(host), None)
        return await self._beside(program, export, arguments, host, deadline_ms)

    async def _beside(
        self, program: Program, export: str, arguments: tuple[Any, ...], host: HostCalls, deadline_ms: int
    ) -> GuestOutcome:
        """As :meth:`run`, on a thread beside the running event loop."""
        run = partial(self.run, program, export, arguments, host, deadline_ms)
        return await aside(run, cancel=partial(self.cancel, host))

    def _briefly(
        self, program: Program, loaded: Loaded, call: Call, export: str, arguments: tuple[Any, ...]
    ) -> GuestOutcome | None:
        """What a guest answers that needs but a moment and nothing of the host; ``None`` has it run as any other.

        :raises SandboxError: if the call was cancelled meanwhile
        """
        kind = program.artifact, export, arguments[0] if export == "provider.call" else ""
        tries = self._tries[program.reuse]
        if not tries.worth(kind):
            return None
        kept = program.reuse == "kept"
        waiting = self._pool.take(program, call.host.partition) if kept else None
        instance = waiting or self._make(program, loaded, Instance)
        brief = brief_call(self._clock)
        outcome = None
        try:
            found = instance.run(brief, export, arguments)
            if brief.host.abort is None and not instance.stderr():  # what it wrote is for the call's own door
                outcome = found
        except SandboxError:  # the guest's, or the moment's: running it anew tells
            pass
        finally:
            if not kept:
                instance.close()
            elif outcome is None:
                self._pool.used(program, instance)  # which closes it elsewhere: there may be much to free
            else:
                self._pool.keep(program, call.host.partition, instance)
        if outcome is None:
            tries.failed(kind)
        else:
            tries.succeeded(kind)
        call.check()
        return outcome

    def _begin(self, program: Program, arguments: tuple[Any, ...], host: HostCalls, deadline_ms: int) -> Call:
        """A call that can be cancelled from now on, until its door is taken out of ``_active``."""
        _check_input(arguments, program.limits)
        call = Call(host, self._clock, deadline_ms)
        with self._lock:
            if self._closed:
                raise HostFault("the runner was closed")
            if self._early.doors and self._early.take(host):
                raise CallCancelled("the call was cancelled before it began")
            self._active[id(host)] = call
        return call

    def _run(self, program: Program, call: Call, export: str, arguments: tuple[Any, ...]) -> GuestOutcome:
        loaded = self._library.get(program)
        pooled = program.reuse == "kept" or loaded.size > SMALL
        found = self._obtain(program, loaded, call.host.partition) if pooled else None
        instance = found or self._make(program, loaded, Instance)
        call.restart_clock()
        try:
            return instance.run(call, export, arguments)
        finally:
            if instance.world is not None:
                _log_stderr(call, instance)
            if pooled:
                self._give_back(program, call.host.partition, instance)
            else:
                instance.close()

    def _obtain(self, program: Program, loaded: Loaded, partition: str) -> Instance | None:
        if program.reuse == "kept":
            return self._pool.take(program, partition)
        return self._pool.spare(program, lambda: self._spare(program, loaded))

    def _give_back(self, program: Program, partition: str, instance: Instance) -> None:
        if program.reuse == "kept":
            self._pool.keep(program, partition, instance)
        else:
            self._pool.used(program, instance)

    def _spare(self, program: Program, loaded: Loaded) -> Instance:
        if self._rehearse is not None and "provider" in loaded.exported:
            rehearsed = self._make(program, loaded, Instance)
            with suppress(SandboxError):
                rehearsed.invoke("provider.call", _REHEARSAL, RehearsalDoor(self._rehearse), _START_MS)
            if rehearsed.state == "ready":
                return rehearsed
            rehearsed.close()
        instance = self._make(program, loaded, Instance)
        try:
            instance.start(Call(ClosedDoor(), self._clock, _START_MS))
        except BaseException:
            instance.close()
            raise
        return instance

    def instance(self, program: Program) -> Instance:
        """An instance of a prepared program for the caller alone, who closes it: sandboxed logic without a kernel.

        :raises ImportRefused: if the component imports what the program does not declare
        :raises CacheTampered: if the cached code was changed and the artifact's bytes are not known here
        """
        return self._make(program, self._library.get(program), Instance, kept=True)

    def _make(self, program: Program, loaded: Loaded, kind: type[Made], *, kept: bool = False) -> Made:
        if not loaded.claim():
            loaded = self._library.get(program, slots=False)
            loaded.claim()
        once = program.reuse == "fresh" and not kept
        return kind(loaded, program.limits, self._clock, pure=program.world == "transform", once=once)

    def cancel(self, host: HostCalls) -> None:
        """Stop the call that runs with this door, or that will; a door is for one call."""
        with self._lock:
            call = self._active.get(id(host))
            if call is None:
                self._early.note(host)
                return
        call.cancel()
        if call.inside is not None:
            # A running guest asks when its epochs are used up: use them up. Other guests ask too, and go on.
            for _ in range(CHECK_EPOCHS):
                call.inside.engine.increment_epoch()

    def settle(self) -> None:
        """Wait until the spares of earlier calls are made: for who measures or tests."""
        self._pool.settle()

    def close(self) -> None:
        """Stop what runs, and let go of everything."""
        with self._lock:
            self._closed = True
            running = list(self._active.values())
        self._library.clear()
        self._pool.close()
        for call in running:
            self.cancel(call.host)

    # ---- the cache, for people ----

    @property
    def cache_folder(self) -> Path:
        """Where the compiled code lies."""
        return self._cache.folder

    def entries(self) -> list[CacheEntry]:
        """The compiled code on disk."""
        return self._cache.entries()

    def clear(self) -> int:
        """Remove the compiled code on disk; give the number of bytes freed."""
        return self._cache.clear()


def _no_native(native: str) -> None:
    if native:
        raise HostFault("native code does not run in the sandbox")


def _check_input(arguments: tuple[Any, ...], limits: Limits) -> None:
    size = 0
    for item in arguments:
        if type(item) is str:
            size += len(item) if item.isascii() else _size(item)
        elif isinstance(item, dict):
            size += sum(_size(value) for value in item.values() if isinstance(value, str))
    if size > limits.input:
        raise InputTooLarge(f"the input has {size} bytes, more than the {limits.input} of one call", limit=limits.input)


def _size(text: str) -> int:
    """Bytes of a text."""
    return len(text) if text.isascii() else len(text.encode(errors="replace"))


def _log_stderr(call: Call, instance: Instance) -> None:
    """Give what the guest wrote to stderr to its log, where its author finds the traceback."""
    for line in instance.stderr():
        if call.host.abort is not None:
            return
        call.host("log", "write", ("error", line, '{"stream":"stderr"}'))
