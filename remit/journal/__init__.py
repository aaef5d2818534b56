"""The journal: what happened, in an append-only, hash-chained log; its payloads and blobs; and folds over it.

Knows events, bytes and time. Does not know units, policy or calls: those write events here and fold them.
"""

from __future__ import annotations

from remit.journal.archiving import Archived, archive
from remit.journal.blobs import Blobs, digest_of
from remit.journal.event import GENERATION_TOPICS, Draft, Event, Record, check_topic, encode_json, unit_source
from remit.journal.files import translate_os_error, write_atomically
from remit.journal.filter import Filter
from remit.journal.fold import Fold, Folds, Reading, inline
from remit.journal.keeping import Keeper
from remit.journal.log import Journal
from remit.journal.mailbox import Drop, Mailbox, Received
from remit.journal.ports import Clock, Ids, Progress, SystemClock, SystemIds, no_progress
from remit.journal.receipt import Receipt
from remit.journal.verify import VerifyReport, verify

__all__ = [
    "GENERATION_TOPICS",
    "Archived",
    "Blobs",
    "Clock",
    "Draft",
    "Drop",
    "Event",
    "Filter",
    "Fold",
    "Folds",
    "Ids",
    "Journal",
    "Keeper",
    "Mailbox",
    "Progress",
    "Reading",
    "Receipt",
    "Received",
    "Record",
    "SystemClock",
    "SystemIds",
    "VerifyReport",
    "archive",
    "check_topic",
    "digest_of",
    "encode_json",
    "inline",
    "no_progress",
    "translate_os_error",
    "unit_source",
    "verify",
    "write_atomically",
]
