"""Units' own keys: a table derived from the outcomes in the journal, one row per version, readable as of any record.

Rows are (namespace, unit, branch, key, version, seq, value); a value of ``None`` is a tombstone. The table is written
in the transaction of the outcome that it is derived from; :func:`rebuild` makes it again from the journal.

The branch "" is the unit's state. Any other is a trial's (:mod:`remit.journal.branches`): it begins with a row of its
own, of no namespace and key and of version 0, whose ``seq`` is where it forked, and it is gone when that row is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import apsw
import msgspec

from remit.errors import StateConflict
from remit.journal.event import GENERATION_TOPICS, Record
from remit.journal.log import Journal

__all__ = [
    "MERGED", "PURGED", "RESTORED", "StateTable", "Write", "project", "purge", "rebuild", "restore", "unchanged",
]  # fmt: skip

RESTORED = "state.restored"
"""A revert wrote a unit's earlier state back as new versions."""
MERGED = "state.merged"
"""A promotion made what a trial's branch holds the unit's state, as new versions."""
PURGED = "state.purged"
"""A unit's state is gone for good, in every namespace."""


class Write(msgspec.Struct, frozen=True):
    """One new version of a key, as the outcome's ``writes`` payload holds it."""

    key: str
    version: int
    value: str | None


class StateTable:
    """The rows of one unit in one namespace."""

    def __init__(self, journal: Journal, namespace: str, unit: str) -> None:
        self._journal = journal
        self._scope = (namespace, unit, "")

    def get(self, key: str, at: int | None = None) -> tuple[str | None, int]:
        """The value and version of a key, now or as of record ``at``.

        ``(None, version)`` if it was deleted, ``(None, 0)`` if it never was.
        """
        rows = self._journal.execute(
            "SELECT value, version FROM unit_state WHERE namespace=? AND unit=? AND branch=? AND key=? AND seq<=? "
            "ORDER BY version DESC LIMIT 1",
            (*self._scope, key, _until(at)),
        )
        return (rows[0][0], rows[0][1]) if rows else (None, 0)

    def keys(self, prefix: str, after: str, limit: int, at: int | None = None) -> list[str]:
        """Up to ``limit`` live keys that start with ``prefix`` and come after ``after``, in byte order."""
        rows = self._journal.execute(
            "SELECT key FROM (SELECT key, value, MAX(version) FROM unit_state "
            "WHERE namespace=? AND unit=? AND branch=? AND key>? AND key>=? "
            # Compared as bytes: for text, substr ends at the first NUL.
            "AND substr(CAST(key AS BLOB),1,?)=? AND seq<=? GROUP BY key) "
            "WHERE value IS NOT NULL ORDER BY key LIMIT ?",
            (*self._scope, after, prefix, len(prefix.encode()), prefix.encode(), _until(at), limit),
        )
        return [row[0] for row in rows]

    def size(self) -> int:
        """Bytes of the live keys and values together."""
        rows = self._journal.execute(
            "SELECT SUM(length(CAST(key AS BLOB)) + length(CAST(value AS BLOB))) FROM (SELECT key, value, MAX(version) "
            "FROM unit_state WHERE namespace=? AND unit=? AND branch=? GROUP BY key)",
            self._scope,
        )
        return int(rows[0][0] or 0)


def _until(at: int | None) -> int:
    return (1 << 62) if at is None else at


def unchanged(connection: apsw.Connection, namespace: str, unit: str, writes: Sequence[Write]) -> None:
    """Refuse a commit whose keys moved since they were read: each new version must be the next one.

    :raises StateConflict: if another call committed first
    """
    for write in writes:
        rows = connection.execute(
            "SELECT MAX(version) FROM unit_state WHERE namespace=? AND unit=? AND branch='' AND key=?",
            (namespace, unit, write.key),
        ).fetchall()
        if (rows[0][0] or 0) != write.version - 1:
            raise StateConflict(f"another call of {unit} changed the key {write.key!r} first")


def project(connection: apsw.Connection, record: Record, unit: str, writes: Sequence[Write], branch: str = "") -> None:
    """Write the rows that an outcome implies."""
    restore(connection, record.seq, record.namespace, unit, writes, branch)


def restore(
    connection: apsw.Connection, seq: int, namespace: str, unit: str, writes: Sequence[Write], branch: str = ""
) -> None:
    """Write the rows of a record that speaks of a namespace which need not be its own."""
    connection.executemany(
        "INSERT INTO unit_state VALUES(?,?,?,?,?,?,?)",
        [(namespace, unit, branch, write.key, write.version, seq, write.value) for write in writes],
    )


def purge(connection: apsw.Connection, unit: str) -> None:
    """Remove every row of a unit. A call of it that is still running finds its keys moved, and commits nothing."""
    connection.execute("DELETE FROM unit_state WHERE unit=?", (unit,))


def rebuild(journal: Journal) -> list[tuple[Any, ...]]:
    """Every row of the table as the journal alone says it must be."""
    rows: list[tuple[Any, ...]] = []
    topics = ("action.completed", RESTORED, MERGED, PURGED, *GENERATION_TOPICS)
    for record in journal.read(prefixes=topics):
        if not record.from_kernel:
            continue
        data, kind = journal.data(record), record.event.type
        if kind == PURGED:
            rows = [row for row in rows if row[1] != record.event.subject]
        for one in data.get("closed", ()) if kind in GENERATION_TOPICS else ():
            rows = [row for row in rows if row[1:3] != (one["unit"], one["branch"])]
        for one in data.get("opened", ()) if kind in GENERATION_TOPICS else ():
            rows.append(("", one["unit"], one["branch"], "", 0, record.seq, ""))
        if data.get("writes"):
            writes = msgspec.json.decode(journal.payload(data["writes"]), type=list[Write])
            namespace = data["namespace"] if kind in {RESTORED, MERGED} else record.namespace
            branch = data.get("trial", "") if data.get("arm") == "trial" else ""
            rows += [(namespace, data["unit"], branch, w.key, w.version, record.seq, w.value) for w in writes]
    return rows
