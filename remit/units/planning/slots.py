"""Slots: who fills which position of the host, whether it fits, and what could fill one that is empty.

A unit fills every declared slot that its manifest names, unless ``remit.toml`` says no beside it. Pure functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from remit.errors import SlotUnknown, UsageError
from remit.schemas.config import SlotDecl, WantedUnit
from remit.schemas.fitting import misfit
from remit.units.generations.generation import ActiveUnit, Generation
from remit.units.manifest import Manifest
from remit.units.planning.plan import Finding
from remit.units.stock.installed import Installed, InstalledUnit, Library

__all__ = ["SlotView", "bind", "filled_by", "slot_findings", "slot_views", "suggestions"]


class SlotView(msgspec.Struct, frozen=True):
    """One declared slot of a home."""

    name: str
    many: bool
    title: str
    units: tuple[str, ...]
    """The active units that fill it, in order."""
    suggestions: tuple[str, ...]
    """``publisher/name@version`` of what is installed and could fill it, where nothing does."""


def filled_by(manifest: Manifest) -> set[str]:
    """The slots that a unit's actions fill."""
    return {fill.slot for fill in manifest.fills}


def bind(
    wanted: Sequence[WantedUnit],
    bindings: Mapping[str, str],
    slots: Mapping[str, SlotDecl],
    fills: Callable[[WantedUnit], set[str]],
) -> list[WantedUnit]:
    """The wanted units with each of these slots filled by the unit named; one that is not wanted yet comes last.

    :param fills: the slots that a wanted unit's manifest names
    :raises SlotUnknown: if a slot is not declared
    :raises UsageError: if the unit does not fill the slot
    """
    units = {unit.id: unit for unit in wanted}
    for slot, unit_id in bindings.items():
        if slot not in slots:
            raise SlotUnknown(f"there is no slot {slot[:80]!r}")
        units.setdefault(unit_id, WantedUnit(id=unit_id, version=""))
        if slot not in fills(units[unit_id]):
            raise UsageError(
                f"{unit_id} has no action that fills the slot {slot!r}", remedy=f"run 'remit unit show {unit_id}'"
            )
        for other_id, other in units.items():
            choices = {name: choice for name, choice in other.slots.items() if name != slot}
            if other_id == unit_id:
                units[other_id] = msgspec.structs.replace(other, slots=choices)
            elif not slots[slot].many and slot in fills(other):
                units[other_id] = msgspec.structs.replace(other, slots={**choices, slot: False})
    return list(units.values())


def slot_findings(
    units: Sequence[ActiveUnit],
    active: Generation,
    slots: Mapping[str, SlotDecl],
    library: Library,
    schemas: Callable[[str, str], dict[str, Any] | None],
) -> Iterator[Finding]:
    """Slots that are taken twice, that an action does not fit, or that nothing fills any more.

    :param schemas: ``schemas(slot, "input" | "output")``: what the host's declaration says of the action
    """
    for name, slot in slots.items():
        fillers = [unit for unit in units if name in unit.slots]
        if len(fillers) > 1 and not slot.many:
            names = ", ".join(unit.ref.id for unit in fillers)
            last = fillers[-1].ref.id
            remedy = f"choose one: 'remit unit promote {last} --slot {name}'"
            yield _blocking("slot.conflict", last, f"the slot {name!r} takes one unit; {names} fill it", remedy)
        for unit in fillers:
            yield from _misfits(name, unit, library, schemas)
        before = [unit.ref.id for unit in active.units if name in unit.slots]
        if before and not fillers:
            message = f"nothing fills the slot {name!r} any more; {', '.join(before)} did"
            yield Finding("warning", "slot.empty", before[-1], message, "'remit unit list' shows what could")


def _misfits(
    name: str, unit: ActiveUnit, library: Library, schemas: Callable[[str, str], dict[str, Any] | None]
) -> Iterator[Finding]:
    digest = unit.ref.digest
    manifest = library.manifest(digest)
    actions = {action.name: action for action in manifest.actions}
    for fill in manifest.fills:
        if fill.slot != name:
            continue
        action = actions[fill.action]
        given, taken = schemas(name, "input"), library.schema(digest, action.input)
        # What the host sends must be what the action takes, and what it answers what the host expects.
        wrong = [("does not take every input", misfit({} if given is None else given, {} if taken is None else taken))]
        expected, made = schemas(name, "output"), library.schema(digest, action.output)
        wrong += [("may answer otherwise", misfit({} if made is None else made, {} if expected is None else expected))]
        for what, why in wrong:
            if why and (given is not None or what != wrong[0][0]):
                message = f"its action {fill.action!r} {what} of the slot {name!r}: {why}"
                yield _blocking(
                    "slot.schema", unit.ref.id, message, "install a version that fits, or change the slot's schema"
                )


def suggestions(slot: str, installed: Installed, library: Library) -> list[InstalledUnit]:
    """The newest installed version of each unit that could fill a slot."""
    found: dict[str, InstalledUnit] = {}
    for unit in installed.by_digest.values():
        if unit.ref.id not in found and slot in filled_by(library.manifest(unit.ref.digest)):
            best = installed.best(unit.ref.id)
            if slot in filled_by(library.manifest(best.ref.digest)):
                found[unit.ref.id] = best
    return list(found.values())


def slot_views(
    slots: Mapping[str, SlotDecl], active: Generation, installed: Installed, library: Library
) -> list[SlotView]:
    """Every declared slot with who fills it, or who could."""
    views = []
    for name, slot in slots.items():
        units = tuple(unit.ref.id for unit in active.units if name in unit.slots)
        could = () if units else suggestions(name, installed, library)
        names = tuple(f"{unit.ref.id}@{unit.ref.version}" for unit in could)
        views.append(SlotView(name, slot.many, slot.title, units, names))
    return views


def _blocking(kind: str, unit: str, message: str, remedy: str) -> Finding:
    return Finding("blocking", kind, unit, message, remedy)
