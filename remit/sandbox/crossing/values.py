"""Plain Python to and from the values of wasmtime's component C API, by our own types.

The stock conversion leaves results untagged, wraps integers and re-reads types at each call; this one is by the table
of :mod:`remit.sandbox.wit.contract`, checks everything before it allocates, and always tags. It does not know calls,
stores or limits beyond the size of text.

Ownership (from wasmtime's C headers): a callback's arguments stay wasmtime's, the callback's result becomes
wasmtime's, and a caller owns the arguments it passes and the results it gets.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from ctypes import byref
from typing import Any

from wasmtime import _ffi as ffi

from remit.errors import GuestTextInvalid, GuestTrapped, HostFault, OutputTooLarge, SandboxError
from remit.sandbox.wit.types import (
    WHOLE,
    Borrow,
    Enum,
    Flags,
    ListOf,
    Option,
    Own,
    Primitive,
    Record,
    Result,
    TupleOf,
    Type,
    Variant,
)

__all__ = ["TextBudget", "check_value", "lift", "lower", "release"]

_VAL_SIZE = ctypes.sizeof(ffi.wasmtime_component_val_t)
_VAL_UNION = ffi.wasmtime_component_val_t.of.offset
_KINDS: dict[str, int] = {
    name: getattr(ffi, f"WASMTIME_COMPONENT_{name.upper()}").value
    for name in (
        "bool", "s8", "u8", "s16", "u16", "s32", "u32", "s64", "u64", "f32", "f64", "char", "string", "list",
        "record", "tuple", "variant", "enum", "option", "result", "flags", "resource",
    )
}  # fmt: skip

LiftResource = Callable[[Any], int]
LowerResource = Callable[[str, int], Any]


class TextBudget:
    """How many bytes of text and how many values one crossing of the boundary may still bring in."""

    __slots__ = ("_bytes", "_limit", "_values")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._bytes = 0
        self._values = 0

    def take(self, count: int) -> None:
        """Charge a text of ``count`` bytes, and one value.

        :raises OutputTooLarge: if that is more than the limit
        """
        self._bytes += count
        self._values += 1
        # A value costs the host far more than its bytes, so many empty ones must not be free.
        if self._bytes > self._limit or self._values * 8 > max(self._limit, 1024):
            raise OutputTooLarge(f"the guest passed more than {self._limit} bytes at once", limit=self._limit)


def _unexpected(kind: Any) -> SandboxError:
    return GuestTrapped(f"the guest passed a value that is not of type {kind}")


def lift(  # noqa: C901, PLR0912 - one case for each type of WIT
    kind: Type, value: Any, budget: TextBudget, resource: LiftResource | None = None
) -> Any:
    """The Python value of a component value, which is left as it is.

    :param resource: gives the host's integer for a resource pointer; ``None`` where no resource may come
    :raises OutputTooLarge: if it is beyond the budget
    :raises GuestTextInvalid: if a text is not UTF-8
    """
    of = value.of
    match kind:
        case Primitive(name="string"):
            _expect(value, "string")
            return _text(of.string, budget)
        case Primitive(name="bool"):
            _expect(value, "bool")
            return bool(of.boolean)
        case Primitive(name="char"):
            _expect(value, "char")
            return chr(of.character)
        case Primitive(name=name):
            _expect(value, name)
            return getattr(of, name)
        case Flags():
            _expect(value, "flags")
            budget.take(of.flags.size)
            return frozenset(_text(of.flags.data[i], budget) for i in range(of.flags.size))
        case Enum():
            _expect(value, "enum")
            return _text(of.enumeration, budget)
        case Option(of=inner):
            _expect(value, "option")
            found = lift(inner, of.option.contents, budget, resource) if of.option else None
            return ("some", found) if of.option and kind.nested else found
        case Result(ok=ok, err=err):
            _expect(value, "result")
            side = ok if of.result.is_ok else err
            payload = None if side is None else lift(side, _unboxed(of.result.val), budget, resource)
            return ("ok" if of.result.is_ok else "err", payload)
        case ListOf(of=inner):
            _expect(value, "list")
            return _lift_list(inner, of.list, budget, resource)
        case TupleOf(parts=parts):
            _expect(value, "tuple")
            budget.take(of.tuple.size)
            if of.tuple.size != len(parts):
                raise _unexpected(kind)
            return tuple(lift(part, of.tuple.data[i], budget, resource) for i, part in enumerate(parts))
        case Record(fields=fields):
            _expect(value, "record")
            budget.take(of.record.size)
            entries = (of.record.data[i] for i in range(of.record.size))
            found = {_text(entry.name, budget): entry.val for entry in entries}
            if not found.keys() >= dict(fields).keys():
                raise _unexpected(kind)
            return {name: lift(part, found[name], budget, resource) for name, part in fields}
        case Variant(cases=cases):
            _expect(value, "variant")
            tag = _text(of.variant.discriminant, budget)
            part = dict(cases).get(tag)
            return (tag, None if part is None else lift(part, _unboxed(of.variant.val), budget, resource))
        case Own() | Borrow():
            _expect(value, "resource")
            if resource is None:
                raise _unexpected(kind)
            return resource(of.resource)


def _expect(value: Any, name: str) -> None:
    if value.kind != _KINDS[name]:
        raise _unexpected(name)


def _unboxed(pointer: Any) -> Any:
    """What a box holds; a component whose type has no payload here leaves it empty."""
    if not pointer:
        raise _unexpected("that its case has")
    return pointer.contents


def _text(vec: Any, budget: TextBudget) -> str:
    budget.take(vec.size)
    if not vec.size:
        return ""
    try:
        return ctypes.string_at(vec.data, vec.size).decode()
    except UnicodeDecodeError as error:
        raise GuestTextInvalid("the guest passed a string that is not UTF-8") from error


def _lift_list(inner: Type, items: Any, budget: TextBudget, resource: LiftResource | None) -> Any:
    if inner == Primitive("u8"):
        budget.take(items.size)
        # One boxed value per byte; a strided slice over the boxes is a hundred times faster than a loop.
        return ctypes.string_at(items.data, items.size * _VAL_SIZE)[_VAL_UNION::_VAL_SIZE] if items.size else b""
    budget.take(items.size)
    return [lift(inner, items.data[i], budget, resource) for i in range(items.size)]


def check_value(kind: Type, value: Any) -> None:
    """Refuse a Python value that does not have the WIT type: a failure later would poison the instance.

    :raises HostFault: if it does not
    """
    if not _fits(kind, value):
        raise HostFault(f"a host function answered {type(value).__name__}, not {kind}")


def _fits(kind: Type | None, value: Any) -> bool:  # noqa: C901, PLR0912 - one case for each type of WIT
    match kind:
        case None:
            return value is None
        case Primitive(name="string"):
            return isinstance(value, str) and _has_utf8(value)
        case Primitive(name="bool"):
            return isinstance(value, bool)
        case Primitive(name="char"):
            return isinstance(value, str) and len(value) == 1 and _has_utf8(value)
        case Primitive(name="f32" | "f64"):
            return isinstance(value, float)
        case Primitive(name=name):
            least, most = WHOLE[name]
            return type(value) is int and least <= value <= most
        case Enum(names=names):
            return isinstance(value, str) and value in names
        case Flags(names=names):
            return isinstance(value, set | frozenset) and value <= set(names)
        case Option(of=inner):
            if kind.nested:
                return value is None or (_tagged(value) and value[0] == "some" and _fits(inner, value[1]))
            return value is None or _fits(inner, value)
        case Result(ok=ok, err=err):
            return _tagged(value) and (
                _fits(ok, value[1]) if value[0] == "ok" else value[0] == "err" and _fits(err, value[1])
            )
        case ListOf(of=inner):
            if inner == Primitive("u8"):
                return isinstance(value, bytes)
            return isinstance(value, list | tuple) and all(_fits(inner, item) for item in value)
        case TupleOf(parts=parts):
            same = isinstance(value, list | tuple) and len(value) == len(parts)
            return same and all(_fits(part, item) for part, item in zip(parts, value, strict=True))
        case Record(fields=fields):
            return isinstance(value, dict) and all(name in value and _fits(part, value[name]) for name, part in fields)
        case Variant(cases=cases):
            return _tagged(value) and value[0] in dict(cases) and _fits(dict(cases)[value[0]], value[1])
        case Own() | Borrow():
            return isinstance(value, int) and 0 <= value < 1 << 32


def _has_utf8(text: str) -> bool:
    """Lone surrogates are the one Python text that has no UTF-8."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _tagged(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) == 2  # noqa: PLR2004 - (tag, payload)


def lower(  # noqa: C901, PLR0912, PLR0915 - one case for each type of WIT
    kind: Type, value: Any, out: Any, resource: LowerResource | None = None
) -> None:
    """Write a value that :func:`check_value` has passed into ``out``, in memory that wasmtime may free.

    :param resource: gives the pointer for a resource's name and the host's integer for it
    """
    of = out.of
    match kind:
        case Primitive(name="string"):
            out.kind = _KINDS["string"]
            _put_text(of.string, value)
        case Primitive(name="bool"):
            out.kind = _KINDS["bool"]
            of.boolean = value
        case Primitive(name="char"):
            out.kind = _KINDS["char"]
            of.character = ord(value)
        case Primitive(name=name):
            out.kind = _KINDS[name]
            setattr(of, name, value)
        case Flags(names=names):
            out.kind = _KINDS["flags"]
            _put_flags(of.flags, [name for name in names if name in value])
        case Enum():
            out.kind = _KINDS["enum"]
            _put_text(of.enumeration, value)
        case Option(of=inner):
            out.kind = _KINDS["option"]
            held = value[1] if kind.nested and value is not None else value
            of.option = None if value is None else _boxed(inner, held, resource)
        case Result(ok=ok, err=err):
            out.kind = _KINDS["result"]
            side = ok if value[0] == "ok" else err
            of.result.is_ok = value[0] == "ok"
            of.result.val = None if side is None else _boxed(side, value[1], resource)
        case ListOf(of=inner):
            out.kind = _KINDS["list"]
            ffi.wasmtime_component_vallist_new_uninit(byref(of.list), len(value))
            if isinstance(value, bytes):
                _put_bytes(of.list, value)
                return
            for i, item in enumerate(value):
                lower(inner, item, of.list.data[i], resource)
        case TupleOf(parts=parts):
            out.kind = _KINDS["tuple"]
            ffi.wasmtime_component_valtuple_new_uninit(byref(of.tuple), len(parts))
            for i, part in enumerate(parts):
                lower(part, value[i], of.tuple.data[i], resource)
        case Record(fields=fields):
            out.kind = _KINDS["record"]
            ffi.wasmtime_component_valrecord_new_uninit(byref(of.record), len(fields))
            for i, (name, part) in enumerate(fields):
                _put_text(of.record.data[i].name, name)
                lower(part, value[name], of.record.data[i].val, resource)
        case Variant(cases=cases):
            out.kind = _KINDS["variant"]
            side = dict(cases)[value[0]]
            _put_text(of.variant.discriminant, value[0])
            of.variant.val = None if side is None else _boxed(side, value[1], resource)
        case Own(resource=name) | Borrow(resource=name):
            assert resource is not None
            out.kind = _KINDS["resource"]
            of.resource = resource(name, value)


def _put_text(vec: Any, text: str) -> None:
    data = text.encode()
    ffi.wasm_byte_vec_new(byref(vec), len(data), ctypes.cast(ctypes.c_char_p(data), ctypes.POINTER(ffi.wasm_byte_t)))


def _put_flags(flags: Any, chosen: list[str]) -> None:
    ffi.wasmtime_component_valflags_new_uninit(byref(flags), len(chosen))
    for i, name in enumerate(chosen):
        _put_text(flags.data[i], name)


def _put_bytes(items: Any, data: bytes) -> None:
    """Box every byte, by strides instead of one at a time."""
    boxes = bytearray(len(data) * _VAL_SIZE)
    boxes[::_VAL_SIZE] = bytes([_KINDS["u8"]]) * len(data)
    boxes[_VAL_UNION::_VAL_SIZE] = data
    ctypes.memmove(items.data, (ctypes.c_char * len(boxes)).from_buffer(boxes), len(boxes))


def _boxed(kind: Type, value: Any, resource: LowerResource | None) -> Any:
    inner = ffi.wasmtime_component_val_t()
    lower(kind, value, inner, resource)
    # The box takes over what ``inner`` points at.
    return ffi.wasmtime_component_val_new(byref(inner))


def release(value: Any) -> None:
    """Free what a value that we own points at."""
    ffi.wasmtime_component_val_delete(byref(value))
