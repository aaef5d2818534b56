"""Accounts of what grants used: charged by amount, per window, never refilled by anything but the next window.

Windows are aligned to multiples of their length on the wall clock. A clock that jumps back finds the latest window that
was ever seen, so it refills nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import msgspec

from remit.kernel.model import Budget

__all__ = ["Account", "Usage"]

_BLOCKS = 8
"""A budget is reserved in about so many parts: each is a record in the journal, and the most that a crash can cost."""


class Usage(msgspec.Struct, frozen=True):
    """What one grant used in the latest window seen. Times are Unix milliseconds."""

    start_ms: int = 0
    calls: int = 0
    bytes: int = 0

    def at(self, now_ms: int, window_ms: int) -> Usage:
        """The usage as of now: this one, or an empty one where a later window has begun."""
        start = now_ms - now_ms % max(1, window_ms)
        return Usage(start) if start > self.start_ms else self

    def charged(self, calls: int, nbytes: int) -> Usage:
        """The usage after a charge."""
        return Usage(self.start_ms, self.calls + calls, self.bytes + nbytes)

    def merged(self, other: Usage) -> Usage:
        """The larger of two accounts of the same grant: the later window, and within one the larger amounts."""
        if self.start_ms != other.start_ms:
            return self if self.start_ms > other.start_ms else other
        return Usage(self.start_ms, max(self.calls, other.calls), max(self.bytes, other.bytes))


class Account:
    """The budget of one grant. Safe to share between threads.

    What may be spent is reserved in blocks, on record before it is spent: after a crash the whole block counts as used,
    so that a crash can cost a grant the rest of a block and never gives it more than its budget.
    """

    __slots__ = (
        "_block_bytes", "_block_calls", "_bytes", "_calls", "_lock", "_max_bytes", "_max_calls", "_parent", "_reserve",
        "_reserved", "_start_ms", "_window_ms", "budget",
    )  # fmt: skip

    def __init__(
        self,
        budget: Budget | None,
        usage: Usage,
        reserve: Callable[[Usage], None] | None = None,
        parent: Account | None = None,
    ) -> None:
        """Begin where the usage stands.

        :param parent: the account that is charged as well, of the grant that this one was delegated from
        :param reserve: writes the totals that may be spent from now on; what it raises refuses the charge
        """
        self.budget = budget
        # Plain numbers, for a charge is on the path of every host call.
        self._start_ms, self._calls, self._bytes = usage.start_ms, usage.calls, usage.bytes
        self._window_ms = max(1, budget.window_ms) if budget else 0
        self._max_calls = budget.calls if budget else None
        self._max_bytes = budget.bytes if budget else None
        self._block_calls = (self._max_calls or 0) // _BLOCKS
        self._block_bytes = (self._max_bytes or 0) // _BLOCKS
        self._parent = parent
        self._reserve = reserve
        self._reserved = usage
        self._lock = threading.Lock()

    @property
    def usage(self) -> Usage:
        """What was used in the latest window that was charged."""
        return Usage(self._start_ms, self._calls, self._bytes)

    @property
    def bounded(self) -> bool:
        """Whether there is anything to charge."""
        return bool(self._window_ms) or (self._parent is not None and self._parent.bounded)

    def charge(self, now_ms: int, calls: int, nbytes: int) -> bool:
        """Take the amounts if all of them fit, else nothing."""
        window = self._window_ms
        if not window:
            return self._parent is None or self._parent.charge(now_ms, calls, nbytes)
        with self._lock:
            wanted = calls, nbytes
            start = now_ms - now_ms % window
            if start > self._start_ms:
                had_calls = had_bytes = 0
            else:
                start, had_calls, had_bytes = self._start_ms, self._calls, self._bytes
            calls += had_calls
            nbytes += had_bytes
            if self._max_calls is not None and calls > self._max_calls:
                return False
            if self._max_bytes is not None and nbytes > self._max_bytes:
                return False
            reserved = self._reserved
            if start != reserved.start_ms or calls > reserved.calls or nbytes > reserved.bytes:
                self._take_block(Usage(start, calls, nbytes))
            if self._parent is not None and not self._parent.charge(now_ms, *wanted):
                return False
            self._start_ms, self._calls, self._bytes = start, calls, nbytes
            return True

    def _take_block(self, spent: Usage) -> None:
        if self._reserve is None:
            return
        calls, nbytes = spent.calls + self._block_calls, spent.bytes + self._block_bytes
        wanted = Usage(
            spent.start_ms,
            calls if self._max_calls is None else min(calls, self._max_calls),
            nbytes if self._max_bytes is None else min(nbytes, self._max_bytes),
        )
        # Amounts without a bound need no record: only what is bounded can be granted twice.
        before = self._reserved
        bounded_calls = self._max_calls is not None and spent.calls > before.calls
        bounded_bytes = self._max_bytes is not None and spent.bytes > before.bytes
        if spent.start_ms != before.start_ms or bounded_calls or bounded_bytes:
            self._reserve(wanted)
        self._reserved = wanted

    def settle(self) -> Usage | None:
        """Give back what is reserved and was not spent; the exact usage, where there was such."""
        with self._lock:
            if self._reserved == self.usage:
                return None
            self._reserved = self.usage
            return self.usage

    def left(self, now_ms: int) -> tuple[int | None, int | None]:
        """Calls and bytes that the window still holds; ``None`` where unbounded."""
        usage = self.usage.at(now_ms, self._window_ms)
        calls = None if self._max_calls is None else max(0, self._max_calls - usage.calls)
        nbytes = None if self._max_bytes is None else max(0, self._max_bytes - usage.bytes)
        return calls, nbytes

    def resets_ms(self, now_ms: int) -> int | None:
        """When the next window begins."""
        if not self._window_ms:
            return None
        return self.usage.at(now_ms, self._window_ms).start_ms + self._window_ms
