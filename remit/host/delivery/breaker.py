"""A circuit breaker: after some faults in a row nothing is tried for a while, then one probe decides.

Source: M. Nygard, Release It!, "Circuit Breaker".
"""

from __future__ import annotations

__all__ = ["Breaker"]

_FAULTS = 5
_FIRST_MS = 1_000
_LONGEST_MS = 300_000


class Breaker:
    """Closed until ``_FAULTS`` faults in a row; then open, for twice as long each time its probe fails too."""

    def __init__(self) -> None:
        self.faults = 0
        self.until_ms = 0
        """Open until then (Unix milliseconds); 0 while it is closed."""
        self._opened = 0

    @property
    def closed(self) -> bool:
        """Whether everything is let through."""
        return not self.until_ms

    def allows(self, now_ms: int) -> bool:
        """Whether something may be tried: anything while it is closed, one probe after the pause."""
        return now_ms >= self.until_ms

    def succeeded(self) -> bool:
        """Something went well: close; say whether it was open."""
        was_open = not self.closed
        self.faults = self.until_ms = self._opened = 0
        return was_open

    def failed(self, now_ms: int) -> bool:
        """A fault; say whether it opens now."""
        self.faults += 1
        if self.closed and self.faults < _FAULTS:
            return False
        self.until_ms = now_ms + min(_FIRST_MS << min(self._opened, 16), _LONGEST_MS)
        self._opened += 1
        return True
