"""How much an operator may ask for, by all tokens together: a bucket each, refilled at a steady rate (token bucket)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from remit.errors import RateLimited

__all__ = ["Rates"]

_MOST_BUCKETS = 10_000


class Rates:
    """Buckets by client. The least recently used are forgotten: a full bucket is what a new client has anyway."""

    def __init__(self, rate: float, clock: Callable[[], float]) -> None:
        """:param rate: requests a second, and the largest burst; ``clock`` gives seconds and never goes back."""
        self._rate = rate
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str) -> None:
        """Count one request.

        :raises RateLimited: if the client's bucket is empty; details say when to come again
        """
        now = self._clock()
        left, seen = self._buckets.pop(client, (self._rate, now))
        left = min(self._rate, left + (now - seen) * self._rate)
        allowed = left >= 1
        self._buckets[client] = (left - 1 if allowed else left), now
        if len(self._buckets) > _MOST_BUCKETS:
            self._buckets.popitem(last=False)
        if not allowed:
            wait_ms = int((1 - left) / self._rate * 1000) + 1
            raise RateLimited(f"more than {self._rate:g} requests a second", retry_after_ms=wait_ms)
