"""Garbage collection: which installed versions and blobs nobody needs any more, and their removal.

Needed are: what is installed and was never superseded; what the active and the newest kept generations hold; pinned
versions; what hooks name; and every digest that the journal mentions elsewhere (payloads, transcripts, checkpoints). A
version goes when an earlier generation ran it and no kept one does; its blobs go unless something needed shares them.
Blobs that no record mentions go when they are old enough not to be on their way into one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from remit.errors import RemitError
from remit.journal import Blobs, Draft, Journal
from remit.kernel.model import UnitRef
from remit.units.applying.records import removal
from remit.units.generations.generation import ActiveUnit, Generations
from remit.units.stock.installed import Installed, Library

__all__ = ["Garbage", "collect", "find_garbage"]

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_GRACE_MS = 3_600_000
"""A blob is written before the record that names it: younger ones may be on their way."""


class Garbage(msgspec.Struct, frozen=True):
    """What a collection removes, or removed."""

    keep: int
    """How many generations are kept besides the active one."""
    units: tuple[UnitRef, ...]
    """Superseded versions that are forgotten; going back to the generations that ran them is over."""
    blobs: tuple[str, ...]
    bytes: int

    @property
    def drafts(self) -> list[Draft]:
        """For the journal."""
        said = {"keep": self.keep, "blobs": len(self.blobs), "bytes": self.bytes}
        return [*(removal(unit) for unit in self.units), Draft(type="home.collected", data=said)]


def find_garbage(
    journal: Journal,
    generations: Generations,
    installed: Installed,
    library: Library,
    *,
    keep: int,
    roots: Iterable[str],
    age_ms: Callable[[str], int],
) -> Garbage:
    """What is garbage now. Reads only.

    :param keep: how many generations before the active one must stay possible to go back to
    :param roots: digests that others need
    :param age_ms: how long ago a blob was written
    """
    active = generations.active.number
    kept_units = {
        unit.ref.digest for number in range(max(0, active - keep), active + 1) for unit in _units(generations, number)
    }
    pinned = {unit.pin for unit in generations.active.units if unit.pin}
    once = {unit.ref.digest for generation in generations.by_number.values() for unit in generation.running}
    needed = set(roots)
    superseded = once - kept_units - pinned - needed
    units = tuple(unit.ref for unit in installed.by_digest.values() if unit.ref.digest in superseded)
    going = {unit.digest for unit in units}
    bundles = set(_ever_installed(journal))
    living = kept_units | pinned | (bundles & needed) | (set(installed.by_digest) - going)
    dead = bundles - living
    mentioned = _mentioned(journal) - bundles
    safe = needed | mentioned | _closure(living, library)
    gone = _closure(dead, library) - safe
    known = safe | gone
    gone |= {blob for blob in journal.blobs.digests() if blob not in known and age_ms(blob) > _GRACE_MS}
    # Bundles last: cut off in between, the next collection still reads in them which blobs were theirs.
    there = sorted((blob for blob in gone if journal.blobs.has(blob)), key=lambda blob: (blob in bundles, blob))
    return Garbage(keep, units, tuple(there), sum(journal.blobs.path(blob).stat().st_size for blob in there))


def collect(blobs: Blobs, garbage: Garbage) -> None:
    """Remove the blobs. Cut off in between, the next collection finds the rest."""
    for digest in garbage.blobs:
        blobs.path(digest).unlink(missing_ok=True)


def _units(generations: Generations, number: int) -> Sequence[ActiveUnit]:
    generation = generations.by_number.get(number)
    return () if generation is None else generation.running


def _ever_installed(journal: Journal) -> Iterator[str]:
    for record in journal.read(prefixes=("unit.installed",)):
        if record.from_kernel:
            yield journal.data(record)["digest"]


def _mentioned(journal: Journal) -> set[str]:
    """Every digest in the bytes of every event. What a payload mentions needs no blob of its own."""
    found: set[str] = set()
    after = 0
    while rows := journal.execute("SELECT * FROM record WHERE seq > ? ORDER BY seq LIMIT 1000", (after,)):
        for row in rows:
            event = journal.whole(row)[5]
            text = event.decode() if isinstance(event, bytes) else event
            found.update(_DIGEST.findall(text))
        after = rows[-1][0]
    return found


def _closure(bundles: Iterable[str], library: Library) -> set[str]:
    """Bundles with the blobs of their files; a bundle whose manifest is gone or damaged stands for itself."""
    found = set()
    for digest in bundles:
        found.add(digest)
        try:
            found.update(library.layers(digest).values())
        except RemitError:
            continue
    return found
