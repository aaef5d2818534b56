"""Errors of the chain, its rows, payloads and blobs: RM-30xx."""

from __future__ import annotations

from remit.errors.base import EXIT_REFUSED, RemitError


class JournalError(RemitError, code="RM-3000"):
    """The journal refuses."""


class ChainBroken(
    JournalError,
    code="RM-3001",
    remedy="restore the home from a backup; 'remit journal verify' shows where",
):
    """A row's hash does not follow from its content and predecessor."""


class JournalTruncated(JournalError, code="RM-3002", remedy="restore the home from a backup"):
    """The journal ends before the last checkpoint of its head."""


class JournalCorrupt(JournalError, code="RM-3003", remedy="restore the home from a backup"):
    """The journal's file or one of its rows cannot be read."""


class PayloadMissing(JournalError, code="RM-3004"):
    """A payload that a record refers to was erased or lost."""


class BlobMissing(JournalError, code="RM-3005", remedy="install the unit again"):
    """No blob has that digest."""


class BlobCorrupt(JournalError, code="RM-3006", remedy="delete the blob and install the unit again"):
    """A blob's bytes do not have its digest."""


class SourceReserved(JournalError, code="RM-3007", exit_code=EXIT_REFUSED, remedy="emit a topic of your own"):
    """An event claims a source or topic that belongs to the kernel."""


class EventInvalid(JournalError, code="RM-3008"):
    """An event does not follow ``event/v1``."""


class SqliteTooOld(JournalError, code="RM-3009", remedy="install apsw 3.51.3 or later"):
    """The SQLite library has the write-ahead-log reset bug."""


class JournalClosed(JournalError, code="RM-3010"):
    """The journal was closed, or its writer stopped after a failure."""


class EpisodeUnknown(JournalError, code="RM-3020", remedy="run 'remit state episodes' for the newest"):
    """No record belongs to an episode of that name."""
