"""Read models kept current by a thread of their own, so that neither a reader nor the next start folds a long journal.

It follows the writer closely enough to find records still in memory, a little at a time.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress

from remit.errors import RemitError
from remit.journal.event import Record
from remit.journal.fold import Folds
from remit.journal.log import Journal

__all__ = ["Keeper"]

_EVERY = 256
"""Records after which they are folded. The journal keeps many more in memory, and a reader folds fewer by itself."""

_CALM_S, _BEHIND_S = 0.0015, 0.0005
_STRETCH = 8
"""How long to wait after each piece of work, and after so many of them where records come faster than that.

Who folds lets others in only by waiting: CPython asks a thread for the interpreter after five milliseconds, and a
service has dozens of requests under way that wait meanwhile.
"""


class Keeper:
    """Follows a journal from when it is made until it is closed."""

    def __init__(self, journal: Journal, folds: Folds) -> None:
        self._folds = folds
        self._unseen = 0
        self._pieces = 0
        self._due = threading.Event()
        self._closed = threading.Event()
        journal.observe(self._committed)
        if folds.behind >= _EVERY:  # the process before was killed, or a model is new
            self._due.set()
        self._thread = threading.Thread(target=self._run, name="remit-models", daemon=True)
        self._thread.start()

    def _committed(self, records: Sequence[Record]) -> None:
        self._unseen += len(records)
        if self._unseen >= _EVERY:
            self._unseen = 0
            self._due.set()

    def _run(self) -> None:
        while self._due.wait() and not self._closed.is_set():
            self._due.clear()
            with suppress(RemitError):  # rows that cannot be read: whoever asks for a model is told
                self._folds.keep_up(self._closed.is_set, rest=self._rest)

    def _rest(self) -> None:
        self._pieces += 1
        if not self._due.is_set():
            self._closed.wait(_CALM_S)
        elif self._pieces % _STRETCH == 0:
            self._closed.wait(_BEHIND_S)

    def close(self) -> None:
        """Stop, at the end of a page. Idempotent."""
        self._closed.set()
        self._due.set()
        self._thread.join()
