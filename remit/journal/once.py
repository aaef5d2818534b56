"""What is done once only: the record that a key made before, and one caller of a key at a time.

The table is derived: a key belongs to the record in whose transaction it was remembered.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import apsw

from remit.journal.event import Record
from remit.journal.log import Journal

__all__ = ["Key", "Turns", "find", "remember", "taken"]

_FIND = """SELECT r.* FROM outcome o JOIN record r ON r.seq = o.seq
WHERE o.namespace=? AND o.principal=? AND o.action=? AND o.key=?"""


class Key(NamedTuple):
    """An idempotency key is a principal's own, for one thing that it does in one namespace."""

    namespace: str
    principal: str
    action: str
    key: str


def find(journal: Journal, key: Key) -> Record | None:
    """The record that this key made."""
    return next((journal.decode_row(row) for row in journal.execute(_FIND, key)), None)


def taken(connection: apsw.Connection, key: Key) -> bool:
    """Whether the key made a record, inside a transaction."""
    return bool(connection.execute(_FIND, key).fetchall())


def remember(connection: apsw.Connection, key: Key, seq: int) -> None:
    """The key made this record. The first one stays."""
    connection.execute("INSERT OR IGNORE INTO outcome VALUES(?,?,?,?,?)", (*key, seq))


class Turns:
    """One caller of a key at a time, in one process."""

    def __init__(self) -> None:
        self._held: dict[Key, tuple[threading.Lock, int]] = {}
        self._changing = threading.Lock()

    def __len__(self) -> int:
        """How many keys somebody has or waits for."""
        return len(self._held)

    @contextmanager
    def of(self, key: Key) -> Iterator[None]:
        """Wait for everybody else who has this key."""
        with self._changing:
            lock, waiting = self._held.get(key, (threading.Lock(), 0))
            self._held[key] = (lock, waiting + 1)
        try:
            with lock:
                yield
        finally:
            with self._changing:
                lock, waiting = self._held.pop(key)
                if waiting > 1:
                    self._held[key] = (lock, waiting - 1)
