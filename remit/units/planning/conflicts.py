"""Where the units of a generation stand in each other's way: places written twice, ground that goes, circles of needs.

Pure functions over resolved units; each gives findings for a plan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jsonpointer

from remit.errors import PatchFailed
from remit.journal import encode_json
from remit.units.generations.documents import Folding, pointers
from remit.units.generations.generation import ActiveUnit, Generation
from remit.units.manifest import Manifest, Patch
from remit.units.planning.plan import Finding

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
    staying = {unit.ref.id for unit in candidate.units}
    gone = [unit for unit in active.units if unit.ref.id not in staying]
    findings: list[Finding] = []
    for target in sorted({patch.target for unit in gone for patch in unit.patches}):
        if target not in active.documents or target not in candidate.documents:
            continue
        makers = _makers(gone, target)
        before, after = _stood(active, target, makers), _stood(candidate, target, makers)
        for key in before.keys() & after.keys():
            if before[key].patch == after[key].patch:
                findings += _shifted(key[0], before[key], after[key], makers)
    return sorted(findings, key=lambda finding: (finding.unit, finding.message))


class _Stand(NamedTuple):
    """What a patch found when it was applied, as far as a removed unit can have made it."""

    patch: Patch
    above: dict[str, bool]
    """Whether there was anything at the places right above those that it writes."""
    sources: dict[str, bytes | None]
    """What lay where it copies or moves from, as JSON."""


def _makers(gone: Sequence[ActiveUnit], target: str) -> dict[str, str]:
    """The places that the removed units wrote, and all above them, each with one of those units."""
    makers: dict[str, str] = {}
    for unit in gone:
        for patch in unit.patches:
            if patch.target == target:
                for pointer in pointers(patch):
                    for place in (*_ancestors(pointer), pointer):
                        makers.setdefault(place, unit.ref.id)
    return makers


def _stood(generation: Generation, target: str, makers: Mapping[str, str]) -> dict[tuple[str, int], _Stand]:
    """What the patches of a document found that may have stood on those units, by unit and place in it."""
    mine = [
        (unit.ref.id, index, patch)
        for unit in generation.units
        for index, patch in enumerate(patch for patch in unit.patches if patch.target == target)
    ]
    above = [{at.rpartition("/")[0] for at in pointers(patch)} & makers.keys() - {""} for _, _, patch in mine]
    sources = [_sources(patch) for _, _, patch in mine]
    found: dict[tuple[str, int], _Stand] = {}
    if not any(above) and not any(sources):
        return found  # among a thousand units, most removals
    folding = Folding(generation.documents[target].base)
    for (unit, index, patch), places, taken in zip(mine, above, sources, strict=True):
        if places or taken:
            document = folding.document
            found[unit, index] = _Stand(
                patch,
                {place: _at(document, place) is not _NONE for place in places},
                {source: _json_at(document, source) for source in taken},
            )
        try:
            folding.apply(patch)
        except PatchFailed:  # the fold has said so
            continue
    return found


def _sources(patch: Patch) -> set[str]:
    return (
        {operation["from"] for operation in patch.value if "from" in operation} if patch.op == "json-patch" else set()
    )


def _shifted(unit: str, before: _Stand, after: _Stand, makers: Mapping[str, str]) -> Iterator[Finding]:
    target = before.patch.target
    for source, value in before.sources.items():
        if value != after.sources[source]:
            message = f"its patch of {target} takes another value from {source} without the removed unit"
            remedy = "keep the unit that wrote it, or remove this one too"
            yield Finding("blocking", "patch.meaning", unit, message, remedy)
    for place, there in before.above.items():
        if there and not after.above[place]:
            message = f"writes below {target}{place}, which only {makers[place]} had made"
            yield Finding("warning", "patch.ground", unit, message, "look at the document before you apply")


_NONE: Any = object()


def _at(document: Any, pointer: str) -> Any:
    return jsonpointer.resolve_pointer(document, pointer, _NONE)


def _json_at(document: Any, pointer: str) -> bytes | None:
    found = _at(document, pointer)
    return None if found is _NONE else encode_json(found)
