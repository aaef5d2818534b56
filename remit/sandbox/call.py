"""One call of a guest, seen from the host: when it must end, why it ended, and the answers it gets meanwhile.

wasmtime calls back through ctypes, where an exception cannot travel: whatever happens in a callback is remembered in
the :class:`Call`, and wasmtime gets an error that stops the guest. Which call a callback belongs to is found by the
address of its store, so calls on many threads, and calls within calls, do not meet.
"""

from __future__ import annotations

import ctypes
import math
import threading
from collections.abc import Callable
from ctypes import POINTER, byref
from dataclasses import dataclass
from typing import Any, Final

from wasmtime import _ffi as ffi

from remit.errors import CallCancelled, DeadlineExceeded, GuestTrapped, HostFault, SandboxError
from remit.kernel.hostcall import Ok, Refused
from remit.kernel.ports import Clock, HostCalls
from remit.sandbox.closed_wasi import RESOURCES, ClosedWorld
from remit.sandbox.types import Result, Signature, Type
from remit.sandbox.values import TextBudget, check_value, lift, lower

__all__ = [
    "CHECK_EPOCHS",
    "CLOSED",
    "Call",
    "Target",
    "address_of",
    "bind",
    "on_epoch",
    "on_import",
    "register",
    "unbind",
]

CHECK_EPOCHS = 16
"""A running guest is asked at least once in so many epochs whether it may go on; a cancel skips as many."""

_MAX_MESSAGE = 2000
_NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Target:
    """What stands behind one function of the linker."""

    signature: Signature
    serve: Callable[[Call, tuple[Any, ...]], Any]


class Call:
    """The state of one call; belongs to the thread that runs it, except for :meth:`cancel`."""

    def __init__(self, host: HostCalls, clock: Clock, deadline_ms: int, text: int, *, pure: bool = False) -> None:
        """Start the call's time.

        :param deadline_ms: milliseconds from now, host calls and sleeping included
        :param text: bytes of text that the guest may pass in one host call
        :param pure: neither time nor randomness reach the guest through WASI
        """
        self.host = host
        self.world = ClosedWorld(self, pure=pure)
        self.stop: SandboxError | None = None
        self.fault: BaseException | None = None
        self._clock = clock
        self._limit_ms = deadline_ms
        self._ends_ns = clock.monotonic_ns() + deadline_ms * _NS_PER_MS
        self._text = text
        self._cancelled = threading.Event()
        self._context: Any = None

    # ---- when it must end ----

    def cancel(self) -> None:
        """Have it end, from another thread; sleeping guests wake."""
        self._cancelled.set()

    def restart_clock(self) -> None:
        """Count the deadline from now: loading the code is not the guest's doing."""
        self._ends_ns = self._clock.monotonic_ns() + self._limit_ms * _NS_PER_MS

    def due(self) -> SandboxError | None:
        """Why it must end now, or ``None``."""
        if self.stop is None and self._cancelled.is_set():
            self.stop = CallCancelled("the call was cancelled")
        if self.stop is None and self._left_ns() <= 0:
            self.stop = DeadlineExceeded(
                f"the call took longer than its {self._limit_ms} ms", deadline_ms=self._limit_ms
            )
        return self.stop

    def epochs(self) -> int:
        """After how many epochs to ask again."""
        return max(1, min(CHECK_EPOCHS, math.ceil(self._left_ns() / _NS_PER_MS)))

    def sleep(self, duration_ns: int) -> None:
        """Wait, but no longer than the call may live.

        :raises SandboxError: if the call must end
        """
        self._cancelled.wait(max(0, min(duration_ns, self._left_ns())) / 1e9)
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
            raise GuestTrapped(
                f"the host refused {interface}.{function}: {answer.message[:_MAX_MESSAGE]}", refusal=answer.code
            )
        return self._value(answer)

    def door(self, interface: str, function: str, arguments: tuple[Any, ...], result: Type | None) -> Any:
        """Perform one host call and give the answer that the WIT's result type asks for."""
        if result is not None and not isinstance(result, Result):
            return self.ask(interface, function, arguments)
        answer = self.host(interface, function, arguments)
        if result is None:
            return None
        if isinstance(answer, Refused):
            return ("err", {"code": answer.code, "message": answer.message[:_MAX_MESSAGE]})
        return ("ok", self._value(answer))

    @staticmethod
    def _value(answer: Any) -> Any:
        if not isinstance(answer, Ok):
            raise HostFault(f"the door answered {type(answer).__name__}")
        return answer.value

    def serve(self, target: Target, context: Any, arguments: Any, results: Any, counts: tuple[int, int]) -> bool:
        """Answer one import; ``False`` if the guest must stop, for the reason that was remembered.

        :param counts: how many arguments and results the component declared: it may lie about what WASI looks like
        """
        try:
            self.check()
            self._context = context
            budget = TextBudget(self._text)
            kinds = target.signature.params
            _same_counts(target, counts)
            values = tuple(lift(kind, arguments[i], budget, self._number) for i, kind in enumerate(kinds))
            value = target.serve(self, values)
            if self.host.abort is not None:
                return False
            self.check()
            if target.signature.result is not None:
                check_value(target.signature.result, value)
                lower(target.signature.result, value, results[0], self._resource)
        except SandboxError as error:
            self.stop = self.stop or error
            return False
        except BaseException as error:  # noqa: BLE001 - nothing may escape into ctypes; run() raises what is remembered
            self.fault = error
            return False
        return True

    def _number(self, pointer: Any) -> int:
        """The host's integer for a resource of the guest's."""
        host = POINTER(ffi.wasmtime_component_resource_host_t)()
        error: Any = ffi.wasmtime_component_resource_any_to_host(self._context, pointer, byref(host))
        if error:
            ffi.wasmtime_error_delete(error)
            raise GuestTrapped("the guest passed a handle that the host never gave it")
        try:
            return int(ffi.wasmtime_component_resource_host_rep(host))
        finally:
            ffi.wasmtime_component_resource_host_delete(host)

    def _resource(self, name: str, number: int) -> Any:
        """An owned resource for the guest."""
        host = ffi.wasmtime_component_resource_host_new(True, number, RESOURCES.index(name))  # noqa: FBT003 - C API
        made = POINTER(ffi.wasmtime_component_resource_any_t)()
        error: Any = ffi.wasmtime_component_resource_host_to_any(self._context, host, byref(made))
        ffi.wasmtime_component_resource_host_delete(host)
        if error:
            ffi.wasmtime_error_delete(error)
            raise HostFault("the store takes no more resources")
        return made


def _same_counts(target: Target, counts: tuple[int, int]) -> None:
    signature = target.signature
    if target is not CLOSED and counts != (len(signature.params), int(signature.result is not None)):
        raise GuestTrapped("the guest imports a function of WASI under another signature")


def _not_served(_call: Call, _arguments: tuple[Any, ...]) -> Any:
    raise GuestTrapped("the guest used a part of WASI that is closed to it")


CLOSED: Final = Target(Signature(), _not_served)
"""Every function of WASI that nothing serves: its arguments are not even looked at."""


# ---- the callbacks, one each for the whole process ----

_CALLS: dict[int, Call] = {}
_TARGETS: list[Target] = []
_STOPPED = b"stopped by the host"


def register(target: Target) -> int:
    """Keep a target for the life of the process; the number is what the linker hands back to the callback."""
    _TARGETS.append(target)
    return len(_TARGETS) - 1


def address_of(context: Any) -> int:
    """The address by which callbacks tell stores apart."""
    return ctypes.addressof(context.contents)


def bind(context: Any, call: Call) -> None:
    """Have callbacks of this store answered by this call."""
    _CALLS[address_of(context)] = call


def unbind(context: Any) -> None:
    """Forget the store."""
    _CALLS.pop(address_of(context), None)


def _refusal() -> int:
    """An error for wasmtime, which frees it; what it says does not matter, since the call remembers the reason."""
    return ctypes.cast(ffi.wasmtime_error_new(_STOPPED), ctypes.c_void_p).value or 0


@ffi.wasmtime_component_func_callback_t  # type: ignore[untyped-decorator] # ctypes
def on_import(
    number: int | None, context: Any, _type: Any, arguments: Any, given: int, results: Any, wanted: int
) -> int:
    """Called by wasmtime for every import of every guest; never raises."""
    try:
        call = _CALLS[address_of(context)]
        served = call.serve(_TARGETS[number or 0], context, arguments, results, (given, wanted))
    except BaseException:  # noqa: BLE001 - what serve() could not keep; without an answer ctypes would make one up
        served = False
    return 0 if served else _refusal()


@ctypes.CFUNCTYPE(  # type: ignore[untyped-decorator] # ctypes
    ctypes.c_size_t, POINTER(ffi.wasmtime_context_t), ctypes.c_void_p, POINTER(ctypes.c_uint64), POINTER(ctypes.c_uint8)
)
def on_epoch(context: Any, _data: Any, delta: Any, _kind: Any) -> int:
    """Called by wasmtime on the guest's thread when its epochs are used up: go on, or stop."""
    call = None
    try:
        call = _CALLS[address_of(context)]
        if call.host.abort is not None or call.due() is not None:
            return _refusal()
        delta[0] = call.epochs()
    except BaseException as error:  # noqa: BLE001 - nothing may escape into ctypes; run() raises what is remembered
        if call is not None:
            call.fault = error
        return _refusal()
    return 0
