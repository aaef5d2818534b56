"""Verifying a journal: every row's hash, number and place, every payload's digest, and the checkpoint of its head."""

from __future__ import annotations

import msgspec

from remit.errors import ChainBroken, JournalTruncated
from remit.journal.blobs import digest_of
from remit.journal.event import decode_event
from remit.journal.log import GENESIS, Journal
from remit.journal.ports import Progress, no_progress
from remit.journal.writer import chain_hash

__all__ = ["VerifyReport", "verify"]

_STEP = 10_000


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
    while seq < end:
        rows = journal.execute("SELECT * FROM record WHERE seq > ? ORDER BY seq LIMIT ?", (seq, _STEP))
        if not rows:
            raise JournalTruncated(f"the journal ends at row {seq}; its head was row {end}")
        for number, generation, namespace, before, digest, event in rows:
            if number != seq + 1:
                raise ChainBroken(f"row {seq + 1} is missing", row=seq + 1)
            if before != prev or chain_hash(prev, number, generation, event) != digest:
                raise ChainBroken(f"row {number} does not follow from row {seq}", row=number)
            if (decode_event(event).namespace or "main") != namespace:
                raise ChainBroken(f"row {number} stands in another namespace than its event", row=number)
            seq, prev = number, digest
        progress("verifying the chain", seq / max(end, 1))
    checkpoint = journal.read_checkpoint()
    if checkpoint is not None and checkpoint.seq > seq:
        raise JournalTruncated(f"the journal ends at row {seq}, before its checkpoint at row {checkpoint.seq}")
    return VerifyReport(records=seq, payloads=_verify_payloads(journal), head=prev.hex())


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
