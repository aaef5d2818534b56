"""What host functions answer most, written out: a text that can be refused, and a whole number.

Everything else goes through the plans of :mod:`remit.sandbox.crossing.packing`, which give the same.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from struct import Struct
from typing import Any

from remit.sandbox.crossing.layout import FORMATS, KINDS, UNION
from remit.sandbox.engines.capi import BYTES_OFFSET, MEMORY, VAL_SIZE, component_value_clone
from remit.sandbox.wit.types import WHOLE, Primitive, Type

__all__ = ["plain_answerer", "text_answerer"]

_OK_TEXT = Struct("<B7xB7xQ8xB7xQQ8x").pack
_FILL_SIZED = Struct("<QQ").pack_into


def text_answerer() -> Callable[[str, int], None]:
    """A function that gives wasmtime, at an address, the result ``ok`` of a text: what most host functions answer.

    It raises :class:`UnicodeEncodeError` for half a surrogate.
    """
    rooms: list[tuple[bytearray, int, Any]] = []

    def answer(value: str, address: int) -> None:
        data = value.encode()
        try:
            room = rooms.pop()  # so that no other thread has it
        except IndexError:
            room = _answers_room()
        slots, at, _ = room
        _FILL_SIZED(slots, VAL_SIZE + UNION, len(data), id(data) + BYTES_OFFSET)
        component_value_clone(at, address)
        rooms.append(room)

    return answer


def _answers_room() -> tuple[bytearray, int, Any]:
    """Two slots, a result ``ok`` and a text whose size and address are missing; where they lie; what holds them."""
    slots = bytearray(2 * VAL_SIZE)
    lies = (ctypes.c_char * len(slots)).from_buffer(slots)
    at = ctypes.addressof(lies)
    slots[:] = _OK_TEXT(KINDS["result"], 1, at + VAL_SIZE, KINDS["string"], 0, 0)
    return slots, at, lies


def plain_answerer(kind: Type | None) -> Callable[[Any, int], bool] | None:
    """A function that gives wasmtime a whole number at an address, if it is one; ``None`` for other types.

    It raises :class:`struct.error` for one that does not fit.
    """
    if not isinstance(kind, Primitive) or kind.name not in WHOLE:
        return None
    number, write = KINDS[kind.name], Struct("<" + FORMATS[kind.name]).pack_into

    def answer(value: Any, address: int) -> bool:
        if type(value) is not int:
            return False
        write(MEMORY, address, number, value)
        return True

    return answer
