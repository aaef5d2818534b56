"""One store with one instance in it: made, called any number of times one after the other, closed.

It is READY between calls; a call that did not end by returning leaves it POISONED, since wasmtime never enters such an
instance again, and a poisoned or closed one answers every later call with an error. It belongs to whoever runs a call
in it: a second thread, a call from within its own host call, or a child of ``fork`` gets an error, never another
thread's store. Nothing here decides policy, finds code or keeps instances; see :mod:`remit.sandbox.pool`.
"""

from __future__ import annotations

import ctypes
import threading
from contextlib import suppress
from typing import Any, Final, Literal, NoReturn

import msgspec

from remit.errors import HostFault, OutputTooLarge, SandboxError
from remit.kernel.model import GuestOutcome, Limits
from remit.kernel.ports import Clock, HostCalls
from remit.sandbox import capi
from remit.sandbox.call import CALLS, MAX_TEXT, Call
from remit.sandbox.callbacks import on_epoch
from remit.sandbox.closed_wasi import ClosedWorld
from remit.sandbox.engine import HUB, INSTANCES, TABLE_ELEMENTS, TABLES
from remit.sandbox.loaded import Export, Loaded
from remit.sandbox.traps import classify
from remit.sandbox.values import TextBudget

__all__ = ["Instance", "State"]

_ON_EPOCH: Final = ctypes.cast(on_epoch, ctypes.c_void_p).value
_FUNC = ctypes.c_char * capi.FUNC_SIZE
_SLOT = ctypes.c_char * capi.VAL_SIZE

State = Literal["new", "ready", "poisoned", "closed"]


class Instance:
    """An instance of a component, bounded by ``limits``; close it. The first call instantiates, under its own bounds.

    :param loaded: has been asked for a slot, which goes back when the instance is closed
    :raises HostFault: if wasmtime gives no store
    """

    def __init__(self, loaded: Loaded, limits: Limits, clock: Clock, *, pure: bool = False) -> None:
        self._state: State = "closed"
        self._loaded = loaded
        self._limits = limits
        self._engine, self._metered, self._output = loaded.engine, loaded.metered, limits.output
        self._clock = clock
        self._pure = pure
        self._forks = HUB.forks
        self._alone = threading.Lock()
        self._world: ClosedWorld | None = None
        self._instance = ctypes.create_string_buffer(capi.INSTANCE_SIZE)
        self._functions: dict[Export, int] = {}
        self._buffers: list[Any] = []
        self._slot = bytearray(capi.VAL_SIZE)
        self._slot_at = ctypes.addressof(_SLOT.from_buffer(self._slot))
        self._store = self._make()
        self._context = capi.store_context(self._store)
        self._state = "new"

    def _make(self) -> int:
        store = capi.store_new(self._loaded.addresses[0], None, None)
        if not store:
            raise HostFault("wasmtime gave no store")
        # wasmtime limits each memory by itself; allowing just as many as the component makes bounds them together.
        memory, memories = self._limits.memory // self._loaded.memories, self._loaded.memories
        capi.store_limiter(store, memory, TABLE_ELEMENTS, INSTANCES, TABLES, memories)
        capi.store_epoch_callback(store, _ON_EPOCH, None, None)
        return int(store)

    @property
    def state(self) -> State:
        """``new`` until the first call, then ``ready`` until one fails; ``poisoned`` and ``closed`` are for ever."""
        return self._state

    @property
    def worn(self) -> bool:
        """Whether it holds more of our memory than a kept instance should."""
        return self._world is not None and self._world.worn

    # ---- calling ----

    def start(self, call: Call) -> None:
        """Instantiate now, under a call's bounds and with its door, so that the next call finds it done.

        :raises SandboxError: if the guest's start does what it must not
        """
        self._seize()
        try:
            self._instantiate(call)
        finally:
            self._alone.release()

    def call(self, call: Call, export: Export, arguments: tuple[Any, ...]) -> Any:
        """Call an export and give its result.

        :raises HostFault: if an argument does not have the export's type (the instance stays as it is), or the
            instance cannot be called
        :raises SandboxError: for whatever the guest did that it must not
        """
        keep: list[Any] = []
        at = export.pack(arguments, keep)
        if self._forks != HUB.forks or not self._alone.acquire(False):  # noqa: FBT003 - a keyword costs as much as the lock
            self._refuse()
        try:
            if self._state != "ready":
                self._instantiate(call)
            return self._enter(call, export, at)
        finally:
            self._alone.release()

    def invoke(self, export: str, arguments: tuple[Any, ...], host: HostCalls, deadline_ms: int) -> Any:
        """Call an export by its name, ``"provider.call"`` or ``"local:calc/api#add"``, with values of its WIT types.

        Gives its result; that of ours is ``("ok", …)`` or ``("err", …)``.

        :param host: the door that its host calls go through
        :param deadline_ms: milliseconds that the call may take, host calls included
        :raises ExportMissing: if the component does not export it
        :raises SandboxError: as :meth:`call`
        """
        call = Call(host, self._clock, deadline_ms, MAX_TEXT, pure=self._pure)
        return self.call(call, self._loaded.export(export), arguments)

    def run(self, call: Call, export: str, arguments: tuple[Any, ...]) -> GuestOutcome:
        """As :meth:`call`, with texts for arguments and the result in the kernel's terms."""
        found = self._loaded.export(export)
        if found.plain is not None:
            arguments = found.plain.arguments(arguments)
        return self.outcome(found, self.call(call, found, arguments))

    def outcome(self, export: Export, result: Any) -> GuestOutcome:
        """A result in the kernel's terms, with the fuel that its call took."""
        used = self._used() if self._metered else None
        if export.plain is not None:
            return msgspec.structs.replace(export.plain.outcome(result, self._output), fuel=used)
        tag, payload = result
        if tag == "ok":
            return GuestOutcome(tag="ok", text=payload, fuel=used)
        case, value = payload
        if case == "retry":
            return GuestOutcome(tag="retry", text=value["reason"], after_ms=value["after-ms"], fuel=used)
        return GuestOutcome(tag="rejected" if case == "rejected" else "failed", text=value, fuel=used)

    def _seize(self) -> None:
        if self._forks != HUB.forks or not self._alone.acquire(blocking=False):
            self._refuse()

    def _refuse(self) -> NoReturn:
        if self._forks != HUB.forks:
            raise HostFault("the instance belongs to the process that this one was forked from")
        if self._state in {"new", "ready"} or self._context in CALLS:
            raise HostFault("the instance is in a call already")
        raise HostFault(f"the instance is {self._state}", remedy="make another instance")

    def _enter(self, call: Call, export: Export, at: int) -> Any:
        """Run the guest; whatever happens, the instance is ready or poisoned afterwards.

        The epochs of an earlier call are as good as new ones, unless the deadline is close: none is further off than
        :data:`CHECK_EPOCHS`, and one that has passed asks at once.
        """
        function = self._functions.get(export) or self._find(export)
        context, slot = self._context, self._slot_at
        call.world = self._world
        self._state = "poisoned"
        CALLS[context] = call
        HUB.running[context] = self._engine
        failure: SandboxError | None = None
        result: Any = None
        try:
            if HUB.ticker is None:
                HUB.wake()
            if self._metered:
                capi.set_fuel(context, self._limits.fuel or 0)
            if call.short:
                capi.set_epoch_deadline(context, call.first_epochs())
            error = capi.func_call(function, context, at, export.count, slot, export.results)
            if not error:
                try:
                    result = export.read(slot, TextBudget(self._output))
                except SandboxError as wrong:
                    failure = wrong
                capi.component_value_delete(slot)
                # wasmtime drops what it overwrites: leave nothing there for the next call to free again.
                self._slot[0] = 0
        finally:
            HUB.running.pop(context, None)
            del CALLS[context]
            self._world = call.world
        if error or failure or call.fault or call.host.abort or call.due():
            raise self._reason(call, error, failure)
        self._state = "ready"
        return result

    def _instantiate(self, call: Call) -> None:
        """From new to ready, or poisoned."""
        if self._state != "new":
            self._refuse()
        context = self._context
        self._state = "poisoned"
        CALLS[context] = call
        HUB.enter(context, self._loaded.engine)
        try:
            if self._loaded.metered:
                capi.set_fuel(context, self._limits.fuel or 0)
            capi.set_epoch_deadline(context, call.first_epochs())
            _, linker, component = self._loaded.addresses
            error = capi.component_instantiate(linker, context, component, ctypes.addressof(self._instance))
        finally:
            HUB.leave(context)
            del CALLS[context]
            self._world = call.world
        if error or call.fault or call.host.abort or call.due():
            raise self._reason(call, error, None)
        self._state = "ready"

    def _find(self, export: Export) -> int:
        buffer = _FUNC()
        at = ctypes.addressof(buffer)
        if not capi.instance_get_func(ctypes.addressof(self._instance), self._context, export.index, at):
            raise HostFault("the export vanished from the instance")
        self._buffers.append(buffer)
        self._functions[export] = at
        return at

    def _used(self) -> int:
        left = ctypes.c_uint64()
        capi.get_fuel(self._context, ctypes.addressof(left))
        return (self._limits.fuel or 0) - left.value

    def _reason(self, call: Call, error: int | None, failure: SandboxError | None) -> BaseException:
        """Why a call did not succeed: what the host decided comes before what the guest did."""
        message = capi.error_message(error) if error else ""
        if call.host.abort is not None:
            return call.host.abort
        if call.fault is not None:
            if not isinstance(call.fault, Exception):
                return call.fault
            fault = HostFault(f"a host function failed: {type(call.fault).__name__}: {call.fault}")
            fault.__cause__ = call.fault
            return fault
        if (why := call.due()) is not None:
            return why
        if isinstance(failure, OutputTooLarge):
            return OutputTooLarge(
                f"the guest returned more than {self._limits.output} bytes", limit=self._limits.output
            )
        return failure or classify(message, self._limits)

    # ---- the end ----

    def stderr(self) -> list[str]:
        """What the guest wrote to stderr since this was asked."""
        return self._world.take_stderr() if self._world is not None else []

    def close(self) -> None:
        """Free the store; idempotent.

        :raises HostFault: if a call is running in it
        """
        if not self._alone.acquire(blocking=False):
            raise HostFault("the instance is in a call")
        try:
            if self._state != "closed":
                self._state = "closed"
                if self._forks == HUB.forks:
                    capi.store_delete(self._store)
                    self._loaded.release()
        finally:
            self._alone.release()

    def __del__(self) -> None:
        with suppress(Exception):
            self.close()
