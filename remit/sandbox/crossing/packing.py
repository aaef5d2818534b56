"""Values on their way in: checked and flattened in one pass, by a plan that is made once for each type.

A call's arguments are written where its instance has room for them, with pointers to ``bytes`` objects: wasmtime copies
arguments and never frees them, so nothing is allocated that somebody would have to free, and a value that does not fit
is refused before wasmtime hears of the call.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from struct import Struct
from typing import Any

from remit.errors import HostFault
from remit.sandbox.crossing.layout import FORMATS, KINDS, UNION
from remit.sandbox.engines.capi import BYTES_OFFSET, MEMORY, VAL_SIZE
from remit.sandbox.wit.types import (
    STRING,
    WHOLE,
    Enum,
    Flags,
    ListOf,
    Option,
    Primitive,
    Record,
    Result,
    TupleOf,
    Type,
    Variant,
)

__all__ = ["Lay", "boxer", "layer", "packer", "result_boxer"]

Emit = Callable[[Any, list[Any], list[Any]], None]
"""(value, numbers to pack, objects to keep alive); refuses what does not fit."""
Lay = Callable[[tuple[Any, ...], int], Any]
"""(values, address of as many slots) → what to keep as long as the slots are read; refuses what does not fit."""

_SIZED = "B7xQQ8x"
_BOXED = "B7xQ16x"
_CHOICE = "B7xB7xQ8x"
_CASE = "B7xQQQ"
_PACK_SIZED = Struct("<B7xQQ8x").pack
_LAY_TWO = Struct("<B7xQQ8xB7xQQ8x").pack_into
_PACK_CHOICE = Struct("<B7xB7xQ8x").pack
_STRING, _LIST, _RECORD, _TUPLE = (KINDS[name] for name in ("string", "list", "record", "tuple"))
_VARIANT, _ENUM, _OPTION, _RESULT, _FLAGS = (KINDS[name] for name in ("variant", "enum", "option", "result", "flags"))


def layer(kinds: tuple[Type, ...]) -> Lay:
    """A function that writes values into slots, one after the other.

    It raises :class:`HostFault` for a value that does not have its type, and has written nothing then.
    """
    if kinds == (STRING, STRING):
        return _lay_two_texts
    flatten, write = _flattener(kinds), Struct(_formats(kinds)).pack_into

    def lay(values: tuple[Any, ...], address: int) -> list[Any]:
        keep: list[Any] = []
        write(MEMORY, address, *flatten(values, keep))
        return keep

    return lay


def _lay_two_texts(values: tuple[Any, ...], address: int) -> tuple[bytes, bytes]:
    """What ``provider.call`` takes, written out: a call of a unit costs little more than this."""
    try:
        first, second = values
        one, two = str.encode(first), str.encode(second)
    except (TypeError, ValueError):
        raise HostFault("two texts are wanted") from None
    _LAY_TWO(MEMORY, address, _STRING, len(one), id(one) + BYTES_OFFSET, _STRING, len(two), id(two) + BYTES_OFFSET)
    return one, two


def packer(kinds: tuple[Type, ...]) -> Callable[[tuple[Any, ...], list[Any]], int]:
    """As :func:`layer`, into slots that the function makes: (values, objects to keep) → address of the slots."""
    flatten, pack = _flattener(kinds), Struct(_formats(kinds)).pack

    def packed(values: tuple[Any, ...], keep: list[Any]) -> int:
        return _keep(pack(*flatten(values, keep)), keep)

    return packed


def _flattener(kinds: tuple[Type, ...]) -> Callable[[tuple[Any, ...], list[Any]], list[Any]]:
    count, numbered = len(kinds), tuple(enumerate(map(_emit, kinds)))

    def flatten(values: tuple[Any, ...], keep: list[Any]) -> list[Any]:
        if len(values) != count:
            raise HostFault(f"{count} values are wanted, not {len(values)}")
        flat: list[Any] = []
        for i, emit in numbered:
            emit(values[i], flat, keep)
        return flat

    return flatten


def _formats(kinds: tuple[Type, ...]) -> str:
    return "<" + "".join(map(_format, kinds))


def _format(kind: Type) -> str:
    match kind:
        case Primitive(name=name):
            return _SIZED if name == "string" else FORMATS[name]
        case Option():
            return _BOXED
        case Result():
            return _CHOICE
        case Variant():
            return _CASE
        case _:
            return _SIZED


def _no(kind: object, value: Any) -> HostFault:
    return HostFault(f"a value of type {type(value).__name__} is not of type {kind}")


def _keep(block: bytes, keep: list[Any]) -> int:
    keep.append(block)
    return id(block) + BYTES_OFFSET


@functools.cache
def _emit(kind: Type) -> Emit:  # noqa: C901 - one case for each type of WIT
    match kind:
        case Primitive(name="string"):
            return _emit_text
        case Primitive(name=name):
            return _emit_plain(name)
        case Enum(names=names):
            return _emit_enum(kind, names)
        case Flags(names=names):
            return _emit_flags(kind, names)
        case Option(of=inner):
            return _emit_nested(kind, inner) if kind.nested else _emit_option(inner)
        case Result(ok=ok, err=err):
            return _emit_result(kind, ok, err)
        case ListOf(of=Primitive(name="u8")):
            return _emit_bytes
        case ListOf(of=inner):
            return _emit_list(kind, inner)
        case TupleOf(parts=parts):
            return _emit_tuple(kind, parts)
        case Record(fields=fields):
            return _emit_record(kind, fields)
        case Variant(cases=cases):
            return _emit_variant(kind, cases)
        case _:
            raise HostFault(f"{kind} has no plan")


def _emit_text(value: Any, flat: list[Any], keep: list[Any]) -> None:
    try:
        data = str.encode(value)
    except (TypeError, UnicodeEncodeError):
        raise _no("string", value) from None
    keep.append(data)
    flat += (_STRING, len(data), id(data) + BYTES_OFFSET)


def _emit_plain(name: str) -> Emit:
    number = KINDS[name]
    if name in WHOLE:
        least, most = WHOLE[name]

        def whole(value: Any, flat: list[Any], _keep: list[Any]) -> None:
            if type(value) is not int or not least <= value <= most:
                raise _no(name, value)
            flat += (number, value)

        return whole
    convert = _OTHERS[name]

    def other(value: Any, flat: list[Any], _keep: list[Any]) -> None:
        if (found := convert(value)) is None:
            raise _no(name, value)
        flat += (number, found)

    return other


_OTHERS: dict[str, Callable[[Any], Any]] = {
    "bool": lambda value: value if type(value) is bool else None,
    "f64": lambda value: value if type(value) is float else None,
    # A double beyond what 32 bits hold becomes infinite, as everywhere.
    "f32": lambda value: ctypes.c_float(value).value if type(value) is float else None,
    "char": lambda value: ord(value) if type(value) is str and len(value) == 1 and _is_scalar(value) else None,
}


def _is_scalar(value: str) -> bool:
    return not "\ud800" <= value <= "\udfff"


def _names(names: tuple[str, ...]) -> dict[str, bytes]:
    return {name: name.encode() for name in names}


def _emit_enum(kind: Type, names: tuple[str, ...]) -> Emit:
    known = _names(names)

    def enum(value: Any, flat: list[Any], _keep: list[Any]) -> None:
        data = known.get(value) if type(value) is str else None
        if data is None:
            raise _no(kind, value)
        flat += (_ENUM, len(data), id(data) + BYTES_OFFSET)

    return enum


def _emit_flags(kind: Type, names: tuple[str, ...]) -> Emit:
    known = _names(names)

    def flags(value: Any, flat: list[Any], keep: list[Any]) -> None:
        if not isinstance(value, set | frozenset) or not value <= known.keys():
            raise _no(kind, value)
        chosen = [known[name] for name in names if name in value]
        numbers = [number for data in chosen for number in (len(data), id(data) + BYTES_OFFSET)]
        flat += (_FLAGS, len(chosen), _keep(Struct(f"<{len(numbers)}Q").pack(*numbers), keep))

    return flags


def _box_text(value: Any, keep: list[Any]) -> int:
    try:
        data = str.encode(value)
    except (TypeError, UnicodeEncodeError):
        raise _no("string", value) from None
    block = _PACK_SIZED(_STRING, len(data), id(data) + BYTES_OFFSET)
    keep += (data, block)
    return id(block) + BYTES_OFFSET


@functools.cache
def boxer(kind: Type) -> Callable[[Any, list[Any]], int]:
    """A function from one value to the address of its slot, which is valid as long as the list is kept."""
    if kind == STRING:
        return _box_text
    if isinstance(kind, Result):
        return _box_result(kind)
    emit, pack = _emit(kind), Struct("<" + _format(kind)).pack

    def box(value: Any, keep: list[Any]) -> int:
        flat: list[Any] = []
        emit(value, flat, keep)
        return _keep(pack(*flat), keep)

    return box


def result_boxer(kind: Result) -> Callable[[bool, Any, list[Any]], int]:
    """As :func:`boxer`, from which side it is and the payload: ``(True, value, keep)`` is ``ok``."""
    err, ok = _payload(kind.err), _payload(kind.ok)

    def box(is_ok: bool, value: Any, keep: list[Any]) -> int:
        block = _PACK_CHOICE(_RESULT, is_ok, ok(value, keep) if is_ok else err(value, keep))
        keep.append(block)
        return id(block) + BYTES_OFFSET

    return box


def _box_result(kind: Result) -> Callable[[Any, list[Any]], int]:
    box, sides = result_boxer(kind), {"ok": True, "err": False}

    def result(value: Any, keep: list[Any]) -> int:
        return box(_case(kind, sides, value), value[1], keep)

    return result


def _emit_option(inner: Type) -> Emit:
    box = boxer(inner)

    def option(value: Any, flat: list[Any], keep: list[Any]) -> None:
        flat += (_OPTION, 0 if value is None else box(value, keep))

    return option


def _emit_nested(kind: Type, inner: Type) -> Emit:
    known = {"some": boxer(inner)}

    def option(value: Any, flat: list[Any], keep: list[Any]) -> None:
        flat += (_OPTION, 0 if value is None else _case(kind, known, value)(value[1], keep))

    return option


def _payload(kind: Type | None) -> Callable[[Any, list[Any]], int]:
    """As :func:`boxer`, also for a case without a payload: its value is ``None``."""
    if kind is not None:
        return boxer(kind)

    def nothing(value: Any, _keep: list[Any]) -> int:
        if value is not None:
            raise _no("nothing", value)
        return 0

    return nothing


def _emit_result(kind: Type, ok: Type | None, err: Type | None) -> Emit:
    sides = {"ok": (1, _payload(ok)), "err": (0, _payload(err))}

    def result(value: Any, flat: list[Any], keep: list[Any]) -> None:
        is_ok, box = _case(kind, sides, value)
        flat += (_RESULT, is_ok, box(value[1], keep))

    return result


def _emit_variant(kind: Type, cases: tuple[tuple[str, Type | None], ...]) -> Emit:
    known = {name: (name.encode(), _payload(part)) for name, part in cases}

    def variant(value: Any, flat: list[Any], keep: list[Any]) -> None:
        data, box = _case(kind, known, value)
        flat += (_VARIANT, len(data), id(data) + BYTES_OFFSET, box(value[1], keep))

    return variant


def _case(kind: Type, cases: dict[str, Any], value: Any) -> Any:
    """What a table of cases holds for a ``(tag, payload)``."""
    if type(value) is not tuple or len(value) != 2 or type(value[0]) is not str:  # noqa: PLR2004 - tag, payload
        raise _no(kind, value)
    if (found := cases.get(value[0])) is None:
        raise _no(kind, value)
    return found


def _emit_bytes(value: Any, flat: list[Any], keep: list[Any]) -> None:
    if type(value) is not bytes:
        raise _no("list<u8>", value)
    boxes = bytearray(len(value) * VAL_SIZE)
    boxes[::VAL_SIZE] = bytes([KINDS["u8"]]) * len(value)
    boxes[UNION::VAL_SIZE] = value
    flat += (_LIST, len(value), _keep(bytes(boxes), keep))


def _emit_list(kind: Type, inner: Type) -> Emit:
    emit, form = _emit(inner), _format(inner)

    def items(value: Any, flat: list[Any], keep: list[Any]) -> None:
        if not isinstance(value, list | tuple):
            raise _no(kind, value)
        numbers: list[Any] = []
        for item in value:
            emit(item, numbers, keep)
        flat += (_LIST, len(value), _keep(Struct("<" + form * len(value)).pack(*numbers), keep))

    return items


def _emit_tuple(kind: Type, parts: tuple[Type, ...]) -> Emit:
    pack = packer(parts)

    def items(value: Any, flat: list[Any], keep: list[Any]) -> None:
        if not isinstance(value, list | tuple) or len(value) != len(parts):
            raise _no(kind, value)
        flat += (_TUPLE, len(parts), pack(tuple(value), keep))

    return items


def _emit_record(kind: Type, fields: tuple[tuple[str, Type], ...]) -> Emit:
    pack = Struct("<" + "".join("QQ" + _format(part) for _, part in fields)).pack
    emits = tuple((name, name.encode(), _emit(part)) for name, part in fields)

    def record(value: Any, flat: list[Any], keep: list[Any]) -> None:
        if type(value) is not dict:
            raise _no(kind, value)
        numbers: list[Any] = []
        for name, data, emit in emits:
            if name not in value:
                raise _no(kind, value)
            numbers += (len(data), id(data) + BYTES_OFFSET)
            emit(value[name], numbers, keep)
        flat += (_RECORD, len(fields), _keep(pack(*numbers), keep))

    return record
