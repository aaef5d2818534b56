"""Units react: events are delivered to their handlers in the sandbox, under their leases, one at a time per unit.

A durable delivery is settled in the transaction of its outcome: what a handler did is committed with the word that it
was done. A unit that keeps failing is left in peace for a while (:mod:`remit.host.delivery.breaker`); events wait.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import msgspec

from remit.errors import (
    CallCancelled,
    Denied,
    HopsExceeded,
    InputTooLarge,
    JournalError,
    LeaseDenied,
    LeaseExhausted,
    PayloadMissing,
    RemitError,
    StateConflict,
    SubscriptionUnknown,
    UnitRejected,
    UnitRetry,
)
from remit.host.delivery.breaker import Breaker
from remit.host.delivery.model import Settled
from remit.host.delivery.queue import Delivery, Queue, backoff_ms
from remit.host.delivery.queues import Queues
from remit.journal import Clock, Draft, Filter, Journal, Mailbox, Record
from remit.kernel.bus import Bus
from remit.kernel.dispatch import CancelToken, Dispatcher
from remit.kernel.model import Action, Caller
from remit.units import Reaction, event_argument

__all__ = ["Reactions"]

_log = logging.getLogger(__name__)
_THREADS = 16
"""Units that react at the same time."""
_LONGEST_TURN_S = 5.0
_TURN_S = 0.01
_GRACE_TURNS = 200
_ALWAYS = frozenset({"bus.replayed"})
"""What wakes the reactions whatever they react to."""
_HELD_MS = 24 * 3_600_000
_BATCH = 256
_LINGER_S = 0.1
_FINAL = (Denied, HopsExceeded, InputTooLarge, LeaseDenied, PayloadMissing, UnitRejected)
"""Trying again cannot help: the event is a dead letter at once."""
_HARMLESS = (Denied, HopsExceeded, LeaseDenied, LeaseExhausted, PayloadMissing, StateConflict, UnitRejected, UnitRetry)
"""The unit is not broken, whatever became of the event."""


class _Reactor:
    """One unit, its reactions, and its breaker. One thread at a time."""

    def __init__(self, unit: str) -> None:
        self.id = unit
        self.reactions: dict[str, Reaction] = {}
        self.actions: dict[str, Action] = {}
        self.mailboxes: dict[str, Mailbox] = {}
        self.breaker = Breaker()
        self.running = False


class Reactions:
    """The reactions of the active generation. ``action`` makes what the dispatcher runs."""

    def __init__(
        self,
        *,
        journal: Journal,
        bus: Bus,
        queues: Queues,
        dispatcher: Dispatcher,
        clock: Clock,
        action: Callable[[Reaction], Action],
    ) -> None:
        self._journal = journal
        self._bus = bus
        self._queues = queues
        self._dispatcher = dispatcher
        self._clock = clock
        self._action = action
        self._units: dict[str, _Reactor] = {}
        self._topics = _ALWAYS
        self._changing = threading.Lock()
        self._awake = threading.Event()
        self._ended = threading.Event()
        self._closing = False
        self._tokens: set[CancelToken] = set()
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="remit-reaction")
        self._thread = threading.Thread(target=self._run, name="remit-reactions", daemon=True)
        journal.observe(self._heard)

    def start(self) -> None:
        """Deliver from now on, what waited since the last time first."""
        self._thread.start()

    def activate(self, reactions: Sequence[Reaction]) -> None:
        """These are the reactions now. A unit keeps its breaker, unless its digest changed."""
        with self._changing:
            units: dict[str, _Reactor] = {}
            for one in reactions:
                unit = one.unit.ref.id
                units.setdefault(unit, self._kept(one)).reactions[one.name] = one
            for old in self._units.values():
                for name, mailbox in old.mailboxes.items():
                    if not any(name in new.mailboxes for new in units.values()):
                        self._bus.unsubscribe(mailbox)
            for new in units.values():
                self._listen(new)
            self._units = units
            self._topics = _ALWAYS.union(one.on.topic for one in reactions)
        self.wake()

    def _kept(self, one: Reaction) -> _Reactor:
        made, old = _Reactor(one.unit.ref.id), self._units.get(one.unit.ref.id)
        if old is not None:
            made.mailboxes = dict(old.mailboxes)
            if any(before.unit.ref == one.unit.ref for before in old.reactions.values()):
                made.breaker = old.breaker
        return made

    def _listen(self, unit: _Reactor) -> None:
        """Live reactions have a mailbox; durable ones their queue."""
        live = {name for name, one in unit.reactions.items() if one.on.qos != "background"}
        for gone in unit.mailboxes.keys() - live:
            self._bus.unsubscribe(unit.mailboxes.pop(gone))
        for name in live - unit.mailboxes.keys():
            unit.mailboxes[name] = self._bus.subscribe(name, Filter(topics=(unit.reactions[name].on.topic,)))

    def wake(self) -> None:
        """Look again at what is due."""
        self._awake.set()

    def _heard(self, records: Sequence[Record]) -> None:
        topics = self._topics
        for record in records:  # every commit of the home passes here
            if record.event.type in topics:
                self._awake.set()
                return

    def close(self) -> None:
        """Deliver what is due, for a moment; then stop. What still runs is cancelled: the next start delivers it."""
        if self._thread.is_alive():
            turns = _GRACE_TURNS
            while turns and not self._quiet():
                self._awake.set()
                self._ended.wait(_TURN_S)
                turns -= 1
        self._closing = True
        self._awake.set()
        for token in list(self._tokens):
            token.cancel()
        if self._thread.is_alive():
            self._thread.join()
        self._pool.shutdown()

    def _quiet(self) -> bool:
        """Whether nothing runs and nothing is due."""
        now = self._clock.now_ms()
        for unit in self._units.values():
            due = self._due(unit)
            if unit.running or (due is not None and max(due, unit.breaker.until_ms) <= now):
                return False
        return True

    # ---- the turns ----

    def _run(self) -> None:
        while not self._closing:
            self._awake.clear()
            try:
                due = self._turn()
            except RemitError:
                _log.exception("looking for what units react to failed")
                due = None
            wait_ms = _LONGEST_TURN_S * 1_000 if due is None else max(due - self._clock.now_ms(), 0)
            self._awake.wait(min(wait_ms / 1_000, _LONGEST_TURN_S))

    def _turn(self) -> int | None:
        """Start whatever is due; give when something will be."""
        now = self._clock.now_ms()
        later: list[int] = []
        for unit in list(self._units.values()):
            due = self._due(unit)
            if due is None or unit.running or self._closing:
                continue
            due = max(due, unit.breaker.until_ms)
            if due > now:
                later.append(due)
            else:
                unit.running = True
                self._pool.submit(self._serve, unit)
        return min(later, default=None)

    def _due(self, unit: _Reactor) -> int | None:
        if any(mailbox.status()["lag"] for mailbox in unit.mailboxes.values()):
            return 0
        found = [queue.due_ms() for _, queue in self._lasting(unit)]
        return min((due for due in found if due is not None), default=None)

    def _lasting(self, unit: _Reactor) -> list[tuple[Reaction, Queue]]:
        found = []
        for name, one in unit.reactions.items():
            with suppress(SubscriptionUnknown):  # it was not granted
                if one.on.qos == "background":
                    found.append((one, self._queues.get(name)))
        return found

    def _serve(self, unit: _Reactor) -> None:
        """Deliver to one unit until nothing is due or its breaker opens."""
        try:
            # Another generation may have become active meanwhile: its unit goes on.
            while not self._closing and self._units.get(unit.id) is unit and self._round(unit):
                pass
        except Exception:  # noqa: BLE001 - a fault of ours: the log has it, the next turn tries again
            _log.exception("a reaction failed in the kernel")
        finally:
            unit.running = False
            self._awake.set()

    def _round(self, unit: _Reactor) -> bool:
        """One delivery of each reaction, a batch of each live one; whether there was any."""
        found = False
        for one, queue in self._lasting(unit):
            if unit.breaker.allows(self._clock.now_ms()) and (taken := queue.take(1, _HELD_MS)):
                self._deliver(unit, one, queue, taken[0])
                found = True
        for name, mailbox in list(unit.mailboxes.items()):
            one = unit.reactions[name]
            linger = _LINGER_S if one.on.qos == "batched" else 0
            for record in mailbox.receive(_BATCH, 0, linger).records:
                if not self._closing and unit.breaker.allows(self._clock.now_ms()):
                    self._offer(unit, one, record)
                    found = True
        return found

    # ---- one delivery ----

    def _deliver(self, unit: _Reactor, one: Reaction, queue: Queue, delivery: Delivery) -> None:
        def decide(error: RemitError | None) -> Settled:
            if error is None:
                return Settled(delivery.seq, "done", delivery.attempt)
            after_ms = error.details.get("after_ms") or None if isinstance(error, UnitRetry) else None
            return queue.failed(delivery, error, final=isinstance(error, _FINAL), after_ms=after_ms)

        def ending(error: RemitError | None) -> list[Draft]:
            return [] if isinstance(error, CallCancelled) else [queue.draft([decide(error)])]

        error = self._react(unit, one, delivery.record, delivery.attempt, ending)
        claimed = queue.claim(delivery.seq, delivery.lease)
        if claimed is None:
            return  # settled with the outcome
        # Nothing of it was committed: it never ran, was cancelled, or the journal did not take it.
        try:
            if error is not None and not self._closing and not isinstance(error, CallCancelled):
                self._journal.append([queue.draft([decide(error)])])
        except JournalError:
            queue.release(claimed, backoff_ms(delivery.attempt))

    def _offer(self, unit: _Reactor, one: Reaction, record: Record) -> None:
        self._react(unit, one, record, 1, lambda _error: [])

    def _react(
        self,
        unit: _Reactor,
        one: Reaction,
        record: Record,
        attempt: int,
        ending: Callable[[RemitError | None], list[Draft]],
    ) -> RemitError | None:
        """Run a handler with an event; give what went wrong."""
        event = record.event
        caller = Caller(
            principal="kernel",
            namespace=record.namespace,
            correlation=event.correlationid or event.id,
            causation=event.id,
            traceparent=event.traceparent,
            hops=event.hops - 1,
        )
        failed: RemitError | None = None
        token = self._dispatcher.token()
        self._tokens.add(token)
        try:
            argument = event_argument(record, self._journal.data(record), attempt=attempt)
            self._dispatcher.react(self._prepared(unit, one), argument, caller, ending, token)
        except RemitError as error:
            failed = error
        finally:
            self._tokens.discard(token)
        self._judge(unit, one, failed)
        return failed

    def _prepared(self, unit: _Reactor, one: Reaction) -> Action:
        action = unit.actions.get(one.name)
        if action is None:
            action = unit.actions[one.name] = self._action(one)
        return action

    def _judge(self, unit: _Reactor, one: Reaction, error: RemitError | None) -> None:
        """Tell the unit's breaker, and the journal if that changes anything."""
        if isinstance(error, JournalError) and not isinstance(error, PayloadMissing):
            return
        if error is None or isinstance(error, _HARMLESS):
            if unit.breaker.succeeded():
                self._say("bus.resumed", one, {})
        elif not isinstance(error, CallCancelled) and unit.breaker.failed(self._clock.now_ms()):
            facts = {"faults": unit.breaker.faults, "until_ms": unit.breaker.until_ms, "code": error.code}
            self._say("bus.paused", one, facts)

    def _say(self, kind: str, one: Reaction, facts: dict[str, Any]) -> None:
        data = {"unit": one.unit.ref.id, "digest": one.unit.ref.digest} | facts
        with suppress(JournalError):  # it is closing
            self._journal.submit([Draft(type=kind, subject=one.unit.ref.id, data=msgspec.to_builtins(data))])
