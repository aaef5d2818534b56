"""Live subscriptions of callers: mailboxes on the bus under an id, so that a caller in another process may have one.

Who stops asking is forgotten after a while: nothing that a caller leaves behind stays.
"""

from __future__ import annotations

import threading

import msgspec

from remit.errors import SubscriptionsExceeded, SubscriptionUnknown
from remit.journal import Clock, Drop, Filter, Ids, Mailbox, Received
from remit.kernel.bus import Bus
from remit.kernel.dispatch import CancelToken

__all__ = ["Listeners", "Listening", "reply_topic"]

_IDLE_NS = 120 * 1_000_000_000
_MOST = 1_000
_TURN_S = 0.25


class Listening(msgspec.Struct, frozen=True, kw_only=True):
    """What a live subscription is to be."""

    wanted: Filter = Filter()
    capacity: int = 1_024
    """Records that may wait."""
    drop: Drop = "oldest"
    name: str = ""
    """What counters and ``bus.lagged`` call it; "" takes its id."""
    private: bool = False
    """Whether it hears, in place of ``wanted``, a topic of its own: :func:`reply_topic` of its id."""


def reply_topic(number: str) -> str:
    """The topic on which a subscription with this id, and nobody before it, gets its answers."""
    return f"reply.{number.lower()}"


class _Listener(msgspec.Struct):
    subscription: Mailbox
    owner: str
    asked_ns: int


class Listeners:
    """The live subscriptions of one kernel's callers."""

    def __init__(self, bus: Bus, clock: Clock, ids: Ids) -> None:
        self._bus = bus
        self._clock = clock
        self._ids = ids
        self._open: dict[str, _Listener] = {}
        self._lock = threading.Lock()
        self._looked_ns = clock.monotonic_ns()

    def listen(self, wanted: Listening, owner: str) -> str:
        """Open a subscription and give its id.

        :raises SubscriptionsExceeded: if there are too many
        """
        now = self._clock.monotonic_ns()
        with self._lock:
            self._forget(now)
            if len(self._open) >= _MOST:
                raise SubscriptionsExceeded(f"{_MOST} subscriptions are open; one kernel has no more")
            made = self._ids.new()
            heard = Filter(topics=(reply_topic(made),)) if wanted.private else wanted.wanted
            subscription = self._bus.subscribe(wanted.name or made, heard, capacity=wanted.capacity, drop=wanted.drop)
            self._open[made] = _Listener(subscription, owner, now)
        return made

    def receive(
        self, number: str, owner: str, most: int, wait_s: float, linger_s: float, token: CancelToken
    ) -> Received:
        """What arrived, waiting for it; nothing if the caller gives up or the subscription ends.

        :raises SubscriptionUnknown: if there is none with this id, or it was not used for too long
        """
        listener = self._of(number, owner)
        found = Received([])
        while wait_s >= 0 and not found.records and not found.missed and not token.cancelled:
            listener.asked_ns = self._clock.monotonic_ns()
            found = listener.subscription.receive(most, min(wait_s, _TURN_S), linger_s)
            wait_s -= _TURN_S
            if number not in self._open:
                break
        return found

    def unlisten(self, number: str, owner: str) -> None:
        """End a subscription. One that ended already stays ended."""
        with self._lock:
            listener = self._open.get(number)
            if listener is not None and listener.owner == owner:
                del self._open[number]
                self._bus.unsubscribe(listener.subscription)

    def close(self) -> None:
        """End all of them; who waits gets nothing."""
        with self._lock:
            for listener in self._open.values():
                self._bus.unsubscribe(listener.subscription)
            self._open.clear()

    def _of(self, number: str, owner: str) -> _Listener:
        now = self._clock.monotonic_ns()
        if now - self._looked_ns > _IDLE_NS // 10:
            with self._lock:
                self._forget(now)
        listener = self._open.get(number)
        if listener is None or listener.owner != owner:
            raise SubscriptionUnknown(f"there is no subscription {number[:40]!r}")
        return listener

    def _forget(self, now_ns: int) -> None:
        self._looked_ns = now_ns
        for number, listener in list(self._open.items()):
            if now_ns - listener.asked_ns > _IDLE_NS:
                del self._open[number]
                self._bus.unsubscribe(listener.subscription)
