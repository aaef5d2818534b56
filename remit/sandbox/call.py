"""One call of a guest, seen from the host: when it must end, why it ended, and the answers it gets meanwhile.

wasmtime calls back through ctypes, where an exception cannot travel: whatever happens in a callback is remembered in
the :class:`Call`, and wasmtime gets an error that stops the guest. Which call a callback belongs to is found by the
address of its store, so calls on many threads, and calls within calls, do not meet.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from ctypes import POINTER, byref
from typing import Any, Final, Protocol

from wasmtime import _ffi as ffi

from remit.errors import CallCancelled, DeadlineExceeded, GuestTrapped, HostFault, SandboxError
from remit.kernel.answers import Ok, Refused
from remit.kernel.ports import Clock, HostCalls
from remit.sandbox.closed_wasi import RESOURCES, ClosedWorld

__all__ = ["CALLS", "CHECK_EPOCHS", "MAX_MESSAGE", "MAX_TEXT", "Call", "Later", "Served", "refused", "value_of"]

CHECK_EPOCHS = 16
"""A running guest is asked at least once in so many epochs whether it may go on; a cancel skips as many."""

MAX_TEXT = 4 << 20
"""Bytes of text that a guest may pass in one host call."""
MAX_MESSAGE = 2000
"""Characters of a refusal that a guest is told."""
_NS_PER_MS = 1_000_000

CALLS: Final[dict[int, Call]] = {}
"""The call that runs in a store, by the address of its context."""


class Served(Protocol):
    """What stands behind one import of a guest; see :class:`remit.sandbox.targets.Target`."""

    strict: bool
    names: tuple[str, str]
    counts: tuple[int, int]
    serve: Callable[[Call, tuple[Any, ...]], Any]
    shape: Callable[[Any], Any]
    take: Callable[[Call, int], tuple[Any, ...]]
    give: Callable[[Call, Any, int], None]


class Later(Protocol):
    """Performs host calls on an event loop, one at a time, while the guest waits."""

    def start(self, call: Call, target: Served, arguments: tuple[Any, ...], results: int) -> None:
        """Begin to perform one."""
        ...

    def done(self) -> bool:
        """Whether its answer has been written, or remembered as the reason to stop."""
        ...


class Call:
    """The state of one call; belongs to the thread that runs it, except for :meth:`cancel`."""

    __slots__ = (
        "_cancelled", "_clock", "_context", "_ends_ns", "_limit_ms", "_pure", "_wake", "fault", "host", "later",
        "short", "stop", "text", "world",
    )  # fmt: skip

    def __init__(self, host: HostCalls, clock: Clock, deadline_ms: int, text: int, *, pure: bool = False) -> None:
        """Start the call's time.

        :param deadline_ms: milliseconds from now, host calls and sleeping included
        :param text: bytes of text that the guest may pass in one host call
        :param pure: neither time nor randomness reach the guest through WASI
        """
        self.host = host
        self.world: ClosedWorld | None = None
        """What the instance has of WASI, once it has asked for any."""
        self.short = deadline_ms < 2 * CHECK_EPOCHS
        """Whether the deadline is closer than the epochs at which any guest is asked."""
        self.later: Later | None = None
        """How host calls are performed while the guest waits on an event loop; ``None`` off one."""
        self.stop: SandboxError | None = None
        self.fault: BaseException | None = None
        self._pure = pure
        self._clock = clock
        self._limit_ms = deadline_ms
        self._ends_ns = clock.monotonic_ns() + deadline_ms * _NS_PER_MS
        self.text = text
        self._cancelled = False
        self._wake: threading.Event | None = None
        self._context = 0

    # ---- when it must end ----

    def cancel(self) -> None:
        """Have it end, from another thread; sleeping guests wake."""
        self._cancelled = True
        if self._wake is not None:
            self._wake.set()

    def restart_clock(self) -> None:
        """Count the deadline from now: loading the code is not the guest's doing."""
        self._ends_ns = self._clock.monotonic_ns() + self._limit_ms * _NS_PER_MS

    def due(self) -> SandboxError | None:
        """Why it must end now, or ``None``."""
        if self.stop is None:
            if self._cancelled:
                self.stop = CallCancelled("the call was cancelled")
            elif self._clock.monotonic_ns() >= self._ends_ns:
                self.stop = DeadlineExceeded(
                    f"the call took longer than its {self._limit_ms} ms", deadline_ms=self._limit_ms
                )
        return self.stop

    def first_epochs(self) -> int:
        """After how many epochs to ask for the first time."""
        return max(1, min(CHECK_EPOCHS, self._limit_ms // 2))

    def epochs(self) -> int:
        """After how many epochs to ask again: half of what is left, since a busy machine's epochs are long ones."""
        return max(1, min(CHECK_EPOCHS, self._left_ns() // (2 * _NS_PER_MS)))

    def sleep(self, duration_ns: int) -> None:
        """Wait, but no longer than the call may live.

        :raises SandboxError: if the call must end
        """
        self._wake = self._wake or threading.Event()
        # The event is there before the look: a cancel comes before the look, or finds the event.
        if not self._cancelled:
            self._wake.wait(max(0, min(duration_ns, self._left_ns())) / 1e9)
        self.check()

    def check(self) -> None:
        """Go on, or not.

        :raises SandboxError: if the call must end
        """
        if (why := self.due()) is not None:
            raise why

    def _left_ns(self) -> int:
        return self._ends_ns - self._clock.monotonic_ns()

    # ---- what it is answered ----

    def ask(self, interface: str, function: str, arguments: tuple[Any, ...]) -> Any:
        """The value of a host function that has no way to say no.

        :raises GuestTrapped: if it was refused all the same
        """
        answer = self.host(interface, function, arguments)
        if isinstance(answer, Refused):
            raise refused(interface, function, answer)
        return value_of(answer)

    def wasi(self) -> ClosedWorld:
        """The closed world, as this call's guest sees it."""
        if self.world is None:
            self.world = ClosedWorld(self, pure=self._pure)
        self.world.belong_to(self)
        return self.world

    def begin(self, target: Served, context: int, arguments: int, results: int) -> None:
        """Start answering one import of a guest that runs on an event loop; :meth:`Later.done` says when it is.

        What cannot even start is remembered, and answered as done.
        """
        assert self.later is not None
        try:
            self.check()
            self._context = context
            self.later.start(self, target, target.take(self, arguments), results)
        except BaseException as error:  # noqa: BLE001 - as in serve()
            self.keep(error)

    def keep(self, error: BaseException) -> None:
        """Remember why the guest must stop."""
        if isinstance(error, SandboxError):
            self.stop = self.stop or error
        else:
            self.fault = error

    def serve(self, target: Served, context: int, arguments: int, given: int, results: int, wanted: int) -> bool:
        """Answer one import; ``False`` if the guest must stop, for the reason that was remembered.

        :param given: how many arguments the component declared, as ``wanted`` results: it may lie about what WASI
            looks like
        """
        try:
            if self._cancelled or self._clock.monotonic_ns() >= self._ends_ns:
                self.check()
            if (given, wanted) != target.counts and target.strict:
                raise GuestTrapped("the guest imports a function of WASI under another signature")  # noqa: TRY301 - as all that serving raises
            self._context = context
            value = target.serve(self, target.take(self, arguments))
            if self.host.abort is not None:
                return False
            target.give(self, value, results)
        except BaseException as error:  # noqa: BLE001 - nothing may escape into ctypes; run() raises what is remembered
            self.keep(error)
            return False
        return True

    def number(self, pointer: Any) -> int:
        """The host's integer for a resource of the guest's."""
        host = POINTER(ffi.wasmtime_component_resource_host_t)()
        error: Any = ffi.wasmtime_component_resource_any_to_host(self._store(), pointer, byref(host))
        if error:
            ffi.wasmtime_error_delete(error)
            raise GuestTrapped("the guest passed a handle that the host never gave it")
        try:
            return int(ffi.wasmtime_component_resource_host_rep(host))
        finally:
            ffi.wasmtime_component_resource_host_delete(host)

    def resource(self, name: str, number: int) -> Any:
        """An owned resource for the guest."""
        host = ffi.wasmtime_component_resource_host_new(True, number, RESOURCES.index(name))  # noqa: FBT003 - C API
        made = POINTER(ffi.wasmtime_component_resource_any_t)()
        error: Any = ffi.wasmtime_component_resource_host_to_any(self._store(), host, byref(made))
        ffi.wasmtime_component_resource_host_delete(host)
        if error:
            ffi.wasmtime_error_delete(error)
            raise HostFault("the store takes no more resources")
        return made

    def _store(self) -> Any:
        return ctypes.cast(self._context, POINTER(ffi.wasmtime_context_t))


def refused(interface: str, function: str, answer: Refused) -> GuestTrapped:
    """What becomes of a refusal where the guest's function has no way to hear it."""
    return GuestTrapped(f"the host refused {interface}.{function}: {answer.message[:MAX_MESSAGE]}", refusal=answer.code)


def value_of(answer: Any) -> Any:
    """What the door gave.

    :raises HostFault: if that is no answer
    """
    if not isinstance(answer, Ok):
        raise HostFault(f"the door answered {type(answer).__name__}")
    return answer.value
