"""The functions that wasmtime calls, one each for the whole process: an import, a used-up epoch, a guest that waits.

None ever raises: an exception cannot travel through wasmtime, and ctypes would make up an answer in its place.
"""

from __future__ import annotations

import ctypes
from struct import Struct
from typing import Any

from remit.sandbox.engines import capi
from remit.sandbox.guest.call import CALLS, Call
from remit.sandbox.guest.targets import LIE, Closed, Through

__all__ = ["on_epoch", "on_import", "on_import_later", "on_wasi", "register"]

_KEPT: list[Through | Closed] = []
_STOPPED = b"stopped by the host"
_YIELD = 1
"""WASMTIME_UPDATE_DEADLINE_YIELD: let the event loop go on before the guest does."""
_CONTINUATION = Struct("<QQQ").pack_into
_ERROR = Struct("<Q").pack_into


def register(target: Through | Closed) -> int:
    """Keep a target for the life of the process; gives what the linker hands back to the callback: where it lies."""
    _KEPT.append(target)
    return id(target)


@capi.IMPORT_CALLBACK  # type: ignore[untyped-decorator] # ctypes
def on_import(
    target: Through, context: int, _type: int, arguments: int, _given: int, results: int, _wanted: int
) -> int:
    """Called by wasmtime for imports of our world, whose types were compared with ours when the code was read."""
    call = None
    try:
        call = CALLS[context]
        now, door, take = call.now, call.host, target.take
        if call.stop is not None or now() >= call.ends_ns:
            call.check()
        # Of what is called, a method is entered the short way, and an object that can be called is not.
        found = door.__call__(target.interface, target.function, take(call, arguments))
        if door.abort is None:
            give = target.give
            give(call, found, results)
            return 0
    except BaseException as error:  # noqa: BLE001 - nothing may escape into ctypes; run() raises what is remembered
        if call is not None:
            call.keep(error)
    # What it says does not matter, since the call remembers the reason.
    return capi.error_of(_STOPPED)


@capi.IMPORT_CALLBACK  # type: ignore[untyped-decorator] # ctypes
def on_wasi(target: Closed, context: int, _type: int, arguments: int, given: int, results: int, wanted: int) -> int:
    """Called by wasmtime for imports of WASI, whose types nobody compared.

    :param given: how many arguments the component declared, as ``wanted`` results: it may lie about them
    """
    call = None
    try:
        call = CALLS[context]
        now = call.now
        if call.stop is not None or now() >= call.ends_ns:
            call.check()
        if target.strict and (given != target.given or wanted != target.wanted):
            target = LIE
        if target.answer(call, arguments, results):
            return 0
    except BaseException as error:  # noqa: BLE001 - as above
        if call is not None:
            call.keep(error)
    return capi.error_of(_STOPPED)


@capi.EPOCH_CALLBACK  # type: ignore[untyped-decorator] # ctypes
def on_epoch(context: int, _data: int, delta: Any, kind: Any) -> int:
    """Called by wasmtime on the guest's thread when its epochs are used up: go on, or stop."""
    call = None
    try:
        call = CALLS[context]
        if call.host.abort is None and call.due() is None:
            if call.later is not None:
                delta[0], kind[0] = 1, _YIELD
            else:
                assert call.inside is not None
                delta[0] = call.inside.ask_again(call)
            return 0
    except BaseException as error:  # noqa: BLE001 - nothing may escape into ctypes; run() raises what is remembered
        if call is not None:
            call.fault = error
    return capi.error_of(_STOPPED)


@capi.LATER_CALLBACK  # type: ignore[untyped-decorator] # ctypes
def on_import_later(
    target: Through, context: int, _type: int, arguments: int, _given: int, results: int, _wanted: int, error: int,
    continuation: int,
) -> None:  # fmt: skip
    """As :func:`on_import`, for a guest on an event loop: starts the host call and says whom to ask about it."""
    _ERROR(capi.MEMORY, error, 0)
    # The call knows where its error goes: there is one host call at a time.
    _CONTINUATION(capi.MEMORY, continuation, _ON_CONTINUE, error, 0)
    _WAITING[error] = call = CALLS.get(context)
    if call is not None:
        call.begin(target, arguments, results)


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
