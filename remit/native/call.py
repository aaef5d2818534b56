"""One call of native code: its own thread, the door to the host that it has, and how it is stopped.

Python cannot end a thread. When the call is over (deadline, cancellation, a host call that ends it) no host call begins
any more, and :class:`Stopped` is raised in the thread between two of its steps. A loop in Python ends so; what waits
inside C stays, and holds its thread until it comes back.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from remit.errors import CallCancelled, DeadlineExceeded
from remit.kernel.answers import Ok, Refused

if TYPE_CHECKING:
    from remit.kernel.ports import HostCalls

__all__ = ["Call", "Stopped", "received"]

_PATIENCE_S = 1.0
"""How long a stop waits for the host call in progress; the deadline bounds those too."""


class Stopped(BaseException):
    """The call is over: raised in the unit's code. No :class:`Exception`, so that ``except Exception`` lets it pass."""


class Call:
    """What the thread of the unit and the one that waits for it share."""

    def __init__(self, host: HostCalls, interfaces: frozenset[str], refuse: Callable[[str, str], Exception]) -> None:
        """Stand ready.

        :param interfaces: what the manifest entitles the unit to
        :param refuse: makes the SDK's exception for a refusal, from its code and message
        """
        self.host = host
        self._interfaces = interfaces
        self._refuse = refuse
        self._gate = threading.Lock()  # held during each host call, and while the call is declared over
        self._woken = threading.Event()
        self._cancelled = self._over = self._interrupted = self._ended = False
        self._thread: int | None = None
        self._result: Any = None
        self._error: BaseException | None = None

    # ---- for who waits ----

    def run(self, work: Callable[[], Any], limit_ms: int, start: Callable[[Callable[[], None]], None]) -> Any:
        """Have a thread do the work, and give what it gives.

        :param start: starts a thread with what it is given
        :raises DeadlineExceeded: if it is not done in time
        :raises CallCancelled: if it is cancelled meanwhile
        :raises BaseException: what the work raised
        """
        try:
            start(lambda: self._body(work))
            self._woken.wait(limit_ms / 1_000)
        finally:  # a handler of a signal may raise here
            self._stop()
        if self.host.abort is not None:
            raise self.host.abort
        if self._ended and self._error is not None:
            raise self._error
        if self._ended:
            return self._result
        if self._cancelled:
            raise CallCancelled("the call was cancelled")
        raise DeadlineExceeded(f"the call took longer than its {limit_ms} ms", deadline_ms=limit_ms)

    def cancel(self) -> None:
        """Have it end, from another thread."""
        self._cancelled = True
        self._woken.set()

    def _stop(self) -> None:
        """Nothing of it reaches the host any more; its thread is interrupted if it still runs."""
        free = self._gate.acquire(timeout=_PATIENCE_S)
        try:
            self._over = True
            if free and not self._ended and self._thread is not None:
                self._interrupted = True
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._thread), ctypes.py_object(Stopped))
        finally:
            if free:
                self._gate.release()

    # ---- in the thread of the unit ----

    def _body(self, work: Callable[[], Any]) -> None:
        try:
            with self._gate:
                self._thread = threading.get_ident()
                if self._over:
                    return
            try:
                result, error = work(), None
            except BaseException as raised:  # noqa: BLE001 - whoever waits gets it
                result, error = None, raised
            with self._gate:
                if not self._over:
                    self._result, self._error, self._ended = result, error, True
            if self._interrupted:
                _let_it_come()
        except Stopped:
            pass
        finally:
            self._woken.set()

    @property
    def finished(self) -> bool:
        """Whether nothing of it may reach the host any more."""
        return self._over or self.host.abort is not None

    def answer(self, interface: str, function: str, arguments: tuple[Any, ...]) -> Any:
        """One host call, as the SDK makes it (``remit_unit.native.Host``).

        :raises Stopped: if the call is over
        """
        if interface not in self._interfaces:
            raise self._refuse("denied", f"unit.toml declares nothing that needs {interface!r}")
        with self._gate:
            if self._over:
                raise Stopped
            answer = self.host(interface, function, _sent(interface, function, arguments))
        if self.finished:
            self._woken.set()
            raise Stopped
        if isinstance(answer, Refused):
            raise self._refuse(answer.code, answer.message)
        return received(answer.value if isinstance(answer, Ok) else None)


def _sent(interface: str, function: str, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """Arguments as the world has them: a request is a record."""
    if (interface, function) != ("http", "fetch"):
        return arguments
    method, url, headers, body, timeout_ms = arguments
    names = ("method", "url", "headers", "body", "body-encoding", "timeout-ms")
    return (dict(zip(names, (method, url, headers, body, "utf8", timeout_ms), strict=True)),)


def received(value: Any) -> Any:
    """A value as Python has it: a record has attributes."""
    if isinstance(value, dict):
        return SimpleNamespace(**{name.replace("-", "_"): part for name, part in value.items()})
    return value


def _let_it_come() -> None:
    """Take an interruption that is on its way here, and not in whatever this thread does next."""
    for _ in range(100):
        pass
