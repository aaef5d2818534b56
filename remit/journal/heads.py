"""The end of a journal's chain: in its table, and as checkpointed beside it, so that a cut journal is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apsw
import msgspec

from remit.errors import JournalTruncated
from remit.journal.event import encode_json
from remit.journal.files import write_atomically
from remit.journal.tables import translate_sqlite_error
from remit.journal.writer import Head

__all__ = ["GENESIS", "check_not_truncated", "read_checkpoint", "read_head", "write_checkpoint"]

GENESIS = Head(0, bytes(32))


def read_head(connection: apsw.Connection) -> Head:
    """The last row of the table, or :data:`GENESIS`."""
    rows = _query(connection, "SELECT seq, hash FROM record ORDER BY seq DESC LIMIT 1")
    return Head(*rows[0]) if rows else GENESIS


def read_checkpoint(path: Path) -> Head | None:
    """The head as last written beside the journal, or ``None`` where none was written or it is unreadable."""
    try:
        data = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
        head = Head(int(data["seq"]), bytes.fromhex(data["hash"]))
    except (OSError, msgspec.DecodeError, KeyError, TypeError, ValueError, RecursionError):
        return None
    return head if 0 <= head.seq < 1 << 63 else None  # SQLite numbers no row beyond


def write_checkpoint(path: Path, head: Head) -> None:
    """Write a head beside the journal."""
    write_atomically(path, encode_json({"seq": head.seq, "hash": head.hash.hex()}))


def check_not_truncated(connection: apsw.Connection, head: Head, checkpoint: Head | None) -> None:
    """Refuse a table that ends before its checkpoint.

    :raises JournalTruncated: if it does, or if the row that was checkpointed is another now
    """
    if checkpoint is None or checkpoint.seq == 0:
        return
    row = _query(connection, "SELECT hash FROM record WHERE seq = ?", checkpoint.seq)
    if not row:
        raise JournalTruncated(f"the journal ends at row {head.seq}, before its checkpoint at row {checkpoint.seq}")
    if row[0][0] != checkpoint.hash:
        raise JournalTruncated(f"row {checkpoint.seq} of the journal is not the one that was checkpointed")


def _query(connection: apsw.Connection, sql: str, *bindings: Any) -> list[Any]:
    try:
        return connection.execute(sql, bindings).fetchall()
    except apsw.Error as error:
        raise translate_sqlite_error(error, "reading its head") from error
