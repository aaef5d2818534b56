"""Moving old events into the archive: a stretch of the chain at a time, checked, written, read back, then emptied.

Killed anywhere, an event is in the table, in the archive or in both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import apsw
import msgspec

from remit.errors import ChainBroken
from remit.journal.event import Draft, Record
from remit.journal.log import Journal
from remit.journal.ports import Progress, no_progress
from remit.journal.segments import SEGMENT
from remit.journal.verify import check_row

__all__ = ["Archived", "archive"]

_EMPTY = "UPDATE record SET event = X'' WHERE seq BETWEEN ? AND ?"


class Archived(msgspec.Struct, frozen=True):
    """What an archiving moved."""

    records: int
    last: int
    """The last archived record, moved now or before; 0 if there is none."""
    freed: int
    """Bytes by which the database became smaller."""
    size: int
    """Bytes of the archive."""


def archive(journal: Journal, keep: int, progress: Progress = no_progress, *, by: str = "") -> Archived:
    """Move every whole segment but the newest ``keep`` records, and give the room back to the disk.

    :param by: the principal that the record of it names
    :raises ChainBroken: if a row does not follow from the one before: nothing of its segment is moved
    :raises DiskFull: if there is no room; what was moved stays moved
    """
    before = journal.size()
    last = (journal.head.seq - keep) // SEGMENT
    first = _first(journal) // SEGMENT
    for number in range(first, last):
        progress("archiving", (number - first) / (last - first))
        _move(journal, number)
    moved = max(0, last - first) * SEGMENT
    if moved:
        data = {"first": first * SEGMENT + 1, "last": last * SEGMENT, "by": by}
        journal.append([Draft(type="journal.archived", data=data)])
        progress("giving the room back", 1.0)
        journal.compact()
    return Archived(moved, max(first, last) * SEGMENT, max(0, before - journal.size()), journal.archive.size())


def _first(journal: Journal) -> int:
    """How many rows are archived already."""
    rows = journal.execute("SELECT seq FROM record WHERE event <> X'' ORDER BY seq LIMIT 1")
    return int(rows[0][0]) - 1 if rows else journal.head.seq


def _move(journal: Journal, number: int) -> None:
    start, end = number * SEGMENT + 1, (number + 1) * SEGMENT
    rows = journal.execute("SELECT * FROM record WHERE seq BETWEEN ? AND ? ORDER BY seq", (start - 1, end))
    if [row[0] for row in rows][-SEGMENT:] != list(range(start, end + 1)):
        raise ChainBroken(f"rows are missing between {start} and {end}", row=start)
    prev: bytes = rows[0][4] if start > 1 else bytes(32)
    for row in rows[-SEGMENT:]:
        check_row(prev, _with_text(row))
        prev = row[4]
    journal.archive.write(number, [row[5] for row in rows[-SEGMENT:]])

    def empty(connection: apsw.Connection, _records: Sequence[Record]) -> None:
        connection.execute(_EMPTY, (start, end))

    journal.durable(journal.submit([], project=empty))


def _with_text(row: Sequence[Any]) -> Sequence[Any]:
    """The row as :func:`remit.journal.verify.check_row` reads it: the namespace as bytes."""
    return (*row[:2], str(row[2]).encode(), *row[3:])
