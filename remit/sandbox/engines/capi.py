"""The few functions of wasmtime's C API that every call goes through, bound to plain integers or to parameters.

The stock bindings build a pointer object for every argument; with addresses as integers a call costs a third. Where an
argument is the same call after call, even converting the integer is too much: the functions under *prepared* take what
:data:`pointer` and :data:`number` make of one, once. The library is the one that the package has loaded, so there is
one wasmtime in the process. Whether the memory layout is what :mod:`remit.sandbox.crossing.layout` writes is checked
here once, against the package's own declarations: :data:`FAST` says so, and where it is false everything goes by
:mod:`remit.sandbox.crossing.values`, which asks those declarations each time.
"""

from __future__ import annotations

import ctypes
import struct
import sys
from ctypes import POINTER, c_bool, c_char_p, c_size_t, c_uint8, c_uint64, c_void_p, py_object
from typing import Any, Final

from wasmtime import WasmtimeError
from wasmtime import _ffi as ffi

__all__ = [
    "BYTES_OFFSET",
    "CONTINUE_CALLBACK",
    "EPOCH_CALLBACK",
    "FAST",
    "FUNC_SIZE",
    "IMPORT_CALLBACK",
    "INSTANCE_SIZE",
    "LATER_CALLBACK",
    "MEMORY",
    "TEXT",
    "VAL_SIZE",
    "address",
    "component_instantiate",
    "component_instantiate_held",
    "component_value_clone",
    "component_value_delete",
    "error_message",
    "error_of",
    "func_call",
    "func_call_async",
    "func_call_held",
    "future_delete",
    "future_poll",
    "instance_get_func",
    "instantiate_async",
    "linker_add_async",
    "number",
    "pointer",
    "set_epoch_deadline",
    "set_fuel",
    "store_context",
    "store_delete",
    "store_delete_small",
    "store_epoch_callback",
    "store_limiter",
    "store_new",
]

VAL_SIZE: Final = ctypes.sizeof(ffi.wasmtime_component_val_t)
INSTANCE_SIZE: Final = ctypes.sizeof(ffi.wasmtime_component_instance_t)
FUNC_SIZE: Final = ctypes.sizeof(ffi.wasmtime_component_func_t)
BYTES_OFFSET: Final = bytes.__basicsize__ - 1
"""Where the content of a ``bytes`` object lies, from its ``id``; CPython only."""

_FILE = ffi.dll._name  # noqa: SLF001 - the very file that the package has loaded
_long, _short = ctypes.CDLL(_FILE), ctypes.PyDLL(_FILE)


def _bind(name: str, result: Any, *arguments: Any, long: bool = False) -> Any:
    """A function by its name.

    :param long: whether it may run a guest or free much: other threads go on meanwhile. For the rest, letting them
        would cost more than the function, and often a turn of theirs
    """
    function = getattr(_long if long else _short, name)
    function.restype = result
    function.argtypes = arguments
    return function


def _prepared(name: str, result: Any, *, long: bool = False) -> Any:
    """As :func:`_bind`, for parameters that :data:`pointer` and :data:`number` made; null is ``None``."""
    function = getattr(_long if long else _short, name)
    function.restype = result
    return function


pointer: Final = c_void_p.from_param
"""An address as a parameter: what ctypes would make of it at each call, made once."""
number: Final = c_size_t.from_param
"""A count as a parameter."""

store_new: Final = _prepared("wasmtime_store_new", c_size_t)
store_context: Final = _prepared("wasmtime_store_context", c_size_t)
store_delete: Final = _prepared("wasmtime_store_delete", None, long=True)
store_delete_small: Final = _prepared("wasmtime_store_delete", None)
"""The same, of a store with little to free: no guest runs in it."""
store_limiter: Final = _prepared("wasmtime_store_limiter", None)
store_epoch_callback: Final = _prepared("wasmtime_store_epoch_deadline_callback", None)
component_instantiate: Final = _prepared("wasmtime_component_linker_instantiate", c_size_t, long=True)
component_instantiate_held: Final = _prepared("wasmtime_component_linker_instantiate", c_size_t)
instance_get_func: Final = _prepared("wasmtime_component_instance_get_func", c_bool)
func_call: Final = _prepared("wasmtime_component_func_call", c_size_t, long=True)
func_call_held: Final = _prepared("wasmtime_component_func_call", c_size_t)
"""The same, for guests that keep Python's lock (:mod:`remit.sandbox.engines.holding`)."""
instantiate_async: Final = _prepared("wasmtime_component_linker_instantiate_async", c_size_t, long=True)
func_call_async: Final = _prepared("wasmtime_component_func_call_async", c_size_t, long=True)

set_epoch_deadline: Final = _bind("wasmtime_context_set_epoch_deadline", None, c_void_p, c_uint64)
set_fuel: Final = _bind("wasmtime_context_set_fuel", c_void_p, c_void_p, c_uint64)
get_fuel: Final = _bind("wasmtime_context_get_fuel", c_void_p, c_void_p, c_void_p)
future_poll: Final = _bind("wasmtime_call_future_poll", c_bool, c_void_p, long=True)
future_delete: Final = _bind("wasmtime_call_future_delete", None, c_void_p, long=True)
linker_add_async: Final = _bind(
    "wasmtime_component_linker_instance_add_func_async",
    c_void_p, c_void_p, c_char_p, c_size_t, c_void_p, c_void_p, c_void_p,
)  # fmt: skip
component_value_clone: Final = _bind("wasmtime_component_val_clone", None, c_void_p, c_void_p)
component_value_delete: Final = _bind("wasmtime_component_val_delete", None, c_void_p)
_error_new: Final = _bind("wasmtime_error_new", c_void_p, c_char_p)

IMPORT_CALLBACK: Final = ctypes.CFUNCTYPE(
    c_size_t, py_object, c_void_p, c_void_p, c_void_p, c_size_t, c_void_p, c_size_t
)
"""(an object of ours, context, type, arguments, count, results, count) → error or 0."""
LATER_CALLBACK: Final = ctypes.CFUNCTYPE(
    None, py_object, c_void_p, c_void_p, c_void_p, c_size_t, c_void_p, c_size_t, c_void_p, c_void_p
)
"""As the import's callback, then (where an error goes, where the continuation goes)."""
CONTINUE_CALLBACK: Final = ctypes.CFUNCTYPE(c_bool, c_void_p)
"""(environment) → whether the host call is over."""
EPOCH_CALLBACK: Final = ctypes.CFUNCTYPE(c_size_t, c_void_p, c_void_p, POINTER(c_uint64), POINTER(c_uint8))

MEMORY: Final = memoryview((c_uint8 * (1 << 56)).from_address(0)).cast("B")
"""All of this process's memory, to read what an address of wasmtime's leads to: half the cost of a call for each."""
TEXT: Final[Any] = (ctypes.c_char * (1 << 56)).from_address(0)
"""The same, whose slices are ``bytes``."""


def address(pointer: Any) -> int:
    """Where a pointer of the package's leads."""
    return ctypes.cast(pointer, c_void_p).value or 0


def error_of(message: bytes) -> int:
    """A new error for wasmtime, which frees it."""
    return int(_error_new(message) or 0)


def error_message(error: int) -> str:
    """What an error says; frees it."""
    return str(WasmtimeError._from_ptr(ctypes.cast(error, POINTER(ffi.wasmtime_error_t))))  # noqa: SLF001 - no public way


def _layout_is_known() -> bool:
    """Whether values look as :mod:`remit.sandbox.crossing.layout` writes them, in this interpreter and wasmtime."""
    declared: Any = ffi  # the stubs give a field the type of its value, not of its descriptor
    val, entry = declared.wasmtime_component_val_t, declared.wasmtime_component_valrecord_entry_t
    probe = struct.pack("<Q", 0x1122334455667788)
    return (
        sys.implementation.name == "cpython"
        and sys.byteorder == "little"
        and ctypes.sizeof(c_void_p) == ctypes.sizeof(c_size_t) == 8  # noqa: PLR2004 - 64 bits
        and ctypes.string_at(id(probe) + BYTES_OFFSET, len(probe)) == probe
        and (ctypes.sizeof(val), val.kind.offset, val.of.offset) == (32, 0, 8)
        and ctypes.sizeof(declared.wasmtime_component_valunion_t) == 24  # noqa: PLR2004 - what 32 bytes leave
        and (ctypes.sizeof(entry), entry.name.offset, entry.val.offset) == (48, 0, 16)
        and (declared.wasm_byte_vec_t.size.offset, declared.wasm_byte_vec_t.data.offset) == (0, 8)
        and declared.wasmtime_component_vallist_t.data.offset == 8  # noqa: PLR2004
        and declared.wasmtime_component_valresult_t.val.offset == 8  # noqa: PLR2004
        and declared.wasmtime_component_valvariant_t.val.offset == 16  # noqa: PLR2004
    )


FAST: Final = _layout_is_known()
