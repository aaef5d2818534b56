"""A bounded mailbox of records: who reads slowly loses some of them, and is told; who writes never waits."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Any, Literal

import msgspec

from remit.journal.event import Record
from remit.journal.filter import Filter

__all__ = ["Drop", "Mailbox", "Received"]

Drop = Literal["oldest", "newest", "coalesce"]
"""What a full mailbox loses: its oldest records, the arriving ones, or all but the last of each topic and subject."""


class Received(msgspec.Struct, frozen=True):
    """Records in the order of the chain. ``missed`` were shed since the last time, all of them after ``after``."""

    records: list[Record]
    missed: int = 0
    after: int = 0


class Mailbox:
    """What one subscriber is to get. One thread puts, any may take."""

    def __init__(
        self, name: str, wanted: Filter, capacity: int, drop: Drop, lagged: Callable[[str, int], None]
    ) -> None:
        self.name = name
        self.delivered = 0
        self.dropped: Counter[str] = Counter()
        self._wants, self._lagged = wanted.matcher(), lagged
        self._capacity, self._drop = capacity, drop
        self._waiting: deque[Record] = deque()
        self._missed = self._after = 0
        self._lagging = self._closed = False
        self._ready = threading.Condition()

    def offer(self, records: Sequence[Record]) -> None:
        """Put what is wanted of these records. Never waits for the subscriber."""
        wanted = [record for record in records if self._wants(record)]
        if not wanted or self._closed:
            return
        with self._ready:
            self._waiting.extend(wanted)
            tell = len(self._waiting) > self._capacity and self._shed()
            self._ready.notify()
        if tell:
            self._lagged(self.name, self._after)

    def _shed(self) -> bool:
        """Make room, and say whether it is the first loss since the mailbox was empty."""
        waiting, shed = self._waiting, list[Record]()
        if self._drop == "coalesce":
            last = {(record.event.type, record.event.subject): record.seq for record in waiting}
            kept = set(last.values())
            shed = [record for record in waiting if record.seq not in kept]
            self._waiting = waiting = deque(record for record in waiting if record.seq in kept)
        take = waiting.pop if self._drop == "newest" else waiting.popleft
        shed += [take() for _ in range(len(waiting) - self._capacity)]
        self.dropped[self._drop] += len(shed)
        first = min(record.seq for record in shed) - 1
        self._after = min(self._after, first) if self._missed else first
        self._missed += len(shed)
        new, self._lagging = not self._lagging, True
        return new

    def receive(self, most: int = 1_000, timeout: float | None = None, linger: float = 0.0) -> Received:
        """Up to ``most`` records, waiting ``timeout`` seconds for the first and ``linger`` more for a full batch."""
        with self._ready:
            self._ready.wait_for(lambda: self._waiting or self._closed, timeout)
            if linger and self._waiting:
                self._ready.wait_for(lambda: len(self._waiting) >= most or self._closed, linger)
            records = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
            missed, self._missed, self._lagging = self._missed, 0, self._lagging and bool(self._waiting)
            self.delivered += len(records)
        return Received(records, missed, self._after if missed else 0)

    def status(self) -> dict[str, Any]:
        """Its counters; ``lag`` is how many records wait."""
        facts = {"name": self.name, "delivered": self.delivered, "lag": len(self._waiting)}
        return facts | {"dropped": dict(self.dropped)}

    def close(self) -> None:
        """Take no more, and wake whoever waits. Idempotent."""
        with self._ready:
            self._closed = True
            self._ready.notify_all()
