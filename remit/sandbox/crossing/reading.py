"""Values on their way out: read where wasmtime put them, by a plan that is made once for each type.

Addresses are wasmtime's own, never ones that a guest names. Every text and every value is charged to a budget before it
becomes a Python object.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from struct import Struct
from typing import Any

from remit.errors import GuestTextInvalid, GuestTrapped, HostFault, OutputTooLarge
from remit.sandbox.crossing.layout import FORMATS, KINDS, UNION
from remit.sandbox.crossing.values import TextBudget
from remit.sandbox.engines.capi import MEMORY, TEXT, VAL_SIZE, component_value_delete
from remit.sandbox.wit.types import (
    STRING,
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

__all__ = ["Read", "Take", "reader", "taker", "text_taker"]

Read = Callable[[int, TextBudget], Any]
"""(address of a slot of wasmtime's, budget) → value."""
Take = Callable[[int, int], Any]
"""(address of a slot of ours with a result of wasmtime's, most bytes) → value; see :func:`taker`."""

_BRIEF = 4 << 10
"""Bytes of a text up to which a copy of them is made faster than a view."""
_LEFT = 16 << 10
"""Bytes of a text that may stay in a slot until the next result: wasmtime frees what it overwrites."""

_NAME_AT = Struct("<QQ").unpack_from
_SIZED_AT = Struct("<B7xQQ").unpack_from
_CHOICE_AT = Struct("<B7xB7xQ").unpack_from
_POINTER_AT = Struct("<Q").unpack_from
_PLAIN = {name: Struct("<" + text[3:].rstrip("x0123456789")).unpack_from for name, text in FORMATS.items()}
_ENTRY = 16 + VAL_SIZE
_STRING, _LIST, _RECORD, _TUPLE = (KINDS[name] for name in ("string", "list", "record", "tuple"))
_VARIANT, _ENUM, _OPTION, _RESULT, _FLAGS = (KINDS[name] for name in ("variant", "enum", "option", "result", "flags"))


def _unexpected(kind: object) -> GuestTrapped:
    return GuestTrapped(f"the guest passed a value that is not of type {kind}")


def _read_text(at: int, budget: TextBudget) -> str:
    kind, size, address = _SIZED_AT(MEMORY, at)
    if kind != _STRING:
        raise _unexpected("string")
    budget.take(size)
    return _decoded(address, size)


def _name(at: int, budget: TextBudget) -> str:
    size, address = _NAME_AT(MEMORY, at)
    budget.take(size)
    return _decoded(address, size)


def _decoded(address: int, size: int) -> str:
    try:
        if size > _BRIEF:
            return str(MEMORY[address : address + size], "utf-8")
        text: str = TEXT[address : address + size].decode()
    except UnicodeDecodeError as error:
        raise GuestTextInvalid("the guest passed a string that is not UTF-8") from error
    return text


def text_taker(most: int) -> Callable[[Any, int], tuple[str]]:
    """A function that reads the one text, of at most so many bytes, that a host function is given: (call, address)."""

    def take(_call: Any, at: int) -> tuple[str]:
        kind, size, address = _SIZED_AT(MEMORY, at)
        if kind != _STRING or size > _BRIEF:
            return (_read_text(at, TextBudget(most)),)
        return (TEXT[address : address + size].decode(),)

    return take


def taker(kind: Type | None, read: Read) -> Take:
    """A function that takes a call's result out of its slot, and frees it: at once, or when the next one comes.

    It raises :class:`OutputTooLarge` if there are more bytes than the call may give.
    """
    if kind is None:
        return lambda _at, _most: None

    def take(at: int, most: int) -> Any:
        try:
            return read(at, TextBudget(most))
        except OutputTooLarge:
            raise OutputTooLarge(f"the guest returned more than {most} bytes", limit=most) from None
        finally:
            component_value_delete(at)
            # wasmtime frees what it overwrites: leave nothing there for the next call to free again.
            MEMORY[at] = 0

    def take_text(at: int, most: int) -> Any:
        """What ``provider.call`` gives when all is well, written out."""
        outer, is_ok, box = _CHOICE_AT(MEMORY, at)
        if outer == _RESULT and is_ok and box:
            inner, size, address = _SIZED_AT(MEMORY, box)
            if inner == _STRING and size <= most and size <= _LEFT:
                return ("ok", TEXT[address : address + size].decode() if size <= _BRIEF else _decoded(address, size))
        return take(at, most)

    return take_text if isinstance(kind, Result) and kind.ok == STRING and read is reader(kind) else take


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
            return _read_option(inner, nested=kind.nested)
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
    number, unpack = KINDS[name], _PLAIN[name]

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


def _read_option(inner: Type, *, nested: bool) -> Read:
    read = reader(inner)

    def option(at: int, budget: TextBudget) -> Any:
        if MEMORY[at] != _OPTION:
            raise _unexpected("option")
        (address,) = _POINTER_AT(MEMORY, at + 8)
        return read(address, budget) if address else None

    def tagged(at: int, budget: TextBudget) -> Any:
        if MEMORY[at] != _OPTION:
            raise _unexpected("option")
        (address,) = _POINTER_AT(MEMORY, at + 8)
        return ("some", read(address, budget)) if address else None

    return tagged if nested else option


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
    return bytes(MEMORY[boxes + UNION : boxes + UNION + count * VAL_SIZE : VAL_SIZE]) if count else b""


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
