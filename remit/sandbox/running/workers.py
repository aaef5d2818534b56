"""A runner that runs some programs in worker processes: a fault of wasmtime then costs the worker, not the kernel.

Which programs, policy says (``unit:inline``): those of units that it does not let run in the kernel's own process. A
worker runs one call at a time and is used again; it is killed when its call is cancelled or does not end, and replaced
when it dies. Everything but running is the inner runner's.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from remit.errors import CallCancelled, DeadlineExceeded, HostFault, from_dict
from remit.kernel.answers import Refused
from remit.kernel.model import Exported, GuestOutcome, Program
from remit.kernel.ports import HostCalls, Progress, no_progress
from remit.sandbox.engines.engine import abandon, survive_fork
from remit.sandbox.running.aside import aside
from remit.sandbox.running.early import Early
from remit.sandbox.running.runner import ComponentRunner
from remit.sandbox.running.wire import Answer, Ask, Channel, Closed, Done, Failed, Run, Start

__all__ = ["IsolatingRunner"]

_IDLE = 4
"""Workers that wait for their next call."""
_GRACE_S = 2.0
"""How much longer than its deadline a call in a worker may take before the worker is killed."""
_BOOT = "import sys; sys.path[:] = {path!r}; from remit.sandbox.running.worker import main; main({descriptor})"


class _Worker:
    """One process and the channel to it."""

    def __init__(self, start: Start) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            boot = _BOOT.format(path=sys.path, descriptor=theirs.fileno())
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-I", "-c", boot],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={},
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        self._channel = Channel(ours, Ask | Done | Failed)
        self.killed = False
        self.busy = False
        self._channel.send(start)

    def run(self, run: Run, host: HostCalls) -> GuestOutcome:
        """Run an export there, and answer its host calls here.

        :raises Closed: if the worker died
        :raises TimeoutError: if it does not end
        """
        self.busy = True
        self._channel.send(run)
        while isinstance(said := self._channel.receive(run.deadline_ms / 1000 + _GRACE_S), Ask):
            self._channel.send(_answer(host, said))
        self.busy = False
        if isinstance(said, Failed):
            raise from_dict(said.error)
        return said.outcome  # type: ignore[no-any-return] # decoded as Done

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End it; whoever waits for it hears that it is gone."""
        self.killed = True
        self._process.kill()

    def ended(self) -> int:
        """Hang up, and how it ended then."""
        self._channel.close()
        try:
            return self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()


def _answer(host: HostCalls, ask: Ask) -> Answer:
    try:
        found = host(ask.interface, ask.function, ask.arguments)
    except Exception as error:
        raise HostFault(f"a host function failed: {type(error).__name__}: {error}") from error
    abort = host.abort is not None
    if isinstance(found, Refused):
        return Answer(refusal=found.code, message=found.message, abort=abort)
    return Answer(value=found.value, abort=abort)


class IsolatingRunner:
    """Implements :class:`remit.kernel.ports.Runner`.

    :param inner: prepares every program, and runs those that are not isolated
    :param start: what a worker is told first
    :param isolate: whether a program runs in a worker
    """

    def __init__(self, inner: ComponentRunner, start: Start, isolate: Callable[[Program], bool]) -> None:
        self._inner = inner
        self._start = start
        self._isolate = isolate
        self._closed = False
        self._reset()
        survive_fork(self)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._active: dict[int, _Worker] = {}
        self._early = Early()

    def after_fork(self) -> None:
        """The workers are the parent's."""
        abandon((self._idle, self._active))
        self._reset()

    # ---- running ----

    def run(
        self, program: Program, export: str, arguments: tuple[Any, ...], host: HostCalls, deadline_ms: int
    ) -> GuestOutcome:
        """As the inner runner; in a worker if the program is to be isolated.

        :raises SandboxError: one class per limit and fault; :class:`HostFault` if the worker died
        """
        if not self._isolate(program):
            return self._inner.run(program, export, arguments, host, deadline_ms)
        worker = self._obtain(host)
        try:
            outcome = worker.run(Run(program, export, arguments, deadline_ms, host.partition), host)
        except Closed:
            self._forget(host)
            raise self._why(worker, host) from None
        except TimeoutError:
            self._forget(host)
            worker.kill()
            worker.ended()
            message = f"the call took longer than its {deadline_ms} ms, and its worker was killed"
            raise host.abort or DeadlineExceeded(message, deadline_ms=deadline_ms) from None
        except BaseException:
            self._keep(host, worker)
            if host.abort is not None:
                raise host.abort from None
            raise
        self._keep(host, worker)
        return outcome

    async def arun(
        self, program: Program, export: str, arguments: tuple[Any, ...], host: HostCalls, deadline_ms: int
    ) -> GuestOutcome:
        """As the inner runner's; an isolated program has a thread wait for its worker."""
        if not self._isolate(program):
            return await self._inner.arun(program, export, arguments, host, deadline_ms)
        run = partial(self.run, program, export, arguments, host, deadline_ms)
        return await aside(run, cancel=partial(self.cancel, host))

    def _why(self, worker: _Worker, host: HostCalls) -> BaseException:
        code = worker.ended()
        if worker.killed:
            return CallCancelled("the call was cancelled")
        if host.abort is not None:
            return host.abort
        how = signal.Signals(-code).name if code < 0 else f"exit {code}"
        return HostFault(f"the worker that ran the guest died ({how}); the kernel goes on", exit=code)

    def _obtain(self, host: HostCalls) -> _Worker:
        worker = None
        while worker is None:
            with self._lock:
                if self._closed:
                    raise HostFault("the runner was closed")
                waiting = self._idle.pop() if self._idle else None
            worker = waiting or _Worker(self._start)
            if not worker.alive:  # it died while it waited: nobody's call is lost
                worker.ended()
                worker = None
        with self._lock:
            if not self._early.take(host):
                self._active[id(host)] = worker
                return worker
        self._keep(host, worker)
        raise CallCancelled("the call was cancelled before it began")

    def _forget(self, host: HostCalls) -> None:
        with self._lock:
            self._active.pop(id(host), None)

    def _keep(self, host: HostCalls, worker: _Worker) -> None:
        with self._lock:
            self._active.pop(id(host), None)
            if not (self._closed or worker.killed or worker.busy) and len(self._idle) < _IDLE:
                self._idle.append(worker)
                return
        if worker.busy:
            worker.kill()
        worker.ended()

    def cancel(self, host: HostCalls) -> None:
        """Stop the call that runs with this door, or that will; its worker is killed."""
        with self._lock:
            worker = self._active.get(id(host))
            if worker is None:
                self._early.note(host)
        if worker is None:
            self._inner.cancel(host)
        else:
            worker.kill()

    # ---- the rest is the inner runner's ----

    def interfaces(
        self, component: bytes, progress: Progress = no_progress, *, native: str = ""
    ) -> tuple[frozenset[str], frozenset[str]]:
        """See :class:`ComponentRunner`, here and below."""
        return self._inner.interfaces(component, progress, native=native)

    def functions(self, component: bytes, progress: Progress = no_progress) -> Mapping[str, Exported]:
        """Every exported function that is not our world's."""
        return self._inner.functions(component, progress)

    def prepare(
        self, artifact: str, load: Callable[[], bytes], progress: Progress = no_progress, *,
        metered: bool = False, native: str = "",
    ) -> None:  # fmt: skip
        """Compile an artifact into the cache that workers read."""
        self._inner.prepare(artifact, load, progress, metered=metered, native=native)

    def entries(self) -> Sequence[msgspec.Struct]:
        """The compiled code on disk."""
        return self._inner.entries()

    def clear(self) -> int:
        """Remove the compiled code on disk."""
        return self._inner.clear()

    def close(self) -> None:
        """Stop what runs, and end every worker."""
        with self._lock:
            self._closed = True
            idle, active = self._idle, list(self._active.values())
            self._idle = []
        for worker in active:
            worker.kill()
        for worker in idle:
            worker.ended()
        self._inner.close()
