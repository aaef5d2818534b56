"""One store with one instance in it: made, called any number of times one after the other, closed.

It is READY between calls; a call that did not end by returning leaves it POISONED, since wasmtime never enters such an
instance again, and a poisoned or closed one answers every later call with an error. It belongs to whoever runs a call
in it: a second thread, a call from within its own host call, or a child of ``fork`` gets an error, never another
thread's store. Nothing here decides policy, finds code or keeps instances; see :mod:`remit.sandbox.running.pool`.
"""

from __future__ import annotations

import ctypes
from contextlib import suppress
from typing import Any, Final, Literal, NoReturn

import msgspec

from remit.errors import HostFault
from remit.kernel.model import GuestOutcome, Limits
from remit.kernel.ports import Clock, HostCalls
from remit.sandbox.engines import capi
from remit.sandbox.engines.engine import HUB
from remit.sandbox.engines.holding import Pace, used_ns
from remit.sandbox.guest.call import CALLS, SHORT_MS, Call
from remit.sandbox.guest.callbacks import on_epoch
from remit.sandbox.guest.closed_wasi import ClosedWorld
from remit.sandbox.guest.loaded import Export, Loaded
from remit.sandbox.guest.traps import classify

__all__ = ["Entry", "Instance", "State"]

_ON_EPOCH: Final = capi.pointer(ctypes.cast(on_epoch, ctypes.c_void_p).value)
_over: Final = CALLS.pop
_INSTANCE = ctypes.c_char * capi.INSTANCE_SIZE
_SMALL = 8 << 20
"""Bytes of guest memory whose slot is wiped in about a millisecond at worst: other threads may wait so long."""

State = Literal["new", "ready", "poisoned", "closed"]


class Entry:
    """An export in one instance, with room for its arguments and its result: what a call of it takes is made once."""

    __slots__ = ("_room", "arguments", "export", "found", "function", "lay", "parameters", "result", "take")

    def __init__(self, export: Export, context: Any) -> None:
        """Take a room.

        :param context: the store's, as a parameter
        """
        self.export, self.lay, self.take = export, export.lay, export.take
        self.found = False
        """Whether the instance was asked where the function is."""
        self._room = room = export.room()
        self.arguments, self.result, self.function = room.arguments, room.result, room.function
        """Addresses of slots, of as many arguments as there are and of wasmtime's result; where the function is."""
        self.parameters = (room.function, context, *room.rest)
        """Of :data:`remit.sandbox.engines.capi.func_call`."""

    def leave(self) -> None:
        """Free the result, and let another instance have the room: no call runs here any more."""
        capi.component_value_delete(self.result)
        self.export.vacate(self._room)


class Instance:
    """An instance of a component, bounded by ``limits``; close it. The first call instantiates, under its own bounds.

    :param loaded: has been asked for a slot, which goes back when the instance is closed
    :param once: whether it is made for one call
    :raises HostFault: if wasmtime gives no store
    """

    def __init__(self, loaded: Loaded, limits: Limits, clock: Clock, *, pure: bool = False, once: bool = False) -> None:
        self._token: list[State] = []
        self._loaded = loaded
        self._limits = limits
        self.engine, self._metered, self._output = loaded.engine, loaded.metered, limits.output
        self._small = limits.memory <= _SMALL and loaded.in_slots
        # The first call of a large guest is never brief, and says nothing of the next. To make another takes longer
        # than calls may be apart, to be worth the lock.
        self._pace = loaded.pace if loaded.in_slots else Pace(None)
        self._paced = loaded.in_slots or not once
        self.holds = False
        """Whether its guest keeps Python's lock while it runs, or did so the last time."""
        self._asked_ns = 0
        self._clock = clock
        self.pure = pure
        self._forks = HUB.forks
        self.world: ClosedWorld | None = None
        self._entries: dict[str, Entry] = {}
        self._idle: list[Call] = []
        """What the last call of :meth:`invoke` was told by, if it ended well: nobody knows it any more."""
        self._room = _INSTANCE()
        self._instance = capi.pointer(ctypes.addressof(self._room))
        made = capi.store_new(loaded.parameters[0], None, None)
        if not made:
            raise HostFault("wasmtime gave no store")
        self._store = store = capi.pointer(made)
        capi.store_limiter(store, *loaded.bounds(limits.memory))
        capi.store_epoch_callback(store, _ON_EPOCH, None, None)
        self.context = capi.store_context(store)
        self._in_context = capi.pointer(self.context)
        self._token.append("new")

    @property
    def state(self) -> State:
        """``new`` until the first call, then ``ready`` until one fails; ``poisoned`` and ``closed`` are for ever.

        An instance in a call is ``poisoned`` until the call has succeeded.
        """
        with suppress(IndexError):
            return self._token[0]
        return "poisoned"

    @property
    def worn(self) -> bool:
        """Whether it holds more of our memory than a kept instance should."""
        return self.world is not None and self.world.worn

    # ---- calling ----

    def start(self, call: Call) -> None:
        """Instantiate now, under a call's bounds and with its door, so that the next call finds it done.

        :raises SandboxError: if the guest's start does what it must not
        """
        ends = state = self._take()
        try:
            self._expect(state)
            ends = "poisoned"
            call.inside = self
            HUB.enter(self.context, call)
            try:
                self._instantiate(call)
            finally:
                HUB.leave(self.context)
            ends = "ready"
        finally:
            self._token.append(ends)

    def call(self, call: Call, export: str, arguments: tuple[Any, ...]) -> Any:
        """Call an export and give its result; see :meth:`invoke`.

        The epochs of an earlier call are as good as new ones, unless the deadline is close: none is further off than
        :data:`CHECK_EPOCHS`, and one that has passed asks at once. What a slot holds is named before it is called: the
        interpreter has a short way for either, and none for both at once.
        """
        try:
            ends = state = self._token.pop()
        except IndexError:
            self._busy()
        try:
            entry = self._entries.get(export) or self._enter(export)
            lay, take, now = entry.lay, entry.take, call.now
            _kept = lay(arguments, entry.arguments)
            if state != "ready" or self._forks != HUB.forks:
                self._expect(state)
            context = self.context
            call.inside = self
            ends = "poisoned"
            CALLS[context] = call
            try:
                if HUB.ticker is None:
                    HUB.wake()
                began_ns, alarm = call.began_ns, self._pace.alarm
                holds = alarm is not None and (
                    began_ns < alarm.until_ns or (began_ns >= alarm.due_ns and alarm.covers(began_ns))
                )
                if holds is not self.holds:
                    self._change(holds)
                if not entry.found:
                    self._prepare(call, entry, state)
                if self._metered:
                    capi.set_fuel(context, self._limits.fuel or 0)
                if holds:
                    error = capi.func_call_held(*entry.parameters)
                elif alarm is not None and call.limit_ms >= SHORT_MS:  # known to be brief, but rare
                    error = capi.func_call(*entry.parameters)
                else:
                    error = self._let_go(call, entry)
            finally:
                _over(context, None)
            if error or call.stop or call.fault or call.host.abort or now() >= call.ends_ns:
                raise self._reason(call, error)
            result = take(entry.result, self._output)
            ends = "ready"
            return result
        finally:
            self._token.append(ends)

    def _change(self, holds: bool) -> None:
        """Keep Python's lock from now on, being asked at the next epoch, or let go of it again."""
        self.holds = holds
        if holds:
            capi.set_epoch_deadline(self.context, 1)

    def _let_go(self, call: Call, entry: Entry) -> int:
        """Run a guest while others may have Python's lock, and see how long it takes."""
        if call.limit_ms < SHORT_MS:
            capi.set_epoch_deadline(self.context, call.first_epochs())
        if not self._paced:
            return int(capi.func_call(*entry.parameters))
        began_ns = used_ns()
        error: int = capi.func_call(*entry.parameters)
        self._pace.took(used_ns() - began_ns)
        self._pace = self._loaded.pace
        return error

    def ask_again(self, call: Call) -> int:
        """After how many epochs to ask the guest again, which may go on; one that keeps Python's lock lends it out."""
        if not self.holds:
            return call.epochs()
        # The epoch of the first question may have passed before the call; that of the second has not.
        if self._asked_ns == call.ends_ns:
            self._pace.overran()
        self._asked_ns = call.ends_ns
        return 1

    def invoke(self, export: str, arguments: tuple[Any, ...], host: HostCalls, deadline_ms: int) -> Any:
        """Call an export by its name, ``"provider.call"`` or ``"local:calc/api#add"``, with values of its WIT types.

        Gives its result; that of ours is ``("ok", …)`` or ``("err", …)``.

        :param host: the door that its host calls go through
        :param deadline_ms: milliseconds that the call may take, host calls included
        :raises ExportMissing: if the component does not export it
        :raises HostFault: if an argument does not have the export's type (the instance stays as it is), or the
            instance cannot be called
        :raises SandboxError: for whatever the guest did that it must not
        """
        try:
            call = self._idle.pop()  # so that no other thread has it
        except IndexError:
            call = Call(host, self._clock, deadline_ms)
        else:
            call.host, call.limit_ms = host, deadline_ms
            call.restart_clock()
        result = self.call(call, export, arguments)
        if self.world is None:  # which tells calls apart
            self._idle.append(call)
        return result

    def run(self, call: Call, export: str, arguments: tuple[Any, ...]) -> GuestOutcome:
        """As :meth:`call`, with texts for arguments and the result in the kernel's terms."""
        found = self._loaded.export(export)
        if found.plain is not None:
            arguments = found.plain.arguments(arguments)
        return self.outcome(found, self.call(call, export, arguments))

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

    def _take(self) -> State:
        """What the instance is, for the caller alone until it is appended again: so only one call at a time runs."""
        try:
            return self._token.pop()
        except IndexError:
            self._busy()

    @staticmethod
    def _busy() -> NoReturn:
        raise HostFault("the instance is in a call already") from None

    def _expect(self, state: State) -> None:
        if self._forks != HUB.forks:
            raise HostFault("the instance belongs to the process that this one was forked from")
        if state not in {"new", "ready"}:
            raise HostFault(f"the instance is {state}", remedy="make another instance")

    def _enter(self, export: str) -> Entry:
        return self._entries.setdefault(export, Entry(self._loaded.export(export), self._in_context))

    def _prepare(self, call: Call, entry: Entry, state: State) -> None:
        """Instantiate, unless that is done, and find the function."""
        if state == "new":
            self._instantiate(call)
        if not capi.instance_get_func(self._instance, self._in_context, entry.export.index, entry.function):
            raise HostFault("the export vanished from the instance")
        entry.found = True

    def _instantiate(self, call: Call) -> None:
        """Instantiate; the call is entered."""
        context = self.context
        if self._metered:
            capi.set_fuel(context, self._limits.fuel or 0)
        _, linker, component = self._loaded.parameters
        if self.holds:
            error = capi.component_instantiate_held(linker, self._in_context, component, self._instance)
        else:
            capi.set_epoch_deadline(context, call.first_epochs())
            error = capi.component_instantiate(linker, self._in_context, component, self._instance)
        if error or call.stop or call.fault or call.host.abort or call.now() >= call.ends_ns:
            raise self._reason(call, error)

    def _used(self) -> int:
        left = ctypes.c_uint64()
        capi.get_fuel(self.context, ctypes.addressof(left))
        return (self._limits.fuel or 0) - left.value

    def _reason(self, call: Call, error: int) -> BaseException:
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
        return call.due() or classify(message, self._limits)

    # ---- the end ----

    def stderr(self) -> list[str]:
        """What the guest wrote to stderr since this was asked."""
        return self.world.take_stderr() if self.world is not None else []

    def close(self) -> None:
        """Free the store; idempotent.

        :raises HostFault: if a call is running in it
        """
        state = self._take()
        try:
            if state != "closed":
                self._free()
        finally:
            self._token.append("closed")

    def _free(self) -> None:
        if self._forks == HUB.forks:
            for entry in self._entries.values():
                entry.leave()
            self._entries.clear()
            self.world = None  # which knows its last call, which knows this instance
            (capi.store_delete_small if self._small else capi.store_delete)(self._store)
            self._loaded.release()

    def __del__(self) -> None:
        # Nobody runs a call in what nobody holds: a token that is missing was lost to what a signal's handler raised.
        try:
            if self._token != ["closed"]:
                self._free()
        except Exception:  # noqa: BLE001, S110 - half an instance, or half an interpreter
            pass
