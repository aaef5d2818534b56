"""Builds the linker of a component: exactly its own imports, each bound to the door or to the closed world.

A linker is built once per loaded component and serves every call of it. What a component does not import is not there
to be found; what it imports was checked before (:mod:`remit.sandbox.wit.contract`).
"""

from __future__ import annotations

import ctypes
from typing import Any

from wasmtime import Engine, WasmtimeError
from wasmtime import _ffi as ffi
from wasmtime import component as wc

from remit.errors import ImportRefused
from remit.sandbox.engines import capi
from remit.sandbox.guest.callbacks import on_import, on_import_later, on_wasi, register
from remit.sandbox.guest.closed_wasi import FUNCTIONS, RESOURCES
from remit.sandbox.guest.targets import CLOSED, Serve, closed_world, through
from remit.sandbox.wit.contract import IMPORTS, short_name

__all__ = ["build_linker"]


def _in_the_closed_world(function: Any) -> Serve:
    return lambda call, arguments: function(call.wasi(), *arguments)


_OURS = {
    (interface, name): register(through(interface, name, signature))
    for interface, functions in IMPORTS.items()
    for name, signature in functions.items()
}
_WASI = {
    (interface, name): register(closed_world(signature, _in_the_closed_world(function)))
    for interface, functions in FUNCTIONS.items()
    for name, (signature, function) in functions.items()
}
_CLOSED = register(CLOSED)

_NO_FINALIZER = ctypes.cast(0, ctypes.CFUNCTYPE(None, ctypes.c_void_p))
_ON_IMPORT_LATER = ctypes.cast(on_import_later, ctypes.c_void_p)
_ON_IMPORT = ctypes.cast(on_import, ffi.wasmtime_component_func_callback_t)
_ON_WASI = ctypes.cast(on_wasi, ffi.wasmtime_component_func_callback_t)


@ffi.wasmtime_component_resource_destructor_t  # type: ignore[untyped-decorator] # ctypes
def _forget(_data: Any, _context: Any, _rep: int) -> int:
    """A guest dropped a handle: there is nothing behind it."""
    return 0


def build_linker(engine: Engine, component: wc.Component, *, later: bool = False) -> wc.Linker:
    """The linker for a component whose imports were checked.

    :param later: for guests on an event loop, which wait for what goes through the door

    :raises ImportRefused: if it imports a resource that no WASI interface has
    """
    linker = wc.Linker(engine)
    with linker.root() as root:
        for name, item in component.type.imports(engine).items():
            with root.add_instance(name) as instance:
                kind: Any = item.ty
                _define(instance, name, kind.exports(engine), later=later)
    return linker


def _define(instance: wc.LinkerInstance, name: str, members: dict[str, Any], *, later: bool) -> None:
    short = short_name(name)
    interface = name.partition("@")[0]
    for member, item in members.items():
        kind = item.ty
        if isinstance(kind, wc.FuncType):
            if short is None:
                _add_function(instance, member, _ON_WASI, _WASI.get((interface, member), _CLOSED))
            elif later:
                _add_waiting(instance, member, _OURS[short, member])
            else:
                _add_function(instance, member, _ON_IMPORT, _OURS[short, member])
        elif isinstance(kind, wc.ResourceType):
            _add_resource(instance, member)


def _add_function(instance: wc.LinkerInstance, name: str, callback: Any, number: int) -> None:
    data = name.encode()
    _raise(
        ffi.wasmtime_component_linker_instance_add_func(
            instance.ptr(), ctypes.create_string_buffer(data), len(data), callback, number, _NO_FINALIZER
        )
    )


def _add_waiting(instance: wc.LinkerInstance, name: str, number: int) -> None:
    data = name.encode()
    error = capi.linker_add_async(capi.address(instance.ptr()), data, len(data), _ON_IMPORT_LATER, number, None)
    if error:
        raise WasmtimeError(capi.error_message(error))


def _add_resource(instance: wc.LinkerInstance, name: str) -> None:
    if name not in RESOURCES:
        raise ImportRefused(
            f"the component imports a resource that WASI does not have: {name[:200]}", imports=[name[:200]]
        )
    data = name.encode()
    kind = wc.ResourceType.host(RESOURCES.index(name))
    _raise(
        ffi.wasmtime_component_linker_instance_add_resource(
            instance.ptr(), ctypes.create_string_buffer(data), len(data), kind.ptr(), _forget, None, _NO_FINALIZER
        )
    )


def _raise(error: Any) -> None:
    if error:
        raise WasmtimeError._from_ptr(error)  # noqa: SLF001 - the package has no public way
