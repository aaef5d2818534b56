"""The one thread that writes the journal: it takes whatever waits, commits it in one transaction, then answers.

A batch is all or nothing. A guard that refuses, or a full disk, fails batches without leaving a half-written one and
without stopping the thread.
"""

from __future__ import annotations

import hashlib
import queue
import struct
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from operator import attrgetter
from typing import Any

import apsw
import msgspec

from remit.errors import JournalClosed
from remit.journal.event import Event, Record
from remit.journal.receipt import Receipt
from remit.journal.tables import insert_payloads, insert_records, translate_sqlite_error
from remit.schemas import formats

__all__ = ["Batch", "Head", "Writer", "chain_hash"]

_MOST_AT_ONCE = 4_096
_LARGEST = 16 << 20
"""Batches of one transaction, and about how many bytes: where the disk is slow, many have gathered."""
_PATIENCE_S = 0.01
"""How long batches that nobody waits for are gathered: a transaction costs as much as the rows of thirty calls."""
_CHAIN = hashlib.sha256(formats.CHAIN.encode())
"""Every row's hash begins with the domain: each is taken from a copy of this."""
_NUMBERS = struct.Struct(">QQ")


class Head(msgspec.Struct, frozen=True):
    """The end of the chain: the last row's number and hash."""

    seq: int
    hash: bytes


class Batch(msgspec.Struct, gc=False):
    """Events that are committed together, with their payloads and what must still hold when they are."""

    events: Sequence[tuple[Event, bytes]]
    """Each with the bytes that the chain is over."""
    namespace: str
    generation: int
    payloads: Mapping[str, bytes]
    guard: Callable[[apsw.Connection], None] | None = None
    """Runs inside the transaction, before the rows; a :class:`RemitError` from it refuses the batch."""
    project: Callable[[apsw.Connection, Sequence[Record]], None] | None = None
    """Runs inside the transaction, after the rows: keeps the tables that are derived from them."""
    receipt: Receipt | None = None
    """Answered once they are durable. ``None``: nobody waits, and the batch is gathered with others first."""
    alone: Callable[[apsw.Connection], None] | None = None
    """Runs instead of all this, outside any transaction."""

    @property
    def size(self) -> int:
        """Bytes that it writes, about."""
        return sum([len(data) for _, data in self.events]) + sum(map(len, self.payloads.values()))

    @property
    def plain(self) -> bool:
        """Whether it is rows and payloads and nothing else."""
        return self.guard is None and self.project is None

    def answer(self, records: list[Record]) -> None:
        """It is durable."""
        if self.receipt is not None:
            self.receipt.answer(records)

    def fail(self, error: Exception) -> None:
        """It was refused, or could not be written."""
        if self.receipt is not None:
            self.receipt.fail(error)


def chain_hash(prev: bytes, seq: int, generation: int, event: bytes) -> bytes:
    """The hash of a row: SHA-256 over the domain, the hash before, number, generation and the event's bytes."""
    row = _CHAIN.copy()
    row.update(prev + _NUMBERS.pack(seq, generation) + event)
    return row.digest()


class Writer:
    """Owns the writing connection. ``committed`` is called on its thread with each transaction's records."""

    def __init__(
        self, connection: apsw.Connection, head: Head, committed: Callable[[Head, Sequence[Record]], None]
    ) -> None:
        self._connection = connection
        self._head = head
        self._committed = committed
        self._queue: queue.SimpleQueue[Batch | None] = queue.SimpleQueue()
        self._closed = False
        self._closing = threading.Lock()
        self._urgent = threading.Event()
        """Something that is queued shall be written at once."""
        self._thread = threading.Thread(target=self._run, name="remit-journal", daemon=True)
        self._thread.start()

    def submit(self, batch: Batch) -> None:
        """Queue a batch.

        :raises JournalClosed: if the writer was closed
        """
        self._check_open()
        self._queue.put(batch)
        if batch.receipt is not None and not self._urgent.is_set():  # if it is, the queue is yet to be emptied
            self._urgent.set()
        # No lock: twenty producers would queue for it. Who ends the writer says so before the last look at the queue.
        if self._closed and threading.current_thread() is not self._thread:
            self._thread.join()
            self._refuse_rest()

    def _check_open(self) -> None:
        if self._closed:
            raise JournalClosed("the journal is closed")

    @property
    def waiting(self) -> int:
        """Batches that are queued, about."""
        return self._queue.qsize()

    def close(self) -> None:
        """Commit what was queued before this call, then stop. Idempotent."""
        with self._closing:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._urgent.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._serve()
        finally:  # whatever ended this thread, nobody waits for it for ever
            self._closed = True
            self._refuse_rest()

    def _serve(self) -> None:
        while (first := self._queue.get()) is not None:
            self._urgent.wait(_PATIENCE_S)
            self._urgent.clear()  # before the queue is emptied: what is queued from here on says so again
            batches, size = [first], first.size
            stop = False
            take, batch = self._queue.get_nowait, first
            with suppress(queue.Empty):
                while len(batches) < _MOST_AT_ONCE and size < _LARGEST and batch.alone is None:
                    if (waiting := take()) is None:
                        stop = True
                        break
                    batches.append(batch := waiting)
                    size += batch.size
            if not self._queue.empty():  # what was left for the next turn may have said that it is urgent
                self._urgent.set()
            alone = batches.pop() if batches[-1].alone is not None else None
            self._commit(batches)
            if alone is not None:
                self._do_alone(alone)
            if stop:
                return

    def _do_alone(self, batch: Batch) -> None:
        try:
            if batch.alone is not None:
                batch.alone(self._connection)
        except apsw.Error as error:
            batch.fail(translate_sqlite_error(error, "looking after the journal"))
        else:
            batch.answer([])

    def _commit(self, batches: Sequence[Batch]) -> None:
        head = self._head
        answers: list[list[Record] | Exception] = []
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for plain, run in groupby(batches, attrgetter("plain")):
                if plain:
                    head, written = self._insert(list(run), head)
                    answers += written
                else:
                    for batch in run:
                        head, answer = self._write(batch, head)
                        answers.append(answer)
            self._connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - each waiter gets it, and the thread goes on
            self._roll_back()
            if isinstance(error, apsw.Error):
                self._fail(batches, translate_sqlite_error(error, "committing to the journal"))
            elif len(batches) == 1:
                self._fail(batches, error)
            else:  # one of them is at fault
                for batch in batches:
                    self._commit([batch])
            return
        self._head = head
        self._committed(head, [record for answer in answers if isinstance(answer, list) for record in answer])
        for batch, answer in zip(batches, answers, strict=True):
            if isinstance(answer, Exception):
                batch.fail(answer)
            else:
                batch.answer(answer)

    @staticmethod
    def _fail(batches: Sequence[Batch], error: Exception) -> None:
        for batch in batches:
            batch.fail(error)

    def _write(self, batch: Batch, head: Head) -> tuple[Head, list[Record] | Exception]:
        """Write a batch that may be refused: others of its transaction are not."""
        execute = self._connection.execute
        execute("SAVEPOINT batch")
        try:
            if batch.guard is not None:
                batch.guard(self._connection)
            after, (records,) = self._insert([batch], head)
            if batch.project is not None:
                batch.project(self._connection, records)
        except apsw.Error:
            raise
        except Exception as error:  # noqa: BLE001 - a refusal or a fault of one batch must not take others with it
            execute("ROLLBACK TO batch")
            execute("RELEASE batch")
            return head, error
        execute("RELEASE batch")
        return after, records

    def _insert(self, batches: Sequence[Batch], head: Head) -> tuple[Head, list[list[Record]]]:
        """Insert rows and payloads of several batches at once; the records of each."""
        answers: list[list[Record]] = []
        rows: list[tuple[Any, ...]] = []
        payloads: dict[str, bytes] = {}
        seq, prev = head.seq, head.hash
        for batch in batches:
            records: list[Record] = []
            generation, namespace = batch.generation, batch.namespace
            for event, data in batch.events:
                seq += 1
                digest = chain_hash(prev, seq, generation, data)
                rows.append((seq, generation, namespace, prev, digest, data))
                records.append(Record(seq, generation, namespace, prev, digest, event))
                prev = digest
            answers.append(records)
            payloads.update(batch.payloads)
        insert_records(self._connection, rows)
        insert_payloads(self._connection, payloads)
        return Head(seq, prev), answers

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except apsw.Error:  # SQLite rolled back by itself
                return

    def _refuse_rest(self) -> None:
        with suppress(queue.Empty):
            while True:
                batch = self._queue.get_nowait()
                if batch is not None:
                    batch.fail(JournalClosed("the journal was closed"))
