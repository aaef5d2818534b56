"""The journal: an append-only, hash-chained log of CloudEvents in SQLite. The truth; everything else is folded from it.

Appends go through one writer thread with group commit and return when they are durable. Reads go through connections of
the reading thread. Payloads (call inputs and outputs, and data over 4 KiB) lie beside the chain under their digest, so
that they can be erased without breaking it.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any

import apsw
import msgspec

from remit.errors import BlobMissing, HomeMissing, JournalCorrupt, PayloadMissing
from remit.journal.blobs import Blobs, digest_of
from remit.journal.event import (
    Draft,
    Event,
    Record,
    complete,
    decode_event,
    encode_event,
    timestamp,
)
from remit.journal.filter import sieve
from remit.journal.heads import GENESIS, check_not_truncated, read_checkpoint, read_head, write_checkpoint
from remit.journal.pages import PAGE, Pages
from remit.journal.ports import Clock, Ids
from remit.journal.receipt import Receipt
from remit.journal.segments import Archive
from remit.journal.tables import compact, connect, translate_sqlite_error
from remit.journal.writer import Batch, Head, Writer

__all__ = ["GENESIS", "Journal", "Record"]

_IN_TABLE = 64 << 10
_RECENT = 4096
_NOTHING: Mapping[str, bytes] = MappingProxyType({})


class Journal:
    """An open journal. Writing needs the home's lock; reading a stopped home does not.

    ``generation`` is stamped on each row: the number of the generation that is active while it is written. ``home_id``
    is the random id in row 1.
    """

    def __init__(self, folder: Path, clock: Clock, ids: Ids, *, write: bool = True) -> None:
        """Open the journal in ``folder``; a new one gets a random home id and row 1, ``home.created``.

        :raises HomeMissing: if there is none and it is opened for reading
        :raises JournalTruncated: if it ends before the checkpoint of its head
        :raises JournalCorrupt: if it is damaged
        :raises FormatTooNew: if a later version of remit wrote it
        """
        self._path = folder / "journal.db"
        self._checkpoint_path = folder / "head.json"
        self._clock = clock
        self._ids = ids
        self.blobs = Blobs(folder / "blobs", ids)
        self.archive = Archive(folder / "archive")
        self.generation = 0
        if not write and not self._path.exists():
            raise HomeMissing(f"there is no journal in {folder} yet")
        connection = connect(self._path, write=write)
        self._readers = threading.local()
        self._recent: deque[Record] = deque(maxlen=_RECENT)
        self._pages = Pages(self._rows_after)
        self._changed = threading.Condition()
        self._woken = False
        self._observers: tuple[Callable[[Sequence[Record]], None], ...] = ()
        self._connection = connection
        self._closed = False
        self._writer: Writer | None = None
        try:
            self._head = read_head(connection)
            check_not_truncated(connection, self._head, self.read_checkpoint())
            self._writer = Writer(connection, self._head, self._on_commit) if write else None
            self.home_id = self._first_id()
        except BaseException:
            if self._writer is not None:
                self._writer.close()
            connection.close()
            raise

    @property
    def head(self) -> Head:
        """The end of the chain."""
        return self._head

    @property
    def underway(self) -> int:
        """How many appends wait to be written, about."""
        return 0 if self._writer is None else self._writer.waiting

    # ---- append ----

    def append(
        self,
        drafts: Sequence[Draft],
        *,
        namespace: str = "main",
        payloads: Mapping[str, bytes] = _NOTHING,
        guard: Callable[[apsw.Connection], None] | None = None,
        project: Callable[[apsw.Connection, Sequence[Record]], None] | None = None,
        generation: int | None = None,
    ) -> list[Record]:
        """Append events in one transaction and return them once they are durable.

        :param payloads: what the events refer to, by digest, kept in the same transaction
        :param guard: see :class:`remit.journal.writer.Batch`
        :raises SourceReserved: if an event that is not the kernel's claims a topic of the kernel
        :raises EventInvalid: if an event's data is not JSON
        :raises DiskFull: if there is no room; nothing was written
        """
        return self.durable(
            self.submit(
                drafts, namespace=namespace, payloads=payloads, guard=guard, project=project, generation=generation
            )
        )

    def submit(
        self,
        drafts: Sequence[Draft],
        *,
        namespace: str = "main",
        payloads: Mapping[str, bytes] = _NOTHING,
        guard: Callable[[apsw.Connection], None] | None = None,
        project: Callable[[apsw.Connection, Sequence[Record]], None] | None = None,
        generation: int | None = None,
    ) -> Receipt:
        """:meth:`append` without waiting: the receipt gives them once durable."""
        receipt = Receipt()
        self._submit(drafts, namespace, payloads, generation, guard, project, receipt)
        return receipt

    def post(
        self,
        drafts: Sequence[Draft],
        *,
        namespace: str = "main",
        payloads: Mapping[str, bytes] = _NOTHING,
        generation: int | None = None,
    ) -> None:
        """:meth:`append` what nobody waits for: it is gathered with more first, and nobody is told of its end."""
        self._submit(drafts, namespace, payloads, generation)

    def _submit(
        self, drafts: Sequence[Draft], namespace: str, payloads: Mapping[str, bytes], generation: int | None,
        guard: Callable[[apsw.Connection], None] | None = None,
        project: Callable[[apsw.Connection, Sequence[Record]], None] | None = None,
        receipt: Receipt | None = None,
    ) -> None:  # fmt: skip
        if self._writer is None:
            raise JournalCorrupt("the journal was opened for reading only", remedy="open the home as its kernel")
        table: dict[str, bytes] = {}
        for digest, payload in payloads.items():
            self._stash(digest, payload, table)
        now = timestamp(self._clock.now_ms())
        events: list[tuple[Event, bytes]] = []
        for draft in drafts:
            event, apart = complete(draft, self.home_id, draft.id or self._ids.new(), now, namespace)
            if apart:
                self._stash(event.dataref, apart, table)
            events.append((event, encode_event(event)))
        number = self.generation if generation is None else generation
        self._writer.submit(Batch(events, namespace, number, table, guard, project, receipt))

    @staticmethod
    def durable(receipt: Receipt) -> list[Record]:
        """Wait for a submitted append; see :meth:`Receipt.result`."""
        return receipt.result()

    def _stash(self, digest: str, data: bytes, table: dict[str, bytes]) -> None:
        if len(data) > _IN_TABLE:
            self.blobs.put(data)
        else:
            table[digest] = data

    def _on_commit(self, head: Head, records: Sequence[Record]) -> None:
        with self._changed:
            self._head = head
            self._recent.extend(records)
            self._changed.notify_all()
        if records:
            for observe in self._observers:
                observe(records)

    def observe(self, observer: Callable[[Sequence[Record]], None]) -> None:
        """Show ``observer`` the records of each commit from now on, in order, on the writer's thread.

        Everybody who waits for the commit waits for it too: it must be quick, and must not raise.
        """
        self._observers = (*self._observers, observer)

    # ---- read ----

    def read(self, after: int = 0, *, limit: int | None = None, prefixes: Sequence[str] = ("",)) -> Iterator[Record]:
        """Records after ``after`` in the order of the chain, whose type starts with one of ``prefixes``.

        :raises JournalCorrupt: if a row cannot be decoded
        """
        given = 0
        after = max(after, 0)
        wanted = tuple(prefixes)
        while page := self.page(after):
            for record in page:
                if record.event.type.startswith(wanted):
                    if limit is not None and given >= limit:
                        return
                    given += 1
                    yield record
            after = page[-1].seq

    def page(self, after: int) -> Sequence[Record]:
        """The next records after ``after``, as many as are read at once; none at the end."""
        with self._changed:
            missing = self._head.seq - after
            if missing <= len(self._recent):
                return list(islice(reversed(self._recent), max(0, missing)))[::-1]  # most readers want the last few
        return self._pages.after(after)

    def _rows_after(self, seq: int) -> list[Record]:
        query = "SELECT * FROM record WHERE seq > ? ORDER BY seq LIMIT ?"
        return [self.decode_row(row) for row in self.execute(query, (seq, PAGE))]

    def record(self, seq: int) -> Record:
        """One record.

        :raises JournalCorrupt: if it is not there, or its row cannot be decoded
        """
        for row in self.execute("SELECT * FROM record WHERE seq = ?", (seq,)):
            return self.decode_row(row)
        raise JournalCorrupt(f"row {seq} of the journal is missing")

    def last(self, count: int, *, prefixes: Sequence[str] = ("",)) -> list[Record]:
        """The newest ``count`` records of these types, oldest first."""
        found: list[Record] = []
        wanted = tuple(prefixes)
        before = self._head.seq + 1
        words, named = sieve(wanted)
        query = f"SELECT * FROM record WHERE seq < ? AND ({words}) ORDER BY seq DESC LIMIT ?"  # noqa: S608 - our words
        while len(found) < count:
            rows = self.execute(query, (before, *named, PAGE))
            if not rows:
                break
            records = [self.decode_row(row) for row in rows]
            found += [record for record in records if record.event.type.startswith(wanted)]
            before = records[-1].seq
        return found[:count][::-1]

    def whole(self, row: Sequence[Any]) -> Sequence[Any]:
        """A row of the table with its event, wherever that lies.

        :raises JournalCorrupt: if it was archived and is not there
        """
        if row[5]:
            return row
        try:
            return (*row[:5], self.archive.event(row[0]))
        except JournalCorrupt as error:
            raise JournalCorrupt(f"row {row[0]} of the journal cannot be read: {error.message}") from error

    def decode_row(self, row: Sequence[Any]) -> Record:
        """The record in a row of the table.

        :raises JournalCorrupt: if its event cannot be decoded
        """
        seq, generation, namespace, prev, digest, event = self.whole(row)
        try:
            return Record(seq, generation, namespace, prev, digest, decode_event(event))
        except Exception as error:
            raise JournalCorrupt(f"row {seq} of the journal cannot be decoded") from error

    def wait(self, seq: int, timeout: float | None = None) -> bool:
        """Wait until the journal is longer than ``seq``; ``False`` if the time was up or :meth:`wake` came first."""
        with self._changed:
            self._changed.wait_for(lambda: self._head.seq > seq or self._woken, timeout)
            return self._head.seq > seq

    def wake(self) -> None:
        """Let nobody :meth:`wait` any more: the kernel is about to close."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def data(self, record: Record) -> Any:
        """The data of a record, inline or by reference.

        :raises PayloadMissing: if its payload was erased
        """
        if not record.event.dataref:
            return record.event.data
        return msgspec.json.decode(self.payload(record.event.dataref))

    def payload(self, digest: str) -> bytes:
        """The payload under a digest, checked.

        :raises PayloadMissing: if it was erased, lost or changed
        """
        rows = self.execute("SELECT bytes FROM payload WHERE digest = ?", (digest,))
        if rows:
            if digest_of(rows[0][0]) != digest:
                raise PayloadMissing(f"the payload {digest} was changed")
            return bytes(rows[0][0])
        try:
            return self.blobs.get(digest)
        except BlobMissing as error:
            raise PayloadMissing(f"the payload {digest} was erased or lost") from error

    def execute(self, sql: str, bindings: Sequence[Any] | Mapping[str, Any] = ()) -> list[Any]:
        """Rows of a query, on the reading connection of this thread.

        :raises JournalCorrupt: if the database is damaged
        """
        try:
            return self._reader().execute(sql, bindings).fetchall()
        except apsw.Error as error:
            raise translate_sqlite_error(error, "reading the journal") from error
        except UnicodeDecodeError as error:  # a damaged text column
            raise JournalCorrupt("the journal holds text that is not UTF-8") from error

    def _reader(self) -> apsw.Connection:
        connection: apsw.Connection | None = getattr(self._readers, "connection", None)
        if connection is None:
            connection = self._readers.connection = connect(self._path, write=False)
        return connection

    # ---- ends ----

    def checkpoint(self) -> None:
        """Write the head beside the journal, so that a later, shorter journal is seen to be cut."""
        write_checkpoint(self._checkpoint_path, self._head)

    def copy_to(self, path: Path) -> Head:
        """Write all that is committed now as a database of its own, from one read; appends go on meanwhile.

        :returns: the end of the chain in it
        :raises JournalCorrupt: if the database is damaged
        """
        self.execute("VACUUM INTO ?", (str(path),))
        copy = connect(path, write=False)
        try:
            return read_head(copy)
        finally:
            copy.close()

    def compact(self) -> None:
        """Give unused pages back to the disk; appends wait meanwhile.

        :raises DiskFull: if there is no room for the copy that it takes
        """
        if self._writer is not None:
            receipt = Receipt()
            self._writer.submit(Batch([], "", 0, {}, receipt=receipt, alone=compact))
            receipt.result()

    def size(self) -> int:
        """Bytes of the database's file."""
        return self._path.stat().st_size

    def close(self) -> None:
        """Commit what is queued, checkpoint the head, close. Idempotent."""
        if self._writer is not None and not self._closed:
            self._closed = True
            self._writer.close()
            with suppress(apsw.Error):  # a reader is at it, or the disk is full: the log keeps what the file lacks
                self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            if self._path.exists():
                self.checkpoint()
        self._connection.close()

    def read_checkpoint(self) -> Head | None:
        """The head as last written beside the journal, or ``None`` where none was written or it is unreadable."""
        return read_checkpoint(self._checkpoint_path)

    def _first_id(self) -> str:
        if self._head == GENESIS:
            if self._writer is None:
                return ""
            self.home_id = self._ids.new()
            self.append([Draft(type="home.created", data={"id": self.home_id, "pid": os.getpid()})])
            return self.home_id
        try:
            return str(self.record(1).event.data["id"])
        except Exception as error:
            raise JournalCorrupt("row 1 of the journal does not name the home") from error
