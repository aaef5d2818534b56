"""The journal's tables, and how its database is opened: pragmas and format version."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import apsw

from remit.errors import (
    DiskFull,
    FormatOld,
    FormatTooNew,
    FormatTooOld,
    HomeReadOnly,
    JournalCorrupt,
    JournalError,
    JournalTruncated,
    RemitError,
    SqliteTooOld,
)
from remit.schemas import formats

__all__ = [
    "STEPS",
    "Step",
    "compact",
    "connect",
    "format_of",
    "insert_payloads",
    "insert_records",
    "open_writer",
    "translate_sqlite_error",
]

_OLDEST_SQLITE = (3, 51, 3)
"""Older ones may lose committed pages when a write-ahead log is reset."""

_TABLES = """
CREATE TABLE record(
  seq INTEGER PRIMARY KEY, generation INTEGER NOT NULL, namespace TEXT NOT NULL,
  prev BLOB NOT NULL, hash BLOB NOT NULL, event BLOB NOT NULL) STRICT;
CREATE TABLE payload(digest TEXT PRIMARY KEY, bytes BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE snapshot(
  fold TEXT NOT NULL, version INTEGER NOT NULL, seq INTEGER NOT NULL, hash BLOB NOT NULL, data BLOB NOT NULL,
  PRIMARY KEY(fold, version, seq)) STRICT, WITHOUT ROWID;
CREATE TABLE unit_state(
  namespace TEXT NOT NULL, unit TEXT NOT NULL, branch TEXT NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL,
  seq INTEGER NOT NULL, value TEXT, PRIMARY KEY(namespace, unit, branch, key, version)) STRICT, WITHOUT ROWID;
CREATE TABLE outcome(
  namespace TEXT NOT NULL, principal TEXT NOT NULL, action TEXT NOT NULL, key TEXT NOT NULL, seq INTEGER NOT NULL,
  PRIMARY KEY(namespace, principal, action, key)) STRICT, WITHOUT ROWID;
"""

_AT_ONCE = 512
_FEW = 64
"""Rows of one statement, and so few are one by themselves; between them, statements of powers of two are prepared once.

Other threads get the interpreter's lock at every statement; where they are busy, it is back after five milliseconds.
"""


class Step(NamedTuple):
    """The way from one format to the next."""

    says: str
    """What it does, in words."""
    take: Callable[[apsw.Connection], None]
    """Does it, inside the transaction of the upgrade."""


STEPS: Mapping[int, Step] = {}
"""The step from each older format that can be brought up to date (:mod:`remit.journal.upgrading`)."""


def translate_sqlite_error(error: apsw.Error, what: str) -> RemitError:
    """The typed error for an SQLite error met while doing ``what``."""
    match error:
        case apsw.FullError():
            return DiskFull(f"the disk is full while {what}")
        case apsw.ReadOnlyError() | apsw.PermissionsError() | apsw.CantOpenError() | apsw.AuthError():
            return HomeReadOnly(f"the journal cannot be written while {what}: {error}")
        case apsw.CorruptError() | apsw.NotADBError():
            return JournalCorrupt(f"the journal's database is damaged ({what}): {error}")
        case _:
            return JournalError(f"{what} failed: {error}")


def connect(path: Path, *, write: bool) -> apsw.Connection:
    """Open the journal's database; make its tables when ``write``, where there are none.

    :raises FormatTooNew: if a later version of remit wrote it
    :raises FormatOld: if it is of an older format, which only an upgrade changes
    :raises FormatTooOld: if no upgrade leads from its format to ours
    :raises JournalCorrupt: if it is not a database
    :raises JournalTruncated: if there is nothing in it to read
    :raises HomeReadOnly: if it cannot be opened for writing
    """
    _refuse_old_sqlite()
    try:
        connection = open_writer(path) if write else _open_reader(path)
    except apsw.Error as error:
        raise translate_sqlite_error(error, "opening it") from error
    try:
        _check_format(connection, write=write)
    except apsw.Error as error:
        connection.close()
        raise translate_sqlite_error(error, "reading its format") from error
    except RemitError:
        connection.close()
        raise
    return connection


def insert_records(connection: apsw.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows of ``record``, columns in its order."""
    _insert(connection, "INSERT INTO record VALUES", rows)


def insert_payloads(connection: apsw.Connection, payloads: Mapping[str, bytes]) -> None:
    """Insert payloads by their digests; those that are there already stay."""
    _insert(connection, "INSERT OR IGNORE INTO payload VALUES", list(payloads.items()))


def _insert(connection: apsw.Connection, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
    at = 0
    while at < len(rows):
        left = len(rows) - at
        size = left if left < _FEW else min(1 << (left.bit_length() - 1), _AT_ONCE)
        connection.execute(_rows_of(statement, len(rows[0]), size), tuple(chain.from_iterable(rows[at : at + size])))
        at += size


@lru_cache(maxsize=256)
def _rows_of(statement: str, columns: int, count: int) -> str:
    row = f"({','.join('?' * columns)})"
    return f"{statement} {','.join([row] * count)}"


def compact(connection: apsw.Connection) -> None:
    """Rewrite the database without its unused pages. Outside a transaction."""
    connection.execute("VACUUM")
    with suppress(apsw.BusyError):  # a reader is at it: the file shrinks at a later checkpoint
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)


def _refuse_old_sqlite() -> None:
    version = tuple(int(part) for part in apsw.sqlite_lib_version().split(".")[:3])
    if version < _OLDEST_SQLITE:
        raise SqliteTooOld(f"SQLite {apsw.sqlite_lib_version()} may lose committed data when its log is reset")


def open_writer(path: Path) -> apsw.Connection:
    """The database for writing, whatever its format."""
    connection = apsw.Connection(str(path))
    path.chmod(0o600)
    connection.set_busy_timeout(10_000)
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", "full")
    connection.pragma("trusted_schema", 0)
    return connection


def _open_reader(path: Path) -> apsw.Connection:
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    uri = f"file:{quote(str(path))}"
    try:
        connection = apsw.Connection(f"{uri}?mode=ro", flags=flags)
        connection.pragma("user_version")
    except (apsw.CantOpenError, apsw.ReadOnlyError):
        # On read-only media no shared-memory file can be made; with an empty write-ahead log none is needed.
        log = path.with_name(f"{path.name}-wal")
        if log.exists() and log.stat().st_size:
            raise
        connection = apsw.Connection(f"{uri}?mode=ro&immutable=1", flags=flags)
    connection.set_busy_timeout(10_000)
    return connection


def format_of(connection: apsw.Connection) -> int:
    """The format of the database; 0 where it has none yet.

    :raises FormatTooNew: if a later version of remit wrote it
    """
    version = int(connection.pragma("user_version") or 0)
    if version > formats.JOURNAL:
        raise FormatTooNew(f"this home has journal format {version}; this remit reads up to {formats.JOURNAL}")
    return version


def _check_format(connection: apsw.Connection, *, write: bool) -> None:
    version = format_of(connection)
    if version == 0 and not connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall():
        if not write:
            raise JournalTruncated("the journal's database is empty")
        with connection:
            connection.execute(_TABLES)
            connection.pragma("user_version", formats.JOURNAL)
        return
    if version < formats.JOURNAL:
        kind = FormatOld if all(number in STEPS for number in range(version, formats.JOURNAL)) else FormatTooOld
        raise kind(f"this home has journal format {version}; this remit needs {formats.JOURNAL}")
