"""``[[unit]]`` entries of ``remit.toml`` edited where they stand, without reading the rest of the file for it.

tomlkit keeps every comment and space, and takes a tenth of a second for a thousand units. So the few entries that
change are cut out, edited alone, and put back. Where entries begin is a guess by lines, which a string over many lines
can fool: the caller must read the result and compare it with what it wanted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

import tomlkit

from remit.journal import encode_json
from remit.schemas.config import WantedUnit

__all__ = ["spliced"]

_HEADER = re.compile(r"^[ \t]*\[.*$", re.MULTILINE)
_ENTRY = re.compile(r"[ \t]*\[\[[ \t]*unit[ \t]*\]\][ \t]*(?:#.*)?")
_BELOW = re.compile(r"[ \t]*\[{1,2}[ \t]*unit[ \t]*\.")

Write = Callable[[tomlkit.TOMLDocument, Sequence[WantedUnit]], None]
"""Makes the entries of a document say what is wanted."""


def spliced(text: str, before: Sequence[WantedUnit], wanted: Sequence[WantedUnit], write: Write) -> str | None:
    """The text with its entries made to say what is wanted; ``None`` where the whole must be read to do so.

    Entries may be changed in place, go, or come at the end; what moves, or stands where none is, needs the whole.

    :param before: what the entries say now
    :raises TOMLKitError: if an entry cannot be read alone
    """
    places = list(_entries(text))
    now = {unit.id: encode_json(unit) for unit in before}
    coming = {unit.id: unit for unit in wanted}
    new = [unit for unit in wanted if unit.id not in now]
    kept = [unit.id for unit in before if unit.id in coming]
    if len(places) != len(before) or not kept or [*kept, *(unit.id for unit in new)] != [*coming]:
        return None
    for first, last in reversed(list(_blocks(before, coming, now, more=bool(new)))):
        ids = [unit.id for unit in before[first : last + 1]]
        block = [coming[unit] for unit in ids if unit in coming] + (new if last == len(before) - 1 else [])
        if ids[0] not in coming:
            return None  # what stands behind it belongs to nobody before it
        start, end = places[first][0], places[last][1]
        part = tomlkit.parse(text[start:end])
        write(part, block)
        text = text[:start] + tomlkit.dumps(part) + text[end:]
    return text


def _entries(text: str) -> Iterator[tuple[int, int]]:
    """Where each entry begins, and where the next section does."""
    start: int | None = None
    for header in _HEADER.finditer(text):
        if start is not None and not _BELOW.match(header[0]):
            yield start, header.start()
            start = None
        if _ENTRY.fullmatch(header[0]):
            start = header.start()
    if start is not None:
        yield start, len(text)


def _blocks(
    before: Sequence[WantedUnit], coming: dict[str, WantedUnit], now: dict[str, bytes], *, more: bool
) -> Iterator[tuple[int, int]]:
    """The runs of entries to edit, by first and last place: those that differ, and the one before any that goes."""
    touched = {at for at, unit in enumerate(before) if encode_json(coming.get(unit.id)) != now[unit.id]}
    touched |= {at - 1 for at in touched if at and before[at].id not in coming}
    if more:
        touched.add(len(before) - 1)
    run: list[int] = []
    for at in sorted(touched):
        if run and at != run[-1] + 1:
            yield run[0], run[-1]
            run = []
        run.append(at)
    if run:
        yield run[0], run[-1]
