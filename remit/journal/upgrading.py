"""Bringing the database of an older format up to date: seen before, all of it or nothing, with a copy of what it was.

A dry run takes the same steps, in the same transaction, and stops before the commit. Killed anywhere, the old format is
whole, or the new one is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import apsw
import msgspec

from remit.errors import FormatTooOld, JournalCorrupt, JournalTruncated
from remit.journal import tables
from remit.journal.files import sync_folder, translate_os_error
from remit.journal.tables import format_of, open_writer, translate_sqlite_error
from remit.schemas import formats

__all__ = ["COPIES", "Upgraded", "upgrade"]

COPIES = "journal.format-*.db"
"""What the copies of databases of older formats are called."""


class Upgraded(msgspec.Struct, frozen=True, kw_only=True):
    """What an upgrade did, or would do."""

    before: int
    after: int
    steps: tuple[str, ...] = ()
    """What each step does, in words."""
    records: int = 0
    """Records of the journal, the same before and after."""
    copy: str = ""
    """The file below ``.remit`` that holds the database as it was; "" in a dry run."""
    done: bool = False


def upgrade(private: Path, *, dry_run: bool) -> Upgraded:
    """Take the steps from the database's format to ours. The caller holds the home's lock.

    :param private: the folder of the journal
    :raises FormatTooNew: if a later version of remit wrote it
    :raises FormatTooOld: if no steps lead from its format to ours
    :raises JournalTruncated: if there is nothing in it
    :raises JournalCorrupt: if a step would change what was recorded: nothing was changed
    :raises DiskFull: if there is no room for the copy: nothing was changed
    """
    path = private / "journal.db"
    if not path.exists():  # it comes with the first start, in our format
        return Upgraded(before=formats.JOURNAL, after=formats.JOURNAL)
    try:
        with closing(open_writer(path)) as connection:
            before = format_of(connection)
            if before == 0 and not connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall():
                raise JournalTruncated("the journal's database is empty")
            steps = _steps(before)
            copy = "" if dry_run or not steps else _copied(connection, private, before)
            with _transaction(connection, keep=not dry_run):
                head = _head(connection)
                for step in steps:
                    step.take(connection)
                if _head(connection) != head:
                    raise JournalCorrupt("a step of the upgrade would change the records: nothing was changed")
                connection.pragma("user_version", formats.JOURNAL)
    except apsw.Error as error:
        raise translate_sqlite_error(error, "upgrading it") from error
    return Upgraded(
        before=before,
        after=formats.JOURNAL,
        steps=tuple(step.says for step in steps),
        records=head[0],
        copy=copy,
        done=bool(steps) and not dry_run,
    )


def _steps(version: int) -> list[tables.Step]:
    steps = [tables.STEPS.get(number) for number in range(version, formats.JOURNAL)]
    found = [step for step in steps if step is not None]
    if len(found) < len(steps):
        raise FormatTooOld(f"this home has journal format {version}; no steps lead from it to {formats.JOURNAL}")
    return found


def _copied(connection: apsw.Connection, private: Path, version: int) -> str:
    """Keep the database as it is, whole and synced, under its final name; one that is there is of an earlier try."""
    copy = private / COPIES.replace("*", str(version))
    draft = private / f".{copy.name}.tmp"
    try:
        draft.unlink(missing_ok=True)
        connection.execute("VACUUM INTO ?", (str(draft),))
        draft.chmod(0o600)
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.replace(copy)
        sync_folder(private)
    except OSError as error:
        raise translate_os_error(error, "keeping a copy of the journal") from error
    return copy.name


@contextmanager
def _transaction(connection: apsw.Connection, *, keep: bool) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT" if keep else "ROLLBACK")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _head(connection: apsw.Connection) -> tuple[int, bytes]:
    """How many records there are, and the hash that the chain ends with."""
    found = connection.execute("SELECT COUNT(*), (SELECT hash FROM record ORDER BY seq DESC LIMIT 1) FROM record")
    count, digest = next(iter(found))
    return int(count), bytes(digest or b"")
