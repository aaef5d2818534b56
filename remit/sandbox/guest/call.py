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
from typing import Any, Final, Protocol, cast

from wasmtime import Engine
from wasmtime import _ffi as ffi

from remit.errors import CallCancelled, DeadlineExceeded, GuestTrapped, HostFault, SandboxError
from remit.kernel.answers import Ok, Refused
from remit.kernel.ports import Clock, HostCalls
from remit.sandbox.engines.engine import HUB
from remit.sandbox.guest.closed_wasi import RESOURCES, ClosedWorld

__all__ = [
    "CALLS", "CHECK_EPOCHS", "MAX_MESSAGE", "MAX_TEXT", "SHORT_MS", "Call", "Later", "Served", "refused", "value_of",
]  # fmt: skip

CHECK_EPOCHS = 16
"""A running guest is asked at least once in so many epochs whether it may go on; a cancel skips as many."""

SHORT_MS = 2 * CHECK_EPOCHS
"""A deadline that is closer than this is closer than the epochs at which any guest is asked."""
MAX_TEXT = 4 << 20
"""Bytes of text that a guest may pass in one host call."""
MAX_MESSAGE = 2000
"""Characters of a refusal that a guest is told."""
_NS_PER_MS = 1_000_000

CALLS: Final = cast("dict[int, Call]", HUB.running)
"""The call that runs in a store, by the address of its context."""


class Served(Protocol):
    """What stands behind one import of a guest; see :class:`remit.sandbox.guest.targets.Through`."""

    @property
    def interface(self) -> str:
        """Its interface's short name."""
        ...

    @property
    def function(self) -> str:
        """Its name there."""
        ...

    @property
    def take(self) -> Callable[[Call, int], tuple[Any, ...]]:
        """Reads its arguments."""
        ...

    @property
    def give(self) -> Callable[[Call, Any, int], None]:
        """Writes its result, from the door's answer."""
        ...


class Inside(Protocol):
    """Where a call runs; see :class:`remit.sandbox.guest.instance.Instance`."""

    engine: Engine
    """Whose epochs it needs."""
    context: int
    """The address of the store's context."""
    pure: bool
    """Whether neither time nor randomness reach the guest through WASI."""
    world: ClosedWorld | None
    """What the instance has of WASI, once it has asked for any."""

    def ask_again(self, call: Call) -> int:
        """After how many epochs it is to be asked again whether it may go on; it was asked just now."""
        ...


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

    __slots__ = ("_wake", "began_ns", "ends_ns", "fault", "host", "inside", "later", "limit_ms", "now", "stop")

    def __init__(self, host: HostCalls, clock: Clock, deadline_ms: int) -> None:
        """Start the call's time.

        :param deadline_ms: milliseconds from now, host calls and sleeping included
        """
        self.host = host
        self.now = now = clock.monotonic_ns
        self.limit_ms = deadline_ms
        self.began_ns = began_ns = now()
        self.ends_ns = began_ns + deadline_ms * _NS_PER_MS
        self.stop: SandboxError | None = None
        self.fault: BaseException | None = None
        self.later: Later | None = None
        """How host calls are performed while the guest waits on an event loop; ``None`` off one."""
        self.inside: Inside | None = None
        """The instance that runs it, once one does."""
        self._wake: threading.Event | None = None

    # ---- when it must end ----

    def cancel(self) -> None:
        """Have it end, from another thread; sleeping guests wake."""
        self.stop = self.stop or CallCancelled("the call was cancelled")
        if self._wake is not None:
            self._wake.set()

    def restart_clock(self) -> None:
        """Count the deadline from now: loading the code is not the guest's doing."""
        now = self.now
        self.began_ns = began_ns = now()
        self.ends_ns = began_ns + self.limit_ms * _NS_PER_MS

    def due(self) -> SandboxError | None:
        """Why it must end now, or ``None``."""
        if self.stop is None and self.now() >= self.ends_ns:
            self.stop = DeadlineExceeded(f"the call took longer than its {self.limit_ms} ms", deadline_ms=self.limit_ms)
        return self.stop

    def first_epochs(self) -> int:
        """After how many epochs to ask for the first time."""
        return CHECK_EPOCHS if self.limit_ms >= SHORT_MS else max(1, self.limit_ms // 2)

    def epochs(self) -> int:
        """After how many epochs to ask again: half of what is left, since a busy machine's epochs are long ones."""
        return max(1, min(CHECK_EPOCHS, self._left_ns() // (2 * _NS_PER_MS)))

    def sleep(self, duration_ns: int) -> None:
        """Wait, but no longer than the call may live.

        :raises SandboxError: if the call must end
        """
        self._wake = self._wake or threading.Event()
        # The event is there before the look: a cancel comes before the look, or finds the event.
        if self.stop is None:
            self._wake.wait(max(0, min(duration_ns, self._left_ns())) / 1e9)
        self.check()

    def check(self) -> None:
        """Go on, or not.

        :raises SandboxError: if the call must end
        """
        if (why := self.due()) is not None:
            raise why

    def _left_ns(self) -> int:
        return self.ends_ns - self.now()

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
        inside = self.inside
        assert inside is not None
        if inside.world is None:
            inside.world = ClosedWorld(self, pure=inside.pure)
        inside.world.belong_to(self)
        return inside.world

    def begin(self, target: Served, arguments: int, results: int) -> None:
        """Start answering one import of a guest that runs on an event loop; :meth:`Later.done` says when it is.

        What cannot even start is remembered, and answered as done.
        """
        assert self.later is not None
        try:
            self.check()
            self.later.start(self, target, target.take(self, arguments), results)
        except BaseException as error:  # noqa: BLE001 - nothing may escape into ctypes
            self.keep(error)

    def keep(self, error: BaseException) -> None:
        """Remember why the guest must stop."""
        if isinstance(error, SandboxError):
            self.stop = self.stop or error
        else:
            self.fault = error

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
        assert self.inside is not None
        return ctypes.cast(self.inside.context, POINTER(ffi.wasmtime_context_t))


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
