"""Verifying a journal: every row's hash, number and place, every payload's digest, and the checkpoint of its head."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import msgspec

from remit.errors import ChainBroken, EventInvalid, JournalCorrupt, JournalTruncated
from remit.journal.blobs import digest_of
from remit.journal.event import decode_event
from remit.journal.heads import GENESIS
from remit.journal.log import Journal
from remit.journal.ports import Progress, no_progress
from remit.journal.writer import chain_hash

__all__ = ["VerifyReport", "check_row", "verify"]

_PAGE = 500
"""Rows that are read at once. Many more at a time drop out of the processor's caches before they are looked at."""
_STEP = 10_000
"""Rows between two words about the progress."""
_ROWS = (
    # A damaged namespace may not be UTF-8: read as bytes it is a finding, not a fault of the reading.
    "SELECT seq, generation, CAST(namespace AS BLOB), prev, hash, event FROM record WHERE seq > ? ORDER BY seq LIMIT ?"
)


class VerifyReport(msgspec.Struct, frozen=True):
    """What was found in order."""

    records: int
    payloads: int
    head: str
    """Hex of the last row's hash."""


def verify(journal: Journal, progress: Progress = no_progress) -> VerifyReport:
    """Check the whole chain.

    :raises ChainBroken: naming the first row that does not follow
    :raises JournalTruncated: if the chain ends before its checkpoint
    """
    end = journal.head.seq
    seq, prev = GENESIS.seq, GENESIS.hash
    for (stray,) in journal.execute("SELECT seq FROM record WHERE seq <= ? LIMIT 1", (seq,)):
        raise ChainBroken(f"row {stray} stands before the first", row=stray)
    while seq < end:
        rows = journal.execute(_ROWS, (seq, _PAGE))
        if not rows:
            raise JournalTruncated(f"the journal ends at row {seq}; its head was row {end}")
        for row in rows:
            if row[0] != seq + 1:
                raise ChainBroken(f"row {seq + 1} is missing", row=seq + 1)
            check_row(prev, row if row[5] else _whole(journal, row))
            seq, prev = row[0], row[4]
        if seq % _STEP < _PAGE or seq >= end:
            progress("verifying the chain", seq / max(end, 1))
    checkpoint = journal.read_checkpoint()
    # A kernel that runs meanwhile may have gone on past the head that was read first, and checkpointed that.
    if checkpoint is not None and not journal.execute("SELECT 1 FROM record WHERE seq >= ? LIMIT 1", (checkpoint.seq,)):
        raise JournalTruncated(f"the journal ends at row {seq}, before its checkpoint at row {checkpoint.seq}")
    return VerifyReport(records=seq, payloads=_verify_payloads(journal), head=prev.hex())


def _whole(journal: Journal, row: Sequence[Any]) -> Sequence[Any]:
    try:
        return journal.whole(row)
    except JournalCorrupt as error:
        raise ChainBroken(error.message, row=row[0]) from error


def check_row(prev: bytes, row: Sequence[Any]) -> None:
    """Check one row of the table, its namespace read as bytes, against the hash before it.

    :raises ChainBroken: if it does not follow
    """
    number, generation, namespace, before, digest, event = row
    try:
        follows = before == prev and chain_hash(prev, number, generation, event) == digest
    except (struct.error, TypeError):  # a damaged column may hold anything
        follows = False
    if not follows:
        raise ChainBroken(f"row {number} does not follow from row {number - 1}", row=number)
    try:
        said = decode_event(event).namespace or "main"
    except EventInvalid as error:
        raise ChainBroken(f"row {number} holds no event", row=number) from error
    if said.encode() != namespace:
        raise ChainBroken(f"row {number} stands in another namespace than its event", row=number)


def _verify_payloads(journal: Journal) -> int:
    count, last = 0, ""
    while rows := journal.execute(
        "SELECT digest, bytes FROM payload WHERE digest > ? ORDER BY digest LIMIT 500", (last,)
    ):
        for digest, data in rows:
            if digest_of(data) != digest:
                raise ChainBroken(f"the payload {digest} was changed")
            count, last = count + 1, digest
    return count
