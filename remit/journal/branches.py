"""Copy-on-write branches of units' state: what a trial's arm reads and writes beside the unit's own.

A branch begins as the unit's state was at the record that opened it, in every namespace, and costs one row. What the
arm writes is rows of the branch; what it did not write it reads as it was then, whatever the other arm wrote since.
Versions go on from where they were, so that of two rows of one key the branch's has the higher one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import apsw

from remit.errors import StateConflict
from remit.journal.log import Journal
from remit.journal.unitstate import StateTable, Write, unchanged

__all__ = ["BranchTable", "close_branch", "merge", "open_branch", "settled", "table_of", "unmoved"]

# Constants of this module, and nothing else, go into these texts.
_FORK = "SELECT seq FROM unit_state WHERE namespace='' AND unit=:unit AND branch=:branch AND key='' AND version=0"
_SEEN = f"""FROM unit_state WHERE namespace=:namespace AND unit=:unit AND version>0
AND (branch=:branch OR (branch='' AND seq<=({_FORK})))"""
"""The rows that a branch sees: its own, and the unit's own up to the fork."""
_GET = f"SELECT value, version {_SEEN} AND key=:key ORDER BY version DESC LIMIT 1"
_KEYS = f"""SELECT key FROM (SELECT key, value, MAX(version) {_SEEN} AND key>:after AND key>=:prefix
AND substr(CAST(key AS BLOB),1,:length)=:bytes GROUP BY key) WHERE value IS NOT NULL ORDER BY key LIMIT :limit"""  # noqa: S608
_SIZE = f"""SELECT SUM(length(CAST(key AS BLOB)) + length(CAST(value AS BLOB)))
FROM (SELECT key, value, MAX(version) {_SEEN} GROUP BY key)"""  # noqa: S608


class BranchTable:
    """The rows of one unit in one namespace as a branch sees them; answers as :class:`StateTable` does.

    Of a branch that is closed, nothing is seen; a call that ran meanwhile cannot commit (:func:`unmoved`).
    """

    def __init__(self, journal: Journal, namespace: str, unit: str, branch: str) -> None:
        self._journal = journal
        self._scope = {"namespace": namespace, "unit": unit, "branch": branch}

    def get(self, key: str) -> tuple[str | None, int]:
        """The value and version of a key; ``(None, version)`` if it was deleted, ``(None, 0)`` if it never was."""
        rows = self._journal.execute(_GET, {**self._scope, "key": key})
        return (rows[0][0], rows[0][1]) if rows else (None, 0)

    def keys(self, prefix: str, after: str, limit: int) -> list[str]:
        """Up to ``limit`` live keys that start with ``prefix`` and come after ``after``, in byte order."""
        found = prefix.encode()
        more = {"after": after, "prefix": prefix, "bytes": found, "length": len(found), "limit": limit}
        rows = self._journal.execute(_KEYS, {**self._scope, **more})
        return [row[0] for row in rows]

    def size(self) -> int:
        """Bytes of the live keys and values together."""
        rows = self._journal.execute(_SIZE, self._scope)
        return int(rows[0][0] or 0)


def table_of(journal: Journal, namespace: str, unit: str, branch: str) -> StateTable | BranchTable:
    """The rows that a call works on: the unit's own, or a branch's."""
    return BranchTable(journal, namespace, unit, branch) if branch else StateTable(journal, namespace, unit)


def open_branch(connection: apsw.Connection, seq: int, unit: str, branch: str) -> None:
    """Begin a branch at a record: part of that record's transaction."""
    connection.execute("INSERT INTO unit_state VALUES('',?,?,'',0,?,'')", (unit, branch, seq))


def close_branch(connection: apsw.Connection, unit: str, branch: str) -> None:
    """End a branch and forget its rows; what was committed to it is in the journal."""
    connection.execute("DELETE FROM unit_state WHERE unit=? AND branch=?", (unit, branch))


def unmoved(connection: apsw.Connection, namespace: str, unit: str, branch: str, writes: Sequence[Write]) -> None:
    """Refuse a commit to a branch that is closed, or of keys that moved since they were read.

    :raises StateConflict: if the trial ended, or another call committed first
    """
    if not branch:
        unchanged(connection, namespace, unit, writes)
        return
    scope = {"namespace": namespace, "unit": unit, "branch": branch}
    if not connection.execute(_FORK, {"unit": unit, "branch": branch}).fetchall():
        raise StateConflict(f"the trial of {unit} ended while the call ran", remedy="call again")
    for write in writes:
        rows = connection.execute(_GET, {**scope, "key": write.key}).fetchall()
        if (rows[0][1] if rows else 0) != write.version - 1:
            raise StateConflict(f"another call of {unit} changed the key {write.key!r} first")


def merge(journal: Journal, unit: str, branch: str) -> tuple[dict[str, list[Write]], int]:
    """What makes the keys that a branch wrote the unit's own, by namespace; and the last record in it."""
    rows = journal.execute(
        "SELECT namespace, key, value, MAX(version) FROM unit_state WHERE unit=? AND branch=? AND version>0 "
        "GROUP BY namespace, key ORDER BY namespace, key",
        (unit, branch),
    )
    found: dict[str, list[Write]] = {}
    for namespace, key, value, _ in rows:
        now, version = StateTable(journal, namespace, unit).get(key)
        if now != value:
            found.setdefault(namespace, []).append(Write(key, version + 1, value))
    last = journal.execute("SELECT MAX(seq) FROM unit_state WHERE unit=? AND branch=?", (unit, branch))
    return found, int(last[0][0] or 0)


def settled(connection: apsw.Connection, ends: Iterable[tuple[str, str, int]]) -> None:
    """Refuse a change that was made from branches (unit, branch, last record) which were written since.

    :raises StateConflict: if a call of the arm committed meanwhile
    """
    for unit, branch, last in ends:
        rows = connection.execute(
            "SELECT MAX(seq) FROM unit_state WHERE unit=? AND branch=?", (unit, branch)
        ).fetchall()
        if (rows[0][0] or 0) != last:
            raise StateConflict(f"a call of {unit} on trial changed its state meanwhile", remedy="run it again")
