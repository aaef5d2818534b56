"""The deliveries of one durable subscription: which are due, who works on them, and the record of each decision.

What is decided is in the journal alone (:mod:`remit.host.delivery.model`): this object follows the committed records,
and adds what need not survive: a window of events that wait, and who holds which of them. Killed anywhere, the next
start delivers again what was not settled: at least once.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from remit.errors import RemitError
from remit.host.delivery.model import Durable, Settled, replay, settle
from remit.journal import Clock, Draft, Ids, Journal, Record

__all__ = ["Delivery", "Queue", "backoff_ms"]

_WINDOW = 1_000
"""Events of one subscription that are looked at at once; the rest waits in the journal."""
_ENOUGH = 500
"""With so many that could be taken at once, no more are looked for: reading a page for one of them costs too much."""
_MOST_DONE = 10_000
"""Events settled out of turn, behind one that is not: then everything waits for that one."""
_SCANNED = 5_000
_FIRST_MS = 1_000
_LONGEST_MS = 300_000
_MOST_MESSAGE = 500
_DECIDING_MS = 60_000
_DECIDED = "-"
"""In place of a lease: nobody holds it any more, and nobody may answer for it."""


def backoff_ms(attempts: int) -> int:
    """How long to wait after so many attempts: twice as long each time, a second to five minutes."""
    return int(min(_FIRST_MS << min(attempts - 1, 16), _LONGEST_MS))


class Delivery(msgspec.Struct, frozen=True):
    """An event that somebody works on, until ``until_ms``."""

    subscription: str
    seq: int
    attempt: int
    """From 1."""
    lease: str
    until_ms: int
    record: Record


class _Waiting(msgspec.Struct):
    record: Record
    attempts: int = 0
    due_ms: int = 0
    lease: str = ""
    until_ms: int = 0


class Queue:
    """Safe for many threads. ``committed`` runs on the journal's writer thread, and waits for a short lock at most."""

    def __init__(self, state: Durable, journal: Journal, clock: Clock, ids: Ids) -> None:
        self.state = state
        self.most_attempts = state.attempts
        self._journal = journal
        self._clock = clock
        self._ids = ids
        self._lock = threading.Lock()
        self._filling = threading.Lock()
        self._window: dict[int, _Waiting] = {}
        self._scanned = self._looked = state.position
        self._wanted = state.wanted.matcher()
        self._restore(state.retrying)

    def _restore(self, seqs: Iterable[int]) -> None:
        """Put events that wait for a retry into the window."""
        for seq in seqs:
            retry = self.state.retrying[seq]
            record = self._journal.record(seq)
            with self._lock:
                self._window[seq] = _Waiting(record, retry.attempts, retry.due_ms)

    # ---- taking ----

    def gathers(self, most: int) -> bool:
        """Whether something could be taken now, but less than ``most``."""
        self._fill()
        now = self._clock.now_ms()
        with self._lock:
            return 0 < self._ready(now) < most

    def _ready(self, now: int) -> int:
        return sum(not one.lease and one.due_ms <= now for one in self._window.values())

    def take(self, most: int, lease_ms: int) -> list[Delivery]:
        """Up to ``most`` deliveries that are due, the highest priority and then the oldest first; held for a while."""
        self._fill()
        now = self._clock.now_ms()
        self._give_back(now)
        with self._lock:
            due = [one for one in self._window.values() if not one.lease and one.due_ms <= now]
            due.sort(key=lambda one: (-one.record.event.priority, one.record.seq))
            found, lease = [], self._ids.new()  # one for all of them: each is held by its number and this
            for one in due[:most]:
                one.lease, one.until_ms = lease, now + lease_ms
                found.append(
                    Delivery(self.state.name, one.record.seq, one.attempts + 1, one.lease, one.until_ms, one.record)
                )
        return found

    def due_ms(self) -> int | None:
        """When something will be due, as far as is known: ``None`` if nothing waits."""
        self._fill()
        if self._behind:
            return 0
        with self._lock:
            return min((one.due_ms if not one.lease else one.until_ms for one in self._window.values()), default=None)

    def wait(self, most_ms: int) -> int:
        """Wait until something may be due, at most so long; give the milliseconds that it may have taken."""
        due = self.due_ms()
        if self._behind:
            return 1
        now = self._clock.now_ms()
        turn = most_ms if due is None else max(1, min(most_ms, due - now))
        self._journal.wait(self._looked, turn / 1_000)
        return turn

    def extend(self, seq: int, lease: str, lease_ms: int) -> bool:
        """Hold a delivery for longer, if it is still held."""
        with self._lock:
            one = self._window.get(seq)
            if one is None or lease in {"", _DECIDED} or one.lease != lease:
                return False
            one.until_ms = self._clock.now_ms() + lease_ms
            return True

    def release(self, delivery: Delivery, after_ms: int) -> None:
        """Let go of a delivery without a decision; it is due again later, and this attempt did not count."""
        with self._lock:
            one = self._window.get(delivery.seq)
            if one is not None and one.lease == delivery.lease:
                one.lease, one.due_ms = "", self._clock.now_ms() + after_ms

    def claim(self, seq: int, lease: str) -> Delivery | None:
        """A delivery that is held under this lease, to decide about it: nobody else may any more. Else ``None``."""
        with self._lock:
            one = self._window.get(seq)
            if one is None or lease in {"", _DECIDED} or one.lease != lease:
                return None
            self._decide(one)
            return Delivery(self.state.name, seq, one.attempts + 1, one.lease, one.until_ms, one.record)

    def _decide(self, one: _Waiting) -> None:
        # Until the decision is committed; where that fails, the delivery comes back as late.
        one.lease, one.until_ms = _DECIDED, self._clock.now_ms() + _DECIDING_MS

    def _fill(self) -> None:
        with self._filling:
            seen, self._looked = self._scanned, self._journal.head.seq
            room = self._room()
            if room <= 0:
                return
            arrived: list[Record] = []
            for record in self._journal.read(seen):
                if len(arrived) >= room or record.seq - self._scanned > _SCANNED:
                    break
                seen = record.seq
                # What the bus itself says is delivered to no one: each delivery would make another.
                if not record.event.type.startswith("bus.") and self._wanted(record):
                    arrived.append(record)
            with self._lock:
                for record in arrived:
                    if not self.state.decided(record.seq):
                        self._window[record.seq] = _Waiting(record)
                self._scanned = seen

    @property
    def _behind(self) -> bool:
        """Whether there are records to look at and room for what they hold."""
        return self._scanned < self._looked and self._room() > 0

    def _room(self) -> int:
        now = self._clock.now_ms()
        with self._lock:
            if self._ready(now) >= _ENOUGH:
                return 0
            return min(_WINDOW - len(self._window), _MOST_DONE - len(self.state.done))

    def _give_back(self, now: int) -> None:
        """Whoever did not answer in time has failed: it counts as an attempt."""
        with self._lock:
            late = [one for one in self._window.values() if one.lease and one.until_ms <= now]
            for one in late:
                self._decide(one)
            settled = [
                self._failed(one.record.seq, one.attempts + 1, 0, "", "nobody answered before the lease ran out")
                for one in late
            ]
        if settled:
            self._journal.append([self.draft(settled)])

    # ---- deciding ----

    def failed(
        self, delivery: Delivery, error: RemitError, *, final: bool = False, after_ms: int | None = None
    ) -> Settled:
        """The decision about a delivery that failed: again later, or, after its last attempt or ``final``, dead."""
        if final:
            message = error.message[:_MOST_MESSAGE]
            return Settled(delivery.seq, "dead", delivery.attempt, 0, error.code, message)
        return self._failed(delivery.seq, delivery.attempt, after_ms, error.code, error.message)

    def _failed(self, seq: int, attempts: int, after_ms: int | None, code: str, message: str) -> Settled:
        message = message[:_MOST_MESSAGE]
        if attempts >= self.most_attempts:
            return Settled(seq, "dead", attempts, 0, code, message)
        wait = backoff_ms(attempts) if after_ms is None else min(max(after_ms, 0), 24 * 3_600_000)
        return Settled(seq, "retry", attempts, self._clock.now_ms() + wait, code, message)

    def draft(self, settled: Sequence[Settled]) -> Draft:
        """The record of these decisions, to be committed alone or with what was done."""
        deciding = {one.seq for one in settled}
        with self._lock:
            position = self.state.position
            open_ = [
                seq for seq in self._window
                if seq > position and seq not in deciding and seq not in self.state.retrying
            ]  # fmt: skip
            position = max(position, min(open_, default=self._scanned + 1) - 1)
        data = {
            "subscription": self.state.name,
            "position": position,
            "settled": msgspec.to_builtins(list(settled)),
        }
        return Draft(type="bus.settled", subject=self.state.name, data=data)

    def committed(self, record: Record, facts: Any) -> None:
        """Follow a record about this subscription."""
        if record.event.type == "bus.replayed":
            self.state = replay(self.state, facts["seqs"])
            self._restore(seq for seq in facts["seqs"] if seq in self.state.retrying)
            return
        settled = msgspec.convert(facts["settled"], list[Settled])
        with self._lock:
            self.state = settle(self.state, facts["position"], settled, record.event.time)
            for one in settled:
                if one.outcome == "retry" and one.seq in self._window:
                    waiting = self._window[one.seq]
                    waiting.attempts, waiting.due_ms, waiting.lease = one.attempts, one.due_ms, ""
                else:
                    self._window.pop(one.seq, None)

    def status(self) -> dict[str, Any]:
        """Counters and lag: records of the journal that were not yet looked at, and deliveries that wait or run."""
        self._fill()
        with self._lock:
            running = sum(bool(one.lease) for one in self._window.values())
            waiting = len(self._window) - running
        state = self.state
        return {
            "name": state.name, "kind": state.kind, "position": state.position, "delivered": state.delivered,
            "retried": state.retried, "dead": len(state.dead), "waiting": waiting, "running": running,
            "lag": self._journal.head.seq - self._scanned,
        }  # fmt: skip

    def mark(self) -> Draft | None:
        """A record of how far it has looked, where that spares the next start a long search."""
        with self._lock:
            far = self._scanned - self.state.position
        return self.draft([]) if far > _SCANNED else None
