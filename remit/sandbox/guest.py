"""One instance for one call: makes store and instance, calls the export, reads the result, throws everything away.

A store is never used twice, so what one call leaves behind (a trap's poison, dirty memory, open handles) cannot reach
the next. Nothing here decides policy or finds code; see :mod:`remit.sandbox.runner`.
"""

from __future__ import annotations

import ctypes
from ctypes import byref
from dataclasses import dataclass
from typing import Any

from wasmtime import Engine, Store, WasmtimeError
from wasmtime import _ffi as ffi
from wasmtime import component as wc

from remit.errors import ExportMissing, HostFault, OutputTooLarge
from remit.kernel.model import GuestOutcome, Limits
from remit.sandbox.call import Call, bind, on_epoch, unbind
from remit.sandbox.contract import EXPORTS, short_name
from remit.sandbox.engine import ticking
from remit.sandbox.traps import classify
from remit.sandbox.types import Signature
from remit.sandbox.values import TextBudget, check_value, lift, lower, release

__all__ = ["Loaded", "find_export", "run_guest"]

_INSTANCES = 256
_TABLES = 32
_TABLE_ELEMENTS = 64 << 10
"""Of one table, eight bytes each: the tables of a guest take 16 MiB at most, besides its memory."""
_NO_FINALIZER = ctypes.cast(0, ctypes.CFUNCTYPE(None, ctypes.c_void_p))


@dataclass(frozen=True, slots=True)
class Loaded:
    """A component in this process: compiled, checked, linked. Shared by every call of it."""

    engine: Engine
    component: wc.Component
    linker: wc.Linker
    imported: frozenset[str]
    exported: frozenset[str]
    memories: int
    size: int
    """Bytes of machine code."""
    metered: bool
    interfaces: dict[str, str]
    """Full names of our exported interfaces, by short name."""


def find_export(loaded: Loaded, export: str) -> tuple[wc.ExportIndex, Signature]:
    """Where ``"provider.call"`` is in the component, and what it takes.

    :raises ExportMissing: if the component does not export it
    """
    interface, _, function = export.partition(".")
    signature = EXPORTS.get(interface, {}).get(function)
    if signature is None or interface not in loaded.exported:
        raise ExportMissing(f"the component does not export {export[:100]}", exports=sorted(loaded.exported))
    component = loaded.component
    outer = component.get_export_index(loaded.interfaces[interface])
    index = component.get_export_index(function, outer) if outer is not None else None
    if index is None:
        raise ExportMissing(f"the component does not export {export[:100]}", exports=sorted(loaded.exported))
    return index, signature


def run_guest(loaded: Loaded, call: Call, export: str, arguments: tuple[Any, ...], limits: Limits) -> GuestOutcome:
    """Run an export in an instance of its own, and throw that away.

    :raises SandboxError: for whatever the guest did that it must not
    """
    index, signature = find_export(loaded, export)
    if len(arguments) != len(signature.params):
        raise HostFault(f"{export} takes {len(signature.params)} arguments, not {len(arguments)}")
    for kind, value in zip(signature.params, arguments, strict=True):
        check_value(kind, value)
    store = Store(loaded.engine)
    context = store._context()  # noqa: SLF001 - the C API underneath needs it
    try:
        bind(context, call)
        _restrict(store, loaded, limits)
        call.restart_clock()
        with ticking(loaded.engine):
            store.set_epoch_deadline(call.epochs())
            failure, result = _enter(store, loaded, index, signature, arguments, limits)
        _judge(call, failure, limits)
        return _outcome(result, store.get_fuel() if loaded.metered else None, limits)
    finally:
        unbind(context)
        store.close()


def _restrict(store: Store, loaded: Loaded, limits: Limits) -> None:
    # wasmtime limits each memory by itself; allowing just as many as the component makes bounds them together.
    store.set_limits(
        memory_size=limits.memory // loaded.memories,
        memories=loaded.memories,
        table_elements=_TABLE_ELEMENTS,
        tables=_TABLES,
        instances=_INSTANCES,
    )
    ffi.wasmtime_store_epoch_deadline_callback(store.ptr(), on_epoch, None, _NO_FINALIZER)
    if loaded.metered:
        store.set_fuel(limits.fuel or 0)


def _enter(
    store: Store,
    loaded: Loaded,
    index: wc.ExportIndex,
    signature: Signature,
    arguments: tuple[Any, ...],
    limits: Limits,
) -> tuple[str | Exception, Any]:
    """Wasmtime's message ("" where all went well), and the lifted result.

    The stock ``Func.__call__`` is not used: it keeps exceptions in a global of its module, where two threads take each
    other's.
    """
    try:
        instance = loaded.linker.instantiate(store, loaded.component)
    except WasmtimeError as error:
        return str(error), None
    function = instance.get_func(store, index)
    if function is None:
        return HostFault("the export vanished from the instance"), None
    context = store._context()  # noqa: SLF001 - the C API underneath needs it
    params = (ffi.wasmtime_component_val_t * len(arguments))()
    result = ffi.wasmtime_component_val_t()
    for kind, value, slot in zip(signature.params, arguments, params, strict=True):
        lower(kind, value, slot)
    entry = byref(function._func)  # noqa: SLF001 - as above
    trap: Any = ffi.wasmtime_component_func_call(entry, context, params, len(arguments), byref(result), 1)
    for slot in params:
        release(slot)
    if trap:
        return str(WasmtimeError._from_ptr(trap)), None  # noqa: SLF001 - as above
    assert signature.result is not None
    try:
        return "", lift(signature.result, result, TextBudget(limits.output))
    except OutputTooLarge:
        return OutputTooLarge(f"the guest returned more than {limits.output} bytes", limit=limits.output), None
    except Exception as error:  # noqa: BLE001 - the caller decides which of several reasons counts
        return error, None
    finally:
        release(result)


def _judge(call: Call, failure: str | Exception, limits: Limits) -> None:
    """Raise the reason why a call did not succeed: what the host decided comes before what the guest did."""
    if call.host.abort is not None:
        raise call.host.abort
    if call.fault is not None:
        if isinstance(call.fault, Exception):
            raise HostFault(f"a host function failed: {type(call.fault).__name__}: {call.fault}") from call.fault
        raise call.fault
    if (why := call.due()) is not None:
        raise why
    if isinstance(failure, Exception):
        raise failure
    if failure:
        raise classify(failure, limits)


def _outcome(result: tuple[str, Any], left: int | None, limits: Limits) -> GuestOutcome:
    used = None if left is None or limits.fuel is None else limits.fuel - left
    tag, payload = result
    if tag == "ok":
        return GuestOutcome(tag="ok", text=payload, fuel=used)
    case, value = payload
    if case == "retry":
        return GuestOutcome(tag="retry", text=value["reason"], after_ms=value["after-ms"], fuel=used)
    return GuestOutcome(tag="rejected" if case == "rejected" else "failed", text=value, fuel=used)


def full_names(exports: Any) -> dict[str, str]:
    """Full names of our interfaces among a component's exports, by short name."""
    return {short: name for name in exports if (short := short_name(name)) in EXPORTS and short is not None}
