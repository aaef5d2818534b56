"""The bus: what is committed, handed to whoever subscribed, each at its own pace.

Publishing runs on the journal's writer thread and never waits: a full mailbox sheds. What was shed is counted, told
once per overflow, and can be read again by cursor. Nothing here is durable: see ``remit.host.delivery`` for what is.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from remit.journal.event import Record
from remit.journal.filter import Filter
from remit.journal.mailbox import Drop, Mailbox

__all__ = ["Bus"]


class Bus:
    """Hands records to subscriptions. ``lagged`` is told, once per overflow, who missed records after which one."""

    def __init__(self, lagged: Callable[[str, int], None] = lambda _name, _after: None) -> None:
        self.published = 0
        self._ended: Counter[str] = Counter()
        self._lagged = lagged
        self._subscriptions: tuple[Mailbox, ...] = ()
        self._changing = threading.Lock()

    def publish(self, records: Sequence[Record]) -> None:
        """Hand records to everybody who wants them. One thread publishes."""
        self.published += len(records)
        for subscription in self._subscriptions:
            subscription.offer(records)

    def subscribe(self, name: str, wanted: Filter, *, capacity: int = 1_024, drop: Drop = "oldest") -> Mailbox:
        """A mailbox for what is committed from now on."""
        made = Mailbox(name, wanted, capacity, drop, self._lagged)
        with self._changing:
            self._subscriptions = (*self._subscriptions, made)
        return made

    def unsubscribe(self, subscription: Mailbox) -> None:
        """End a subscription. Idempotent."""
        with self._changing:
            if subscription in self._subscriptions:
                self._ended += _totals(subscription)
            self._subscriptions = tuple(one for one in self._subscriptions if one is not subscription)
        subscription.close()

    def status(self) -> dict[str, Any]:
        """How many records were published, delivered and dropped by policy in all, and each subscription's counters."""
        with self._changing:
            standing = self._subscriptions
            totals = sum(map(_totals, standing), self._ended.copy())
        delivered = totals.pop("", 0)
        return {
            "published": self.published,
            "delivered": delivered,
            "dropped": dict(totals),
            "subscriptions": [one.status() for one in standing],
        }


def _totals(one: Mailbox) -> Counter[str]:
    """What was dropped by policy, and under "" what was delivered."""
    return one.dropped + Counter({"": one.delivered})
