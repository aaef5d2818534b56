"""Instances that wait: kept ones between their calls, and spares of programs whose instances are dear to make.

A kept instance serves call after call of one program and one partition, never two at a time. A spare has never been
called: it stands in for a fresh one, so that a request does not wait for the making. Spares are made, and used
instances of such programs are closed, by one thread that lives while there is something to do. Everything is bounded,
and what does not fit is closed, never refused.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

from remit.errors import HostFault, SandboxError
from remit.kernel.answers import Ok, Refused
from remit.kernel.model import Program
from remit.kernel.ports import Ids
from remit.sandbox.guest.instance import Instance

__all__ = ["ClosedDoor", "Pool", "RehearsalDoor"]

Make = Callable[[], Instance]
"""Makes an instance and starts it; raises :class:`SandboxError` if it does not start."""

_MOST_KEPT = 8
"""Kept instances of one program and partition that wait; more than so many calls at once make fresh ones."""
_MOST_WAITING = 64
"""Kept instances of all programs together; the longest unused go first."""
_SPARES = 2
_MOST_PROGRAMS = 8
_IDLE_S = 1.0
"""How long the thread waits for more to do before it ends."""
_LOOK_S = 0.001
_LOOKS = 100
"""How often, and how many times after there was something to do, it looks for used instances by itself: waking it would
be the dearest part of a call, and most of the time a spare is left for the next one."""


class ClosedDoor:
    """The door of a guest that starts before anybody calls it: nothing may be asked, and asking ends the start."""

    partition = ""
    """Nobody's."""

    def __init__(self) -> None:
        self.abort: BaseException | None = None

    def __call__(self, interface: str, function: str, arguments: tuple[Any, ...]) -> Ok | Refused:  # noqa: ARG002 - the port's
        """Refuse, and have the guest stopped."""
        self.abort = HostFault(f"the guest calls {interface}.{function} before it is called itself")
        return Refused("unavailable", "nobody has called yet")


class RehearsalDoor(ClosedDoor):
    """The door of a rehearsal: randomness, with which language runtimes seed themselves, and nothing else."""

    def __init__(self, ids: Ids) -> None:
        super().__init__()
        self._ids = ids

    def __call__(self, interface: str, function: str, arguments: tuple[Any, ...]) -> Ok | Refused:
        """A random number or text; for anything else, as the closed door."""
        if interface == "random":
            return Ok(self._ids.random(arguments[0]).hex() if arguments else int.from_bytes(self._ids.random(8)))
        return super().__call__(interface, function, arguments)


class Pool:
    """The waiting instances of one runner. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[Program, str], list[Instance]] = OrderedDict()
        self._spares: OrderedDict[Program, tuple[list[Instance], Make | None]] = OrderedDict()
        self._used: deque[tuple[Program, Instance]] = deque()
        self._work: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._looking = False
        self._worker: threading.Thread | None = None
        self._closed = False

    # ---- kept ----

    def take(self, program: Program, partition: str) -> Instance | None:
        """A kept instance, for the caller alone until :meth:`keep`."""
        with self._lock:
            waiting = self._kept.get((program, partition))
            return waiting.pop() if waiting else None

    def keep(self, program: Program, partition: str, instance: Instance) -> None:
        """Have it wait for the next call, if it can be called again and there is room."""
        surplus = [instance]
        if instance.state == "ready" and not instance.worn:
            with self._lock:
                waiting = self._kept.setdefault((program, partition), [])
                self._kept.move_to_end((program, partition))
                if len(waiting) < _MOST_KEPT and not self._closed:
                    waiting.append(surplus.pop())
                while sum(map(len, self._kept.values())) > _MOST_WAITING:
                    surplus += self._kept.popitem(last=False)[1]
        for one in surplus:
            one.close()

    # ---- spares ----

    def spare(self, program: Program, make: Make) -> Instance | None:
        """An instance that was never called, if one is ready; from now on there will be, unless it cannot start so."""
        with self._lock:
            ready, _ = self._spares.setdefault(program, ([], make))
            self._spares.move_to_end(program)
            dropped = self._spares.popitem(last=False) if len(self._spares) > _MOST_PROGRAMS else None
            found = ready.pop() if ready else None  # the newest: more of it is in the processor's caches
        if dropped is not None:
            for one in dropped[1][0]:
                one.close()
        return found

    def used(self, program: Program, instance: Instance) -> None:
        """Close a used instance, and make a spare in its place, on the pool's own thread: at once, if none is left."""
        self._used.append((program, instance))
        # The instance is there before the look, and the thread looks for it once more before it stops looking.
        if not (self._looking and self._spares.get(program, ((),))[0]):
            self._later(self._replace)

    def _replace(self) -> None:
        while self._used:
            program, instance = self._used.popleft()
            instance.close()
            self._refill(program)

    def _refill(self, program: Program) -> None:
        """Make the spares that are missing: with one left over, nobody waits for the next."""
        while True:
            with self._lock:
                ready, make = self._spares.get(program, (None, None))
            if ready is None or make is None or len(ready) >= _SPARES or self._closed:
                return
            try:
                made = make()
            except SandboxError:
                # It does something at its start that only a call may: it has no spares, and is not asked again.
                with self._lock:
                    self._spares[program] = (ready, None)
                return
            with self._lock:
                if program in self._spares and not self._closed:
                    ready.append(made)
                    continue
            made.close()

    def settle(self) -> None:
        """Wait until what was asked of the pool's thread so far is done: for who measures what comes before it."""
        done = threading.Event()
        self._later(self._replace)
        self._later(done.set)
        done.wait()

    def _later(self, job: Callable[[], None]) -> None:
        self._work.put(job)
        # The job is there before the look, and the thread looks for jobs after it has left: one sees the other.
        if self._worker is None:
            self._hire()

    def _hire(self) -> None:
        with self._lock:
            if self._worker is None:
                self._worker = threading.Thread(target=self._run, name="remit-spares", daemon=True)
                self._worker.start()

    def _run(self) -> None:
        try:
            self._serve()
        finally:  # whatever ended this thread: the next job finds that there is none
            self._looking, self._worker = False, None
            if not self._work.empty():
                self._hire()

    def _serve(self) -> None:
        looks = 0
        while True:
            self._looking = looks < _LOOKS
            job = self._replace
            if not self._used:
                try:
                    job = self._work.get(timeout=_LOOK_S if self._looking else _IDLE_S)
                except Empty:
                    if not self._looking:
                        return
                    looks += 1
                    continue
            looks = 0
            with suppress(SandboxError):
                job()

    # ---- the end ----

    def close(self) -> None:
        """Close all that waits; what is still out is closed when it comes back."""
        with self._lock:
            self._closed = True
            waiting = [one for kept in self._kept.values() for one in kept]
            waiting += [one for ready, _ in self._spares.values() for one in ready]
            waiting += [self._used.popleft()[1] for _ in range(len(self._used))]
            self._kept.clear()
            self._spares.clear()
        for one in waiting:
            one.close()
