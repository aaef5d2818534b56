"""A clock that stands until it is told to go. It slows nothing down and speeds nothing up."""

from __future__ import annotations

__all__ = ["VirtualClock"]

_NS_PER_MS = 1_000_000


class VirtualClock:
    """Implements ``remit.kernel.ports.Clock``. A deadline never passes unless :meth:`advance` lets it."""

    def __init__(self, now_ms: int = 1_767_225_600_000) -> None:
        """:param now_ms: milliseconds since the Unix epoch; by default the first of January 2026, UTC"""
        self._start_ms = now_ms
        self._passed_ms = 0

    def advance(self, ms: int) -> None:
        """Let this many milliseconds pass.

        :raises ValueError: if it is negative: no clock of ours goes back
        """
        if ms < 0:
            raise ValueError("time does not go back")
        self._passed_ms += ms

    def now_ms(self) -> int:
        """Wall clock, milliseconds since the Unix epoch."""
        return self._start_ms + self._passed_ms

    def time_ns(self) -> int:
        """The same in nanoseconds."""
        return self.now_ms() * _NS_PER_MS

    def monotonic_ns(self) -> int:
        """Nanoseconds since this clock was made."""
        return self._passed_ms * _NS_PER_MS
