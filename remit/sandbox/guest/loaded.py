"""A component in this process: compiled, checked, linked, its exports planned. Shared by every instance of it."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

from wasmtime import Engine
from wasmtime import _ffi as ffi
from wasmtime import component as wc

from remit.errors import ExportMissing, HostFault
from remit.sandbox.crossing.layout import planned
from remit.sandbox.crossing.packing import Lay, layer
from remit.sandbox.crossing.reading import Read, Take, reader, taker
from remit.sandbox.crossing.values import TextBudget, check_value, lift, lower, release
from remit.sandbox.engines import capi
from remit.sandbox.engines.engine import INSTANCES, TABLE_ELEMENTS, TABLES, alarm_of, slots_of
from remit.sandbox.engines.holding import Pace
from remit.sandbox.wit.contract import EXPORTS, Shape, short_name
from remit.sandbox.wit.plain import PlainFunction, find_plain
from remit.sandbox.wit.types import Signature, Type

__all__ = ["Export", "Loaded"]


_MOST_VACANT = 64
"""Rooms of one export that wait for their next instance."""
_ELEMENTS, _INSTANCES, _TABLES = map(capi.number, (TABLE_ELEMENTS, INSTANCES, TABLES))


class Room:
    """Memory that a call of an export reads and writes, and its addresses as parameters of the C call."""

    __slots__ = ("_memory", "arguments", "function", "rest", "result")

    def __init__(self, given: int, wanted: int) -> None:
        """Make it, for so many arguments and results."""
        self._memory = (ctypes.c_char * (capi.FUNC_SIZE + (1 + given) * capi.VAL_SIZE))()
        function = ctypes.addressof(self._memory)
        self.result = function + capi.FUNC_SIZE
        self.arguments = self.result + capi.VAL_SIZE
        point, number = capi.pointer, capi.number
        self.function = point(function)
        self.rest = (point(self.arguments), number(given), point(self.result), number(wanted))


class Export:
    """One function that a component offers: where it is, and how its values cross.

    :param plain: how JSON crosses, where it is not a function of our world
    """

    __slots__ = ("_index", "_vacant", "counts", "index", "lay", "name", "plain", "take")

    def __init__(
        self,
        name: str,
        index: wc.ExportIndex,
        signature: Signature,
        *,
        plain: PlainFunction | None = None,
        fast: bool = capi.FAST,
    ) -> None:
        self.name = name
        self.index = capi.pointer(capi.address(index.ptr()))
        self.counts = (len(signature.params), int(signature.result is not None))
        """Of arguments and of results."""
        self.plain = plain
        self._index = index
        self._vacant: list[Room] = []
        params, result = signature.params, signature.result
        fast = fast and all(map(planned, params)) and planned(result)
        self.lay: Lay = layer(params) if fast else _declared(params)
        self.take: Take = taker(result, reader(result) if fast and result is not None else _declared_reader(result))

    def room(self) -> Room:
        """Room for a call, the caller's alone until it is vacated."""
        try:
            return self._vacant.pop()
        except IndexError:
            return Room(*self.counts)

    def vacate(self, room: Room) -> None:
        """Give room back: its result was freed, and nothing is called there."""
        # wasmtime frees what it overwrites: nothing may be left there.
        capi.MEMORY[room.result] = 0
        if len(self._vacant) < _MOST_VACANT:
            self._vacant.append(room)


def _declared_reader(kind: Type | None) -> Read:
    """As :func:`remit.sandbox.crossing.reading.reader`, by the package's own declarations."""

    def read(at: int, budget: TextBudget) -> Any:
        return None if kind is None else lift(kind, ffi.wasmtime_component_val_t.from_address(at), budget)

    return read


class _Lowered:
    """Arguments in memory of wasmtime's, freed with the object."""

    def __init__(self, kinds: tuple[Any, ...], values: tuple[Any, ...]) -> None:
        self.slots = (ffi.wasmtime_component_val_t * len(kinds))()
        for kind, value, slot in zip(kinds, values, self.slots, strict=True):
            lower(kind, value, slot)

    def __del__(self) -> None:
        for slot in self.slots:
            release(slot)


def _declared(kinds: tuple[Type, ...]) -> Lay:
    """As :func:`remit.sandbox.crossing.packing.layer`, by the package's own declarations."""

    def lay(values: tuple[Any, ...], address: int) -> _Lowered:
        if len(values) != len(kinds):
            raise HostFault(f"{len(kinds)} values are wanted, not {len(values)}")
        for kind, value in zip(kinds, values, strict=True):
            check_value(kind, value)
        lowered = _Lowered(kinds, values)
        ctypes.memmove(address, lowered.slots, ctypes.sizeof(lowered.slots))
        return lowered

    return lay


class Loaded:
    """What every instance of a component shares.

    :param later: makes the linker for guests on an event loop
    :param shape: what the component asks for and offers
    :param size: bytes of machine code
    """

    def __init__(
        self,
        engine: Engine,
        component: wc.Component,
        linker: wc.Linker,
        later: Callable[[], wc.Linker],
        *,
        imported: frozenset[str],
        exported: frozenset[str],
        shape: Shape,
        size: int,
        metered: bool,
    ) -> None:
        self.engine = engine
        self.imported = imported
        self.exported = exported
        self.memories = shape.memories
        self.size = size
        self.used = 0
        """The number of its last use, among those of its library."""
        self.metered = metered
        self.parameters = tuple(capi.pointer(capi.address(part.ptr())) for part in (engine, linker, component))
        """Engine, linker and component, for the C API."""
        self.pace = Pace(alarm_of(engine))
        self._slots = slots_of(engine)
        self.in_slots = self._slots is not None
        """Whether its instances live in slots of a pooled engine, which are wiped and not given back."""
        self._component = component
        self._linker = linker
        self._later = later
        self._loop_linker: wc.Linker | None = None
        self._shape = shape
        self._names = {short: name for name in shape.exports if (short := short_name(name)) in EXPORTS and short}
        self._exports: dict[str, Export] = {}
        self._bounds: dict[int, tuple[Any, ...]] = {}

    def export(self, name: str) -> Export:
        """Where ``"provider.call"`` is in the component, or ``"local:calc/api#add"``, and how to call it.

        :raises ExportMissing: if the component does not export it, or nothing can stand for its values
        """
        if (found := self._exports.get(name)) is not None:
            return found
        interface, _, function = name.partition(".")
        signature = EXPORTS.get(interface, {}).get(function)
        if signature is not None and interface in self.exported:
            made = Export(name, self._index(self._names[interface], function), signature)
        else:
            plain = find_plain(self._shape, name)
            made = Export(name, self._index(*name.split("#")), plain.signature, plain=plain)
        return self._exports.setdefault(name, made)

    def bounds(self, memory: int) -> tuple[Any, ...]:
        """What a store of so many bytes of memory may have, as parameters of the C call that limits it."""
        known = self._bounds.get(memory)
        if known is None:
            # wasmtime limits each memory by itself; allowing just as many as the component makes bounds them together.
            each, memories = capi.number(memory // self.memories), capi.number(self.memories)
            known = self._bounds[memory] = (each, _ELEMENTS, _INSTANCES, _TABLES, memories)
        return known

    def _index(self, *path: str) -> wc.ExportIndex:
        index = None
        for step in path:
            index = self._component.get_export_index(step, index)
            if index is None:
                raise ExportMissing(f"the component does not export {'#'.join(path)[:200]}")
        assert index is not None
        return index

    def loop_linker(self) -> Any:
        """The linker for guests on an event loop, made when the first one asks."""
        if self._loop_linker is None:
            self._loop_linker = self._later()
        return capi.pointer(capi.address(self._loop_linker.ptr()))

    def claim(self) -> bool:
        """Take a slot of a pooled engine; ``False`` if there is none left."""
        if self._slots is None:
            return True
        try:
            self._slots.pop()
        except IndexError:
            return False
        return True

    def release(self) -> None:
        """Give the slot back: the store is gone."""
        if self._slots is not None:
            self._slots.append(None)
