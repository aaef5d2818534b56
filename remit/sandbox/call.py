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
from struct import Struct
from typing import Any, Final, Protocol

from wasmtime import _ffi as ffi

from remit.errors import CallCancelled, DeadlineExceeded, GuestTrapped, HostFault, SandboxError
from remit.kernel.answers import Ok, Refused
from remit.kernel.ports import Clock, HostCalls
from remit.sandbox import capi
from remit.sandbox.closed_wasi import RESOURCES, ClosedWorld
from remit.sandbox.plans import boxer, planned, reader
from remit.sandbox.types import Result, Signature
from remit.sandbox.values import TextBudget, check_value, lift, lower

__all__ = [
    "CALLS",
    "CHECK_EPOCHS",
    "CLOSED",
    "MAX_TEXT",
    "Call",
    "Later",
    "Serve",
    "Target",
    "on_epoch",
    "on_import",
    "on_import_later",
    "register",
    "through",
]

CHECK_EPOCHS = 16
"""A running guest is asked at least once in so many epochs whether it may go on; a cancel skips as many."""

MAX_TEXT = 4 << 20
"""Bytes of text that a guest may pass in one host call."""
_MAX_MESSAGE = 2000
_NS_PER_MS = 1_000_000

CALLS: Final[dict[int, Call]] = {}
"""The call that runs in a store, by the address of its context."""


class Later(Protocol):
    """Performs host calls on an event loop, one at a time, while the guest waits."""

    def start(self, call: Call, target: Target, arguments: tuple[Any, ...], results: int) -> None:
        """Begin to perform one."""
        ...

    def done(self) -> bool:
        """Whether its answer has been written, or remembered as the reason to stop."""
        ...


class Call:
    """The state of one call; belongs to the thread that runs it, except for :meth:`cancel`."""

    __slots__ = (
        "_cancelled", "_clock", "_context", "_ends_ns", "_limit_ms", "_pure", "_wake", "fault", "host", "later", "stop",
        "text", "world",
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

    @property
    def short(self) -> bool:
        """Whether the deadline is closer than the epochs at which any guest is asked."""
        return self._limit_ms < 2 * CHECK_EPOCHS

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
            raise _refused(interface, function, answer)
        return _value(answer)

    def wasi(self) -> ClosedWorld:
        """The closed world, as this call's guest sees it."""
        if self.world is None:
            self.world = ClosedWorld(self, pure=self._pure)
        self.world.belong_to(self)
        return self.world

    def begin(self, target: Target, context: int, arguments: int, results: int) -> None:
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

    def serve(self, target: Target, context: int, arguments: int, given: int, results: int, wanted: int) -> bool:
        """Answer one import; ``False`` if the guest must stop, for the reason that was remembered.

        :param given: how many arguments the component declared, as ``wanted`` results: it may lie about what WASI
            looks like
        """
        try:
            if self._cancelled or self._clock.monotonic_ns() >= self._ends_ns:
                self.check()
            if (given, wanted) != target.counts and target is not CLOSED:
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


Serve = Callable[[Call, tuple[Any, ...]], Any]


class Target:
    """What stands behind one function of the linker: a function of ours, and how its values cross."""

    __slots__ = ("_reads", "_signature", "counts", "give", "names", "serve", "shape", "take")

    def __init__(
        self,
        signature: Signature,
        serve: Serve,
        names: tuple[str, str] = ("", ""),
        shape: Callable[[Any], Any] = lambda found: found,
    ) -> None:
        """Keep the function and plan its values.

        :param names: interface and function, for what goes through the door
        :param shape: from the door's answer to the value that the signature wants
        """
        self.serve = serve
        self.names = names
        self.shape = shape
        self.counts = (len(signature.params), int(signature.result is not None))
        self._signature = signature
        params, result = signature.params, signature.result
        fast = capi.FAST and all(map(planned, params))
        self._reads = tuple((i * capi.VAL_SIZE, reader(kind)) for i, kind in enumerate(params)) if fast else ()
        self.take: Callable[[Call, int], tuple[Any, ...]] = self._take_planned if fast else self._take_declared
        self.give: Callable[[Call, Any, int], None] = self._give_declared
        if result is None:
            self.give = _give_nothing
        elif capi.FAST and planned(result):
            self.give = _giver(signature)

    def _take_planned(self, call: Call, address: int) -> tuple[Any, ...]:
        if not self._reads:
            return ()
        budget = TextBudget(call.text)
        return tuple([read(address + at, budget) for at, read in self._reads])

    def _take_declared(self, call: Call, address: int) -> tuple[Any, ...]:
        kinds = self._signature.params
        slots = (ffi.wasmtime_component_val_t * len(kinds)).from_address(address) if kinds else ()
        budget = TextBudget(call.text)
        return tuple(lift(kind, slot, budget, call.number) for kind, slot in zip(kinds, slots, strict=True))

    def _give_declared(self, call: Call, value: Any, address: int) -> None:
        assert self._signature.result is not None
        check_value(self._signature.result, value)
        out = ffi.wasmtime_component_val_t.from_address(address)
        lower(self._signature.result, value, out, call.resource)


def _give_nothing(_call: Call, _value: Any, _address: int) -> None:
    """A function without a result."""


def _giver(signature: Signature) -> Callable[[Call, Any, int], None]:
    assert signature.result is not None
    box = boxer(signature.result)

    def give(_call: Call, value: Any, address: int) -> None:
        keep: list[Any] = []
        # wasmtime frees what it is given: it gets a copy of its own making.
        capi.component_value_clone(box(value, keep), address)

    return give


def through(interface: str, function: str, signature: Signature) -> Target:
    """A target behind the call's own door."""

    def shape(found: Any) -> Any:
        if signature.result is None:
            return None
        if isinstance(signature.result, Result):
            if type(found) is Ok:
                return ("ok", found.value)
            if isinstance(found, Refused):
                return ("err", {"code": found.code, "message": found.message[:_MAX_MESSAGE]})
        elif isinstance(found, Refused):
            raise _refused(interface, function, found)
        return _value(found)

    def serve(call: Call, arguments: tuple[Any, ...]) -> Any:
        return shape(call.host(interface, function, arguments))

    return Target(signature, serve, (interface, function), shape)


def _refused(interface: str, function: str, answer: Refused) -> GuestTrapped:
    return GuestTrapped(
        f"the host refused {interface}.{function}: {answer.message[:_MAX_MESSAGE]}", refusal=answer.code
    )


def _value(answer: Any) -> Any:
    if not isinstance(answer, Ok):
        raise HostFault(f"the door answered {type(answer).__name__}")
    return answer.value


def _not_served(_call: Call, _arguments: tuple[Any, ...]) -> Any:
    raise GuestTrapped("the guest used a part of WASI that is closed to it")


CLOSED: Final = Target(Signature(), _not_served)
"""Every function of WASI that nothing serves: its arguments are not even looked at."""


# ---- the callbacks, one each for the whole process ----

_TARGETS: list[Target] = []
_STOPPED = b"stopped by the host"
_YIELD = 1
"""WASMTIME_UPDATE_DEADLINE_YIELD: let the event loop go on before the guest does."""
_CONTINUATION = Struct("<QQQ").pack_into
_ERROR = Struct("<Q").pack_into


def register(target: Target) -> int:
    """Keep a target for the life of the process; the number is what the linker hands back to the callback."""
    _TARGETS.append(target)
    return len(_TARGETS) - 1


@capi.IMPORT_CALLBACK  # type: ignore[untyped-decorator] # ctypes
def on_import(
    number: int | None, context: int, _type: int, arguments: int, given: int, results: int, wanted: int
) -> int:
    """Called by wasmtime for every import of every guest; never raises."""
    try:
        if CALLS[context].serve(_TARGETS[number or 0], context, arguments, given, results, wanted):
            return 0
    except BaseException:  # noqa: BLE001, S110 - what serve() could not keep; without an answer ctypes would make one up
        pass
    # What it says does not matter, since the call remembers the reason.
    return capi.error_of(_STOPPED)


@capi.EPOCH_CALLBACK  # type: ignore[untyped-decorator] # ctypes
def on_epoch(context: int, _data: int, delta: Any, kind: Any) -> int:
    """Called by wasmtime on the guest's thread when its epochs are used up: go on, or stop."""
    call = None
    try:
        call = CALLS[context]
        if call.host.abort is None and call.due() is None:
            if call.later is None:
                delta[0] = call.epochs()
            else:
                delta[0], kind[0] = 1, _YIELD
            return 0
    except BaseException as error:  # noqa: BLE001 - nothing may escape into ctypes; run() raises what is remembered
        if call is not None:
            call.fault = error
    return capi.error_of(_STOPPED)


@capi.LATER_CALLBACK  # type: ignore[untyped-decorator] # ctypes
def on_import_later(
    number: int | None, context: int, _type: int, arguments: int, given: int, results: int, wanted: int, error: int,
    continuation: int,
) -> None:  # fmt: skip
    """As :func:`on_import`, for a guest on an event loop: starts the host call and says whom to ask about it."""
    _ERROR(capi.MEMORY, error, 0)
    # The call knows where its error goes: there is one host call at a time.
    _CONTINUATION(capi.MEMORY, continuation, _ON_CONTINUE, error, 0)
    _WAITING[error] = call = CALLS.get(context)
    target = _TARGETS[number or 0]
    if call is not None and (given, wanted) == target.counts:
        call.begin(target, context, arguments, results)


@capi.CONTINUE_CALLBACK  # type: ignore[untyped-decorator] # ctypes
def on_continue(error: int) -> bool:
    """Called by wasmtime whenever the loop polls a guest that waits: whether it may go on."""
    try:
        call = _WAITING[error]
        if call is not None and call.later is not None:
            if call.stop is None and call.fault is None and not call.later.done():
                return False
            if call.stop is None and call.fault is None and call.host.abort is None:
                del _WAITING[error]
                return True
    except BaseException:  # noqa: BLE001, S110 - nothing may escape into ctypes
        pass
    _WAITING.pop(error, None)
    _ERROR(capi.MEMORY, error, capi.error_of(_STOPPED))
    return True


_WAITING: dict[int, Call | None] = {}
"""Calls whose guest waits for a host call, by where wasmtime wants its error."""
_ON_CONTINUE = ctypes.cast(on_continue, ctypes.c_void_p).value
