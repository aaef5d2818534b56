"""Which unit runs on which runtime: what manifests require, and what the operator says does not work.

A runtime is a remit, a world, an engine and an architecture. A "no" is a blocking finding of every plan with the unit.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from remit.kernel.model import UnitRef
from remit.schemas import formats
from remit.schemas.config import Incompatible
from remit.schemas.release import VERSION
from remit.units.generations.generation import ActiveUnit
from remit.units.manifest import Manifest, in_range
from remit.units.planning.plan import Finding
from remit.units.stock.installed import Installed, Library

__all__ = ["Runtime", "incompatible", "misfits", "refusals", "runtime_matrix"]


class Runtime(msgspec.Struct, frozen=True):
    """What units run on."""

    remit: str = VERSION
    world: str = msgspec.field(default_factory=lambda: formats.WORLD)
    engine: str = ""
    """Version of what runs components; "" where the runner does not say."""
    architecture: str = msgspec.field(default_factory=platform.machine)


def misfits(manifest: Manifest, runtime: Runtime) -> Iterator[tuple[str, str]]:
    """What a manifest requires that a runtime is not: the part, and why."""
    requires = manifest.requires
    if not in_range(runtime.remit, requires.remit):
        yield "remit", f"needs remit {requires.remit}; this is {runtime.remit}"
    if not in_range(runtime.world, _as_range(requires.world)):
        yield "world", f"needs world {requires.world}; this host offers {runtime.world}"


def _as_range(world: str) -> str:
    """A world as manifests name it, as a range."""
    return world if world == "*" or world[0] in "^~<>=" else f"^{world}"


def refusals(ref: UnitRef, runtime: Runtime, entries: Iterable[Incompatible]) -> Iterator[tuple[str, str]]:
    """What the operator's entries say against a unit on a runtime: the part that each names last, and why."""
    for entry in entries:
        if entry.unit != ref.id or not in_range(ref.version, entry.versions):
            continue
        named = [part for part in Runtime.__struct_fields__ if getattr(entry, part)]
        if all(_meets(part, getattr(runtime, part), getattr(entry, part)) for part in named):
            where = ", ".join(f"{part} {getattr(entry, part)}" for part in named) or "any runtime"
            yield (
                (named or ["remit"])[-1],
                f"remit.toml says no on {where}" + (f": {entry.reason}" if entry.reason else ""),
            )


def _meets(part: str, have: str, wanted: str) -> bool:
    return have == wanted if part == "architecture" else bool(have) and in_range(have, wanted)


def incompatible(units: Sequence[ActiveUnit], runtime: Runtime, entries: Sequence[Incompatible]) -> list[Finding]:
    """The entries that speak against a plan."""
    return [
        Finding("blocking", f"compatibility.{part}", unit.ref.id, f"{unit.ref.version}: {why}", _REMEDY)
        for unit in (units if entries else ())
        for part, why in refusals(unit.ref, runtime, entries)
    ]


_REMEDY = "take another version, or change [[incompatible]] in remit.toml"


def runtime_matrix(
    installed: Installed, library: Library, runtime: Runtime, entries: Sequence[Incompatible]
) -> list[dict[str, Any]]:
    """Every installed version against this runtime: a cell for each part of it, with yes or no and why."""
    rows = []
    for unit in installed.by_digest.values():
        against = [*misfits(library.manifest(unit.ref.digest), runtime), *refusals(unit.ref, runtime, entries)]
        cells = {
            part: {
                "value": getattr(runtime, part),
                "works": not any(part == other for other, _ in against),
                "why": "; ".join(why for other, why in against if part == other),
            }
            for part in Runtime.__struct_fields__
        }
        names = {"unit": unit.ref.id, "version": unit.ref.version, "digest": unit.ref.digest}
        rows.append({**names, "works": not against, "cells": cells})
    return rows
