"""Values by plan: the fast way over the boundary, one plan for each type, made once.

Going in, a value is checked and flattened in one pass, and a call's arguments become one ``bytes`` object whose
pointers lead to other ``bytes`` objects: wasmtime copies arguments and never frees them, so nothing is allocated that
somebody would have to free, and a value that does not fit is refused before wasmtime hears of the call. Coming out, a
value is read where wasmtime put it, at an address that wasmtime gave: never at one that a guest names.

Handles of resources have no plan, and nothing has one where :data:`remit.sandbox.capi.FAST` is false: those go by
:mod:`remit.sandbox.values`, and a test holds the two equal.

Layout: a value is 32 bytes, a kind and a union of 24; a text, list, record or flags is a size and an address; an entry
of a record is a name and a value (``wasmtime/component/val.h``).
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from struct import Struct
from typing import Any

from wasmtime import _ffi as ffi

from remit.errors import GuestTextInvalid, GuestTrapped, HostFault
from remit.sandbox.capi import BYTES_OFFSET, MEMORY, VAL_SIZE
from remit.sandbox.types import (
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
from remit.sandbox.values import TextBudget

__all__ = ["Emit", "Pack", "Read", "boxer", "packer", "planned", "reader"]

Emit = Callable[[Any, list[Any], list[Any]], None]
"""(value, numbers to pack, objects to keep alive); refuses what does not fit."""
Pack = Callable[[tuple[Any, ...], list[Any]], int]
"""(values, objects to keep alive) → address of their slots, valid as long as the objects are kept."""
Read = Callable[[int, TextBudget], Any]
"""(address of a slot of wasmtime's, budget) → value."""

_FORMAT = {
    "bool": "B7x?23x", "u8": "B7xB23x", "s8": "B7xb23x", "u16": "B7xH22x", "s16": "B7xh22x", "u32": "B7xI20x",
    "s32": "B7xi20x", "u64": "B7xQ16x", "s64": "B7xq16x", "f32": "B7xf20x", "f64": "B7xd16x", "char": "B7xI20x",
}  # fmt: skip
_SIZED = "B7xQQ8x"
_BOXED = "B7xQ16x"
_CHOICE = "B7xB7xQ8x"
_CASE = "B7xQQQ"
_NAME_AT = Struct("<QQ").unpack_from
_SIZED_AT = Struct("<B7xQQ").unpack_from
_CHOICE_AT = Struct("<B7xB7xQ").unpack_from
_PLAIN = {name: Struct("<" + text[3:].rstrip("x0123456789")).unpack_from for name, text in _FORMAT.items()}
_PACK_SIZED = Struct("<B7xQQ8x").pack
_PACK_CHOICE = Struct("<B7xB7xQ8x").pack
_POINTER_AT = Struct("<Q").unpack_from
_ENTRY = 16 + VAL_SIZE
_BYTE_AT = 8
"""Where the union begins in a value."""


def _kind(name: str) -> int:
    return int(getattr(ffi, f"WASMTIME_COMPONENT_{name.upper()}").value)


_STRING, _LIST, _RECORD, _TUPLE = map(_kind, ("string", "list", "record", "tuple"))
_VARIANT, _ENUM, _OPTION, _RESULT, _FLAGS = map(_kind, ("variant", "enum", "option", "result", "flags"))
_KINDS = {name: _kind(name) for name in _FORMAT}


def planned(kind: Type | None) -> bool:
    """Whether a type has a plan: no handle of a resource is in it."""
    match kind:
        case None | Primitive() | Enum() | Flags():
            return True
        case Option(of=inner) | ListOf(of=inner):
            return planned(inner)
        case Result(ok=ok, err=err):
            return planned(ok) and planned(err)
        case TupleOf(parts=parts):
            return all(map(planned, parts))
        case Record(fields=fields):
            return all(planned(part) for _, part in fields)
        case Variant(cases=cases):
            return all(planned(part) for _, part in cases)
        case _:
            return False


# ---- going in ----


def packer(kinds: tuple[Type, ...]) -> Pack:
    """A function from values to the address of their slots, one after the other.

    It raises :class:`HostFault` for a value that does not have its type.
    """
    count = len(kinds)
    pack = Struct("<" + "".join(map(_format, kinds))).pack
    emits = tuple(map(_emit, kinds))
    numbered = tuple(enumerate(emits))

    def packed(values: tuple[Any, ...], keep: list[Any]) -> int:
        if len(values) != count:
            raise HostFault(f"{count} values are wanted, not {len(values)}")
        flat: list[Any] = []
        for i, emit in numbered:
            emit(values[i], flat, keep)
        return _keep(pack(*flat), keep)

    return packed


def _format(kind: Type) -> str:
    match kind:
        case Primitive(name=name):
            return _SIZED if name == "string" else _FORMAT[name]
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
            return _emit_option(inner)
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
    number = _KINDS[name]
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


def _box_result(kind: Result) -> Callable[[Any, list[Any]], int]:
    sides = {"ok": (1, _payload(kind.ok)), "err": (0, _payload(kind.err))}

    def result(value: Any, keep: list[Any]) -> int:
        is_ok, box = _case(kind, sides, value)
        block = _PACK_CHOICE(_RESULT, is_ok, box(value[1], keep))
        keep.append(block)
        return id(block) + BYTES_OFFSET

    return result


def _emit_option(inner: Type) -> Emit:
    box = boxer(inner)

    def option(value: Any, flat: list[Any], keep: list[Any]) -> None:
        flat += (_OPTION, 0 if value is None else box(value, keep))

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
    boxes[::VAL_SIZE] = bytes([_KINDS["u8"]]) * len(value)
    boxes[_BYTE_AT::VAL_SIZE] = value
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


# ---- coming out ----


def _unexpected(kind: object) -> GuestTrapped:
    return GuestTrapped(f"the guest passed a value that is not of type {kind}")


def _read_text(at: int, budget: TextBudget) -> str:
    kind, size, address = _SIZED_AT(MEMORY, at)
    if kind != _STRING:
        raise _unexpected("string")
    budget.take(size)
    try:
        return str(MEMORY[address : address + size], "utf-8")
    except UnicodeDecodeError as error:
        raise GuestTextInvalid("the guest passed a string that is not UTF-8") from error


def _name(at: int, budget: TextBudget) -> str:
    size, address = _NAME_AT(MEMORY, at)
    budget.take(size)
    try:
        return str(MEMORY[address : address + size], "utf-8")
    except UnicodeDecodeError as error:
        raise GuestTextInvalid("the guest passed a string that is not UTF-8") from error


@functools.cache
def reader(kind: Type) -> Read:  # noqa: C901 - one case for each type of WIT
    """A function that reads a value where it lies."""
    match kind:
        case Primitive(name="string"):
            return _read_text
        case Primitive(name=name):
            return _read_plain(name)
        case Enum():
            return _read_enum
        case Flags():
            return _read_flags
        case Option(of=inner):
            return _read_option(inner)
        case Result(ok=ok, err=err):
            return _read_result(ok, err)
        case ListOf(of=Primitive(name="u8")):
            return _read_bytes
        case ListOf(of=inner):
            return _read_list(inner)
        case TupleOf(parts=parts):
            return _read_tuple(parts)
        case Record(fields=fields):
            return _read_record(fields)
        case Variant(cases=cases):
            return _read_variant(cases)
        case _:
            raise HostFault(f"{kind} has no plan")


def _read_plain(name: str) -> Read:
    number, unpack = _KINDS[name], _PLAIN[name]

    def plain(at: int, _budget: TextBudget) -> Any:
        if MEMORY[at] != number:
            raise _unexpected(name)
        return unpack(MEMORY, at + 8)[0]

    def char(at: int, budget: TextBudget) -> Any:
        return chr(plain(at, budget))

    return char if name == "char" else plain


def _read_enum(at: int, budget: TextBudget) -> str:
    if MEMORY[at] != _ENUM:
        raise _unexpected("enum")
    return _name(at + 8, budget)


def _sized(at: int, number: int, budget: TextBudget) -> tuple[int, int]:
    """How many parts a value has, charged, and where they lie."""
    kind, size, address = _SIZED_AT(MEMORY, at)
    if kind != number:
        raise _unexpected("that was declared")
    budget.take(size)
    return size, address


def _read_flags(at: int, budget: TextBudget) -> frozenset[str]:
    count, names = _sized(at, _FLAGS, budget)
    return frozenset(_name(names + i * 16, budget) for i in range(count))


def _unboxed(at: int) -> int:
    (address,) = _POINTER_AT(MEMORY, at)
    if not address:
        raise _unexpected("that its case has")
    return int(address)


def _read_option(inner: Type) -> Read:
    read = reader(inner)

    def option(at: int, budget: TextBudget) -> Any:
        if MEMORY[at] != _OPTION:
            raise _unexpected("option")
        (address,) = _POINTER_AT(MEMORY, at + 8)
        return read(address, budget) if address else None

    return option


def _read_result(ok: Type | None, err: Type | None) -> Read:
    sides = tuple(None if side is None else reader(side) for side in (err, ok))

    def result(at: int, budget: TextBudget) -> Any:
        kind, is_ok, address = _CHOICE_AT(MEMORY, at)
        if kind != _RESULT:
            raise _unexpected("result")
        read = sides[is_ok]
        if read is not None and not address:
            raise _unexpected("that its case has")
        return ("ok" if is_ok else "err", None if read is None else read(address, budget))

    return result


def _read_variant(cases: tuple[tuple[str, Type | None], ...]) -> Read:
    known = {name: None if part is None else reader(part) for name, part in cases}

    def variant(at: int, budget: TextBudget) -> Any:
        if MEMORY[at] != _VARIANT:
            raise _unexpected("variant")
        tag = _name(at + 8, budget)
        read = known.get(tag)
        return (tag, None if read is None else read(_unboxed(at + 24), budget))

    return variant


def _read_bytes(at: int, budget: TextBudget) -> bytes:
    count, boxes = _sized(at, _LIST, budget)
    return bytes(MEMORY[boxes + _BYTE_AT : boxes + _BYTE_AT + count * VAL_SIZE : VAL_SIZE]) if count else b""


def _read_list(inner: Type) -> Read:
    read = reader(inner)

    def items(at: int, budget: TextBudget) -> list[Any]:
        count, slots = _sized(at, _LIST, budget)
        return [read(slots + i * VAL_SIZE, budget) for i in range(count)]

    return items


def _read_tuple(parts: tuple[Type, ...]) -> Read:
    reads = tuple((i * VAL_SIZE, reader(part)) for i, part in enumerate(parts))

    def items(at: int, budget: TextBudget) -> tuple[Any, ...]:
        count, slots = _sized(at, _TUPLE, budget)
        if count != len(reads):
            raise _unexpected("tuple")
        return tuple([read(slots + offset, budget) for offset, read in reads])

    return items


def _read_record(fields: tuple[tuple[str, Type], ...]) -> Read:
    reads = tuple((name, reader(part)) for name, part in fields)
    wanted = frozenset(name for name, _ in fields)

    def record(at: int, budget: TextBudget) -> dict[str, Any]:
        count, entries = _sized(at, _RECORD, budget)
        # By name, so that a record may gain fields.
        found = {_name(entry, budget): entry + 16 for entry in range(entries, entries + count * _ENTRY, _ENTRY)}
        if not found.keys() >= wanted:
            raise _unexpected("record")
        return {name: read(found[name], budget) for name, read in reads}

    return record
