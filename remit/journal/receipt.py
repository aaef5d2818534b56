"""What becomes of an append: its records once they are durable, or why they are not."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from remit.errors import RemitError

if TYPE_CHECKING:
    from remit.journal.event import Record

__all__ = ["Receipt"]

_FOR_EVER = -1.0


class Receipt:
    """Answered once, by the journal's writer; any threads may wait for that, or be told.

    There is one for each append, so it is small: a future of the standard library takes as long as the event itself,
    and leaves a dozen objects to the garbage collector instead of three.
    """

    __slots__ = ("_done", "_error", "_records", "_told", "_unanswered")

    def __init__(self) -> None:
        self._done = False
        self._records: list[Record] = []
        self._error: Exception | None = None
        self._told: list[Callable[[], object]] = []
        self._unanswered = threading.Lock()
        self._unanswered.acquire()

    def done(self) -> bool:
        """Whether the answer is there."""
        return self._done

    def result(self, timeout: float = _FOR_EVER) -> list[Record]:
        """The records, once they are durable.

        :raises RemitError: what the guard refused with, or why the disk did not take it
        :raises TimeoutError: if there is no answer after ``timeout`` seconds
        """
        error = self.exception(timeout)
        if error is None:
            return self._records
        if isinstance(error, RemitError):
            # One exception object may answer several batches and threads: give each waiter its own.
            raise type(error)(error.message, remedy=error.remedy, **error.details) from error
        raise error

    def exception(self, timeout: float = _FOR_EVER) -> Exception | None:
        """Why it was not written, once that is known; ``None`` if it was.

        :raises TimeoutError: if there is no answer after ``timeout`` seconds
        """
        if not self._done:
            if not self._unanswered.acquire(timeout=timeout):
                raise TimeoutError("the journal has not answered yet")
            self._unanswered.release()  # for the next who waits
        return self._error

    def when_done(self, tell: Callable[[], object]) -> None:
        """Call ``tell`` once the answer is there: on the writer's thread, or here and now. It must not raise."""
        self._told.append(tell)
        if self._done:
            self._tell()

    def answer(self, records: list[Record]) -> None:
        """It is durable."""
        self._records = records
        self._done = True
        self._unanswered.release()
        if self._told:
            self._tell()

    def fail(self, error: Exception) -> None:
        """It was refused, or could not be written."""
        self._error = error
        self.answer([])

    def _tell(self) -> None:
        # Whoever asked to be told and the writer may both be here: of each entry, one of them gets hold.
        while self._told:
            try:
                tell = self._told.pop()
            except IndexError:
                return
            tell()
