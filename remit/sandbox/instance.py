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
from typing import Any, Final, Literal

from remit.errors import HostFault, OutputTooLarge, SandboxError
from remit.kernel.model import GuestOutcome, Limits
from remit.sandbox import capi
from remit.sandbox.call import CALLS, Call, on_epoch
from remit.sandbox.closed_wasi import ClosedWorld
from remit.sandbox.engine import enter, forks, leave
from remit.sandbox.loaded import Export, Loaded
from remit.sandbox.traps import classify
from remit.sandbox.values import TextBudget

__all__ = ["Instance", "State"]

_INSTANCES = 256
_TABLES = 32
_TABLE_ELEMENTS = 64 << 10
"""Of one table, eight bytes each: the tables of a guest take 16 MiB at most, besides its memory."""
_ON_EPOCH: Final = ctypes.cast(on_epoch, ctypes.c_void_p).value
_FUNC = ctypes.c_char * capi.FUNC_SIZE
_SLOT = ctypes.c_char * capi.VAL_SIZE

State = Literal["new", "ready", "poisoned", "closed"]


class Instance:
    """An instance of a component, bounded by ``limits``; close it. The first call instantiates, under its own bounds.

    :raises HostFault: if wasmtime gives no store
    """

    def __init__(self, loaded: Loaded, limits: Limits) -> None:
        self._state: State = "closed"
        self._loaded = loaded
        self._limits = limits
        self._forks = forks()
        self._alone = threading.Lock()
        self._world: ClosedWorld | None = None
        self._instance: Any = None
        self._functions: dict[Export, tuple[int, Any]] = {}
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
        capi.store_limiter(store, memory, _TABLE_ELEMENTS, _INSTANCES, _TABLES, memories)
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
        self._seize(call)
        try:
            self._enter(call, None, 0)
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
        self._seize(call)
        try:
            return self._enter(call, export, at)
        finally:
            self._alone.release()

    def run(self, call: Call, export: Export, arguments: tuple[Any, ...]) -> GuestOutcome:
        """As :meth:`call`, for the exports of ``remit:unit``: their result in the kernel's terms."""
        tag, payload = self.call(call, export, arguments)
        used = self._used() if self._loaded.metered else None
        if tag == "ok":
            return GuestOutcome(tag="ok", text=payload, fuel=used)
        case, value = payload
        if case == "retry":
            return GuestOutcome(tag="retry", text=value["reason"], after_ms=value["after-ms"], fuel=used)
        return GuestOutcome(tag="rejected" if case == "rejected" else "failed", text=value, fuel=used)

    def _seize(self, call: Call) -> None:
        if self._forks != forks():
            raise HostFault("the instance belongs to the process that this one was forked from")
        if not self._alone.acquire(blocking=False):
            raise HostFault("the instance is in a call already")
        if self._state in {"poisoned", "closed"}:
            self._alone.release()
            raise HostFault(f"the instance is {self._state}", remedy="make another instance")
        call.world = self._world

    def _enter(self, call: Call, export: Export | None, at: int) -> Any:
        """Run the guest; whatever happens, the instance is ready or poisoned afterwards."""
        context = self._context
        before, self._state = self._state, "poisoned"
        CALLS[context] = call
        enter(context, self._loaded.engine)
        error = 0
        result: Any = None
        failure: SandboxError | None = None
        try:
            if self._loaded.metered:
                capi.set_fuel(context, self._limits.fuel or 0)
            capi.set_epoch_deadline(context, call.first_epochs())
            if before == "new":
                error = self._instantiate()
            if export is not None and not error:
                function = self._functions.get(export) or self._find(export)
                error = capi.func_call(function[0], context, at, export.count, self._slot_at, 1) or 0
                if not error:
                    result, failure = self._read(export)
        finally:
            leave(context)
            del CALLS[context]
            self._world = call.world
            message = capi.error_message(error) if error else ""
        _judge(call, message, self._limits)
        if failure is not None:
            raise failure
        self._state = "ready"
        return result

    def _instantiate(self) -> int:
        _, linker, component = self._loaded.addresses
        made = ctypes.create_string_buffer(capi.INSTANCE_SIZE)
        error = capi.component_instantiate(linker, self._context, component, ctypes.addressof(made))
        self._instance = made
        return int(error or 0)

    def _find(self, export: Export) -> tuple[int, Any]:
        buffer = _FUNC()
        at = ctypes.addressof(buffer)
        if not capi.instance_get_func(ctypes.addressof(self._instance), self._context, export.index, at):
            raise HostFault("the export vanished from the instance")
        self._functions[export] = (at, buffer)
        return at, buffer

    def _read(self, export: Export) -> tuple[Any, SandboxError | None]:
        """The result, copied, or why it is none; what wasmtime allocated for it is freed."""
        try:
            return export.read(self._slot, 0, TextBudget(self._limits.output)), None
        except OutputTooLarge:
            limit = self._limits.output
            return None, OutputTooLarge(f"the guest returned more than {limit} bytes", limit=limit)
        except SandboxError as error:
            return None, error
        finally:
            capi.component_value_delete(self._slot_at)

    def _used(self) -> int:
        left = ctypes.c_uint64()
        capi.get_fuel(self._context, ctypes.addressof(left))
        return (self._limits.fuel or 0) - left.value

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
                if self._forks == forks():
                    capi.store_delete(self._store)
        finally:
            self._alone.release()

    def __del__(self) -> None:
        with suppress(Exception):
            self.close()


def _judge(call: Call, message: str, limits: Limits) -> None:
    """Raise the reason why a call did not succeed: what the host decided comes before what the guest did."""
    if call.host.abort is not None:
        raise call.host.abort
    if call.fault is not None:
        if isinstance(call.fault, Exception):
            raise HostFault(f"a host function failed: {type(call.fault).__name__}: {call.fault}") from call.fault
        raise call.fault
    if (why := call.due()) is not None:
        raise why
    if message:
        raise classify(message, limits)
