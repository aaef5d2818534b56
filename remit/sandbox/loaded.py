"""A component in this process: compiled, checked, linked, its exports planned. Shared by every instance of it."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable
from typing import Any

from wasmtime import Engine
from wasmtime import _ffi as ffi
from wasmtime import component as wc

from remit.errors import ExportMissing, HostFault
from remit.sandbox import capi
from remit.sandbox.contract import EXPORTS, short_name
from remit.sandbox.engine import slots_of
from remit.sandbox.layout import planned
from remit.sandbox.packing import Pack, packer
from remit.sandbox.reading import reader
from remit.sandbox.types import Signature
from remit.sandbox.values import TextBudget, check_value, lift, lower, release

__all__ = ["Export", "Loaded"]


class Export:
    """One function that a component offers: where it is, and how its values cross."""

    __slots__ = ("_index", "_result", "count", "index", "name", "pack", "read")

    def __init__(self, name: str, index: wc.ExportIndex, signature: Signature, *, fast: bool = capi.FAST) -> None:
        self.name = name
        self.index = capi.address(index.ptr())
        self.count = len(signature.params)
        assert signature.result is not None
        self._index = index
        self._result = signature.result
        fast = fast and all(map(planned, signature.params)) and planned(signature.result)
        self.pack: Pack = packer(signature.params) if fast else _declared(signature)
        """Checks arguments and lays them out; raises :class:`HostFault` for what does not fit."""
        self.read = reader(signature.result) if fast else self._lifted

    def _lifted(self, at: int, budget: TextBudget) -> Any:
        return lift(self._result, ffi.wasmtime_component_val_t.from_address(at), budget)


class _Lowered:
    """Arguments in memory of wasmtime's, freed with the object."""

    def __init__(self, kinds: tuple[Any, ...], values: tuple[Any, ...]) -> None:
        self.slots = (ffi.wasmtime_component_val_t * len(kinds))()
        for kind, value, slot in zip(kinds, values, self.slots, strict=True):
            lower(kind, value, slot)

    def __del__(self) -> None:
        for slot in self.slots:
            release(slot)


def _declared(signature: Signature) -> Pack:
    """As :func:`remit.sandbox.packing.packer`, by the package's own declarations."""
    kinds = signature.params

    def packed(values: tuple[Any, ...], keep: list[Any]) -> int:
        if len(values) != len(kinds):
            raise HostFault(f"{len(kinds)} values are wanted, not {len(values)}")
        for kind, value in zip(kinds, values, strict=True):
            check_value(kind, value)
        lowered = _Lowered(kinds, values)
        keep.append(lowered)
        return ctypes.addressof(lowered.slots)

    return packed


class Loaded:
    """What every instance of a component shares.

    :param later: makes the linker for guests on an event loop
    :param size: bytes of machine code
    :param memories: how many linear memories an instance makes
    :param names: full names of the component's exports
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
        names: Iterable[str],
        memories: int,
        size: int,
        metered: bool,
    ) -> None:
        self.engine = engine
        self.imported = imported
        self.exported = exported
        self.memories = memories
        self.size = size
        self.metered = metered
        self.addresses = (capi.address(engine.ptr()), capi.address(linker.ptr()), capi.address(component.ptr()))
        """Of engine, linker and component, for the C API."""
        self._slots = slots_of(engine)
        self._component = component
        self._linker = linker
        self._later = later
        self._loop_linker: wc.Linker | None = None
        self._names = {short: name for name in names if (short := short_name(name)) in EXPORTS and short is not None}
        self._exports: dict[str, Export] = {}

    def export(self, name: str) -> Export:
        """Where ``"provider.call"`` is in the component, and how to call it.

        :raises ExportMissing: if the component does not export it
        """
        if (found := self._exports.get(name)) is not None:
            return found
        interface, _, function = name.partition(".")
        signature = EXPORTS.get(interface, {}).get(function)
        if signature is None or interface not in self.exported:
            raise self._missing(name)
        outer = self._component.get_export_index(self._names[interface])
        index = self._component.get_export_index(function, outer) if outer is not None else None
        if index is None:
            raise self._missing(name)
        return self._exports.setdefault(name, Export(name, index, signature))

    def loop_linker(self) -> int:
        """The address of the linker for guests on an event loop, made when the first one asks."""
        if self._loop_linker is None:
            self._loop_linker = self._later()
        return capi.address(self._loop_linker.ptr())

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

    def _missing(self, name: str) -> ExportMissing:
        return ExportMissing(f"the component does not export {name[:100]}", exports=sorted(self.exported))
