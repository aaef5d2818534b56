"""Using a home, whoever its kernel is: a live kernel's client, else the kernel itself; and the next one when it goes.

Two processes that start at once settle it by the lock: one becomes the kernel, the other its client.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from remit.errors import ConnectionLost, HomeBusy, KernelUnreachable
from remit.host.facade.emitted import Emitted
from remit.host.facade.facade import Facade
from remit.host.home.home import Home
from remit.host.kernel import Kernel
from remit.host.operations.operations import READS
from remit.host.wire.client import Client, NotPerformed
from remit.journal import Progress
from remit.kernel.model import Caller
from remit.kernel.outcome import Outcome
from remit.sandbox.running.aside import aside

__all__ = ["Connection", "connect"]

T = TypeVar("T")
Signals = Literal["leave", "manage"]
_LOCAL = Caller()
_ATTEMPTS = 500
_PAUSE_S = 0.02


class Connection(Facade):
    """A home through whichever kernel it has. When that goes away, the next operation finds or becomes the next one."""

    def __init__(self, root: Path | str, program: str | None, signals: Signals = "leave") -> None:
        self._root = root
        self._signals = signals
        self._program = program
        self._closed = False
        self._inner: Facade | None = self._resolve()
        self._resolving = threading.Lock()

    @property
    def is_kernel(self) -> bool:
        """Whether this process is the home's kernel at the moment."""
        return isinstance(self._inner, Kernel)

    def perform(
        self, operation: str, arguments: Mapping[str, Any], result: type[T], *, caller: Caller, progress: Progress
    ) -> T:
        """Perform one operation; again with the next kernel where the last one had not begun, or nothing could change.

        :raises ConnectionLost: if the kernel went away in the middle of a change
        """
        while True:
            inner = self._current()
            try:
                return inner.perform(operation, arguments, result, caller=caller, progress=progress)
            except ConnectionLost as error:
                self._forget(inner)
                if not isinstance(error, NotPerformed) and operation not in READS:
                    raise

    async def acall_text(
        self,
        action: str,
        text: str,
        *,
        durability: Literal["committed", "queued"] = "committed",
        caller: Caller = _LOCAL,
    ) -> Outcome:
        """See the façade; again with the next kernel where the last one had not begun."""
        while True:
            inner = await aside(self._current)
            try:
                return await inner.acall_text(action, text, durability=durability, caller=caller)
            except ConnectionLost as error:
                self._forget(inner)
                if not isinstance(error, NotPerformed):
                    raise

    def emit_soon(
        self, topic: str, data: Any = None, *, reply_to: str = "", priority: int = 0, caller: Caller = _LOCAL
    ) -> Emitted:
        """See the façade."""
        inner = self._current()
        if isinstance(inner, Kernel):
            return inner.emit_soon(topic, data, reply_to=reply_to, priority=priority, caller=caller)
        return super().emit_soon(topic, data, reply_to=reply_to, priority=priority, caller=caller)

    def _current(self) -> Facade:
        with self._resolving:
            if self._closed:
                raise ConnectionLost("this connection is closed", remedy="connect again")
            if self._inner is None:
                self._inner = self._resolve()
            return self._inner

    def _forget(self, inner: Facade) -> None:
        with self._resolving:
            if self._inner is inner:
                self._inner = None
        inner.close()

    def _resolve(self) -> Facade:
        pause = threading.Event()
        for _ in range(_ATTEMPTS):
            try:
                return Kernel.open(self._root, program=self._program, signals=self._signals)
            except HomeBusy:
                pass
            try:
                return Client(Home.open(self._root))
            except (OSError, ConnectionLost):  # it is starting, or just went
                pause.wait(_PAUSE_S)
        holder = Home.open(self._root).holder()
        who = f"process {holder.pid} ({holder.program})" if holder else "another process"
        raise KernelUnreachable(f"{who} holds the home's lock but does not answer on its socket")

    def close(self) -> None:
        """Let go: a kernel closes, a client hangs up."""
        with self._resolving:
            self._closed = True
            if self._inner is not None:
                self._inner.close()


def connect(root: Path | str, *, program: str | None = None, signals: Signals = "leave") -> Connection:
    """Use a home: as the client of its live kernel, else as its kernel.

    :param program: what the lock names as its holder, where this process becomes the kernel
    :param signals: as :meth:`Kernel.open` takes it, where this process becomes the kernel
    :raises HomeMissing: if there is no home
    :raises KernelUnreachable: if the lock's holder does not answer for ten seconds
    """
    return Connection(root, program, signals)
