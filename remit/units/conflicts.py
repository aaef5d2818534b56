"""Where the units of a generation stand in each other's way: places written twice, ground that goes, circles of needs.

Pure functions over resolved units; each gives findings for a plan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jsonpointer

from remit.errors import PatchFailed
from remit.units.documents import apply_patch, pointers
from remit.units.generation import ActiveUnit, Generation
from remit.units.manifest import Manifest, Patch
from remit.units.plan import Finding

__all__ = ["circles", "lost_ground", "overlaps"]

_MOST = 200
"""Overlaps that are told; who has more reads the documents."""


class _Places:
    """The places of one document that were written, by pointer: the last two units that wrote each, and below each."""

    __slots__ = ("below", "owners")

    def __init__(self) -> None:
        self.owners: dict[str, tuple[str, ...]] = {}
        self.below: dict[str, tuple[str, ...]] = {}

    def above(self, pointer: str, unit: str) -> str:
        """Note that a unit writes below a place; give another unit that wrote it, or something above it."""
        found = ""
        for place in _ancestors(pointer):
            found = _other(self.owners.get(place, ()), unit) or found
            self.below[place] = _with(self.below.get(place, ()), unit)
        return found

    def at(self, pointer: str, unit: str) -> str:
        """Note that a unit writes a place; give another unit that wrote it or something below it."""
        owners = self.owners.get(pointer, ())
        self.owners[pointer] = _with(owners, unit)
        return _other(owners, unit) or _other(self.below.get(pointer, ()), unit)


def overlaps(units: Sequence[ActiveUnit]) -> list[Finding]:
    """Two units that write one place, or a place and one below it: the later one wins, which people should know."""
    written: dict[str, _Places] = {}
    findings: list[Finding] = []
    for unit in units:
        name = unit.ref.id
        above: dict[tuple[str, str], str] = {}  # most places of a unit lie below the same one
        for target, pointer in sorted({(patch.target, at) for patch in unit.patches for at in pointers(patch)}):
            places = written.setdefault(target, _Places())
            parent = target, pointer.rpartition("/")[0]
            if pointer and parent not in above:
                above[parent] = places.above(pointer, name)
            other = places.at(pointer, name) or above.get(parent, "")
            if other and len(findings) < _MOST:
                message = f"writes {target}{pointer}, which {other} writes too; the later one wins"
                remedy = "leave one of them out, or put them in the order that you mean"
                findings.append(Finding("warning", "patch.overlap", name, message, remedy))
    return findings


def _ancestors(pointer: str) -> Iterator[str]:
    """The places above one, the document itself first."""
    at = pointer.find("/")
    while at >= 0:
        yield pointer[:at]
        at = pointer.find("/", at + 1)


def _other(units: tuple[str, ...], unit: str) -> str:
    for other in units:  # asked twenty thousand times by a plan over a thousand units
        if other != unit:
            return other
    return ""


def _with(units: tuple[str, ...], unit: str) -> tuple[str, ...]:
    # Two are enough: one of them is not the unit that asks.
    return units if units[:1] == (unit,) else (unit, *units[:1])


def circles(units: Sequence[ActiveUnit], manifest: Callable[[str], Manifest]) -> list[Finding]:
    """Units that need each other in a circle: none of them could be the first."""
    needs = {unit.ref.id: list(manifest(unit.ref.digest).requires.units) for unit in units}
    findings, done = [], set[str]()
    for start in needs:
        path = _circle(start, needs, done)
        if path:
            message = f"needs itself by way of {' → '.join(path)}"
            remedy = "install a version of one of them that does not need the others"
            findings.append(Finding("blocking", "requires.circle", start, message, remedy))
    return findings


def _circle(start: str, needs: Mapping[str, Sequence[str]], done: set[str]) -> list[str]:
    """The first circle that can be reached from a unit, in the order of the needs; without recursion, for any depth."""
    path: list[str] = []
    on_path: set[str] = set()
    todo: list[tuple[str, Iterator[str]]] = []

    def enter(unit: str) -> None:
        path.append(unit)
        on_path.add(unit)
        todo.append((unit, iter(needs.get(unit, ()))))

    if start in done:
        return []
    enter(start)
    while todo:
        unit, rest = todo[-1]
        for other in rest:
            if other in on_path:
                done.update(path)
                return [*path[path.index(other) :], other]
            if other not in done and other in needs:
                enter(other)
                break
        else:
            todo.pop()
            path.pop()
            on_path.discard(unit)
            done.add(unit)
    return []


def lost_ground(active: Generation, candidate: Generation) -> list[Finding]:
    """Patches that stood on what a removed unit had written.

    A patch that now copies or moves another value means something else, which blocks. One that wrote into an object
    which only the removed unit had made is told: it makes that object itself now.
    """
    staying = {unit.ref.id: unit for unit in candidate.units}
    gone = [unit for unit in active.units if unit.ref.id not in staying]
    findings: list[Finding] = []
    for target in sorted({patch.target for unit in gone for patch in unit.patches}):
        if target not in active.documents or target not in candidate.documents:
            continue
        makers = {at: unit.ref.id for unit in gone for p in unit.patches if p.target == target for at in pointers(p)}
        before, after = _standing(active, target), _standing(candidate, target)
        for key in before.keys() & after.keys():
            unit_id, index = key
            patch = [patch for patch in staying[unit_id].patches if patch.target == target][index]
            if patch == before[key][1]:
                findings += _shifted(unit_id, patch, before[key][0], after[key][0], makers)
    return sorted(findings, key=lambda finding: (finding.unit, finding.message))


Ground = dict[tuple[str, int], tuple[Any, Patch]]


def _standing(generation: Generation, target: str) -> Ground:
    """What each patch of a document found when it was applied."""
    document = generation.documents[target].base
    found: Ground = {}
    for unit in generation.units:
        mine = [patch for patch in unit.patches if patch.target == target]
        for index, patch in enumerate(mine):
            found[unit.ref.id, index] = (document, patch)
            try:
                document = apply_patch(document, patch)
            except PatchFailed:  # the fold has said so
                continue
    return found


def _shifted(unit: str, patch: Patch, before: Any, after: Any, makers: Mapping[str, str]) -> Iterator[Finding]:
    if patch.op == "json-patch":
        for operation in patch.value:
            source = operation.get("from")
            if source is not None and _at(before, source) != _at(after, source):
                message = f"its patch of {patch.target} takes another value from {source} without the removed unit"
                remedy = "keep the unit that wrote it, or remove this one too"
                yield Finding("blocking", "patch.meaning", unit, message, remedy)
    told = set()
    for pointer in pointers(patch):
        above = pointer.rpartition("/")[0]
        maker = _maker(above, makers)
        if above and above not in told and maker and _at(before, above) is not _NONE and _at(after, above) is _NONE:
            told.add(above)
            message = f"writes below {patch.target}{above}, which only {maker} had made"
            yield Finding("warning", "patch.ground", unit, message, "look at the document before you apply")


_NONE: Any = object()


def _at(document: Any, pointer: str) -> Any:
    return jsonpointer.resolve_pointer(document, pointer, _NONE)


def _maker(pointer: str, makers: Mapping[str, str]) -> str:
    return next((unit for at, unit in makers.items() if at == pointer or at.startswith(f"{pointer}/")), "")
