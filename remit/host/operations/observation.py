"""What the façade's operations on events, subscriptions and read models do.

One method an operation, by the same name, as in :mod:`remit.host.operations.operations`, which this is a part of.
"""

from __future__ import annotations

import re
import threading
from typing import Any

import msgspec

from remit.errors import Denied, EventInvalid, UnitFailed, UsageError
from remit.host.delivery import Answer, Given, Heard, Listening, Queue
from remit.host.delivery.model import Settled
from remit.host.facade.views import plain, record_view
from remit.host.operations.emitting import emit_once, said, said_alone
from remit.host.operations.governance import Context, Governance
from remit.host.operations.present import PRESENT, present
from remit.journal import Draft, Filter, Journal, Record
from remit.journal.event import MOST_EMITTED, encode_data
from remit.kernel.dispatch import CancelToken
from remit.kernel.model import EntityRef

__all__ = ["Observation"]

_MOST_EVENTS = 10_000
_LONGEST_WAIT_MS = 30_000
_TURN_MS = 250
_MOST_TOGETHER = 1_000
_GATHERING_MS = 20
_LARGEST_MAILBOX = 100_000
_LONGEST_LINGER_MS = 10_000
_MOST_FILTERED = 100
_MOST_ATTEMPTS = 100
_MOST_TAKEN = 1_000
_MOST_LETTERS = 1_000
_LONGEST_LEASE_MS = 24 * 3_600_000
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,63}")
_WORDS = re.compile(r"[a-z][a-z0-9_-]*(\.[a-z0-9_-]+)*\.")


class Observation(Governance):
    """See the façade's :class:`remit.host.facade.observing.Observing`."""

    def emit(self, context: Context, topic: str, data: Any, reply_to: str, priority: int) -> dict[str, Any]:
        draft = said_alone(self._rooms, context.caller, topic, data, reply_to, priority)
        return self._record(emit_once(self._rooms.journal, draft, context.caller))

    def emit_all(self, context: Context, events: list[tuple[str, Any]]) -> list[dict[str, Any]]:
        if context.caller.idempotency_key:
            raise UsageError("an idempotency key is for one event", remedy="emit them one at a time")
        if len(events) > _MOST_TOGETHER:
            raise UsageError(f"up to {_MOST_TOGETHER:,} events are emitted together, not {len(events):,}")
        drafts = [said(self._rooms, context.caller, topic, data) for topic, data in events]
        if sum(len(encode_data(draft)) for draft in drafts) > MOST_EMITTED:
            raise EventInvalid(f"events that are emitted together may carry {MOST_EMITTED >> 20} MiB")
        records = self._rooms.journal.append(drafts, namespace=context.caller.namespace) if drafts else []
        return [self._record(record) for record in records]

    def events(
        self, context: Context, after: int, prefixes: tuple[str, ...], limit: int, last: int, wait_ms: int
    ) -> list[dict[str, Any]]:
        journal = self._rooms.journal
        if last:
            return [self._record(record) for record in journal.last(min(last, _MOST_EVENTS), prefixes=prefixes)]
        if wait_ms:
            _wait(journal, after, min(wait_ms, _LONGEST_WAIT_MS), context.token)
        found = journal.read(after, limit=min(limit, _MOST_EVENTS), prefixes=prefixes)
        return [self._record(record) for record in found]

    def _record(self, record: Record) -> dict[str, Any]:
        return record_view(self._rooms.journal, record)

    def listen(self, context: Context, spec: Listening) -> str:
        if not 1 <= spec.capacity <= _LARGEST_MAILBOX:
            raise UsageError(f"a mailbox holds 1 to {_LARGEST_MAILBOX} records, not {spec.capacity}")
        _check_filter(spec.wanted)
        if spec.private:  # who may ask may hear what is answered
            self._allow(context, "event:emit", EntityRef("Topic", "reply"))
        else:
            try:
                self._allow(context, "home:read")
            except Denied:
                self._may_hear(context, spec.wanted)
        return self._rooms.listeners.listen(spec, context.caller.principal)

    def receive(self, context: Context, subscription: str, most: int, wait_ms: int, linger_ms: int) -> Heard:
        found = self._rooms.listeners.receive(
            subscription,
            context.caller.principal,
            max(1, min(most, _MOST_EVENTS)),
            min(wait_ms, _LONGEST_WAIT_MS) / 1_000,
            min(linger_ms, _LONGEST_LINGER_MS) / 1_000,
            context.token,
        )
        return Heard([self._record(record) for record in found.records], found.missed, found.after)

    def unlisten(self, context: Context, subscription: str) -> None:
        self._rooms.listeners.unlisten(subscription, context.caller.principal)

    def bus(self, _context: Context) -> dict[str, Any]:
        return self._rooms.bus.status()

    def _may_hear(self, context: Context, wanted: Filter) -> None:
        """Ask policy for each topic; a prefix of whole words is the topic above, everything is the home's."""
        if not wanted.topics and not wanted.prefixes:
            self._allow(context, "event:subscribe")
        for topic in wanted.topics:
            self._allow(context, "event:subscribe", EntityRef("Topic", topic))
        for prefix in wanted.prefixes:
            whole = _WORDS.fullmatch(prefix) is not None
            self._allow(context, "event:subscribe", EntityRef("Topic", prefix[:-1]) if whole else None)

    # ---- durable subscriptions ----

    def open_jobs(self, context: Context, name: str, wanted: Filter, attempts: int, after: int | None) -> None:
        if not _NAME.fullmatch(name):
            raise UsageError(f"{name[:100]!r} is not a name", remedy="use lower-case letters, digits, dots and hyphens")
        if not 1 <= attempts <= _MOST_ATTEMPTS:
            raise UsageError(f"an event is tried 1 to {_MOST_ATTEMPTS} times, not {attempts}")
        _check_filter(wanted)
        self._may_hear(context, wanted)
        head = self._rooms.journal.head.seq
        start = head if after is None else max(0, min(after, head))
        self._rooms.queues.open(name, wanted, attempts, start, context.caller.principal)

    def take(
        self, context: Context, name: str, most: int, lease_ms: int, wait_ms: int, linger_ms: int = 0
    ) -> list[Given]:
        if not 1 <= lease_ms <= _LONGEST_LEASE_MS:
            raise UsageError(f"a lease lasts 1 to {_LONGEST_LEASE_MS} milliseconds, not {lease_ms}")
        queue, most = self._queue(context, name), max(1, min(most, _MOST_TAKEN))
        wait_ms, linger_ms = min(wait_ms, _LONGEST_WAIT_MS), min(linger_ms, _LONGEST_LINGER_MS)
        while not (found := _gathered(queue, most, linger_ms, context.token).take(most, lease_ms)):
            if wait_ms <= 0 or context.token.cancelled:
                return []
            wait_ms -= queue.wait(min(wait_ms, _TURN_MS))
            queue = self._queue(context, name)  # it may have been closed
        return [Given(one.seq, one.attempt, one.lease, one.until_ms, self._record(one.record)) for one in found]

    def settle(self, context: Context, name: str, answers: list[Answer]) -> list[int]:
        queue = self._queue(context, name)
        if len(answers) > _MOST_TAKEN:
            raise UsageError(f"up to {_MOST_TAKEN} jobs are answered at once")
        stale, settled = [], []
        for answer in answers:
            delivery = queue.claim(answer.seq, answer.lease)
            if delivery is None:
                stale.append(answer.seq)
            elif answer.outcome == "ack":
                settled.append(Settled(answer.seq, "done", delivery.attempt))
            else:
                error = UnitFailed(answer.reason or "its worker gave it back")
                final = answer.outcome == "bury"
                settled.append(queue.failed(delivery, error, final=final, after_ms=answer.delay_ms))
        if settled:
            self._rooms.journal.append([queue.draft(settled)])
        return stale

    def extend(self, context: Context, name: str, seq: int, lease: str, lease_ms: int) -> bool:
        return self._queue(context, name).extend(seq, lease, max(1, min(lease_ms, _LONGEST_LEASE_MS)))

    def close_jobs(self, context: Context, name: str) -> None:
        self._queue(context, name)
        self._rooms.queues.close(name, context.caller.principal)

    def _queue(self, context: Context, name: str) -> Queue:
        """A queue that is no unit's, if the caller may hear what it delivers."""
        queue = self._rooms.queues.get(name)
        self._may_hear(context, queue.state.wanted)
        if queue.state.kind == "reaction":
            raise UsageError(f"{name} is a unit's reaction: nobody else takes its deliveries")
        return queue

    def subscriptions(self, _context: Context) -> list[dict[str, Any]]:
        return [queue.status() for queue in self._rooms.queues.all()]

    def dead_letters(self, _context: Context, name: str) -> list[dict[str, Any]]:
        queues = [self._rooms.queues.get(name)] if name else self._rooms.queues.all()
        journal = self._rooms.journal
        return [
            {"subscription": queue.state.name, "seq": seq}
            | msgspec.to_builtins(dead)
            | {"record": self._record(journal.record(seq))}
            for queue in queues
            for seq, dead in sorted(queue.state.dead.items())[-_MOST_LETTERS:]
        ]

    def replay(self, context: Context, name: str, seqs: list[int]) -> int:
        queue = self._rooms.queues.get(name)
        self._may_hear(context, queue.state.wanted)
        found = sorted(seq for seq in (seqs or queue.state.dead) if seq in queue.state.dead)
        if found:
            data = {"subscription": name, "seqs": found, "by": context.caller.principal}
            self._rooms.journal.append([Draft(type="bus.replayed", subject=name, data=data)])
        return len(found)

    # ---- read models ----

    def models(self, _context: Context) -> list[str]:
        return sorted([*self._rooms.folds.names(), *PRESENT])

    def state(self, _context: Context, model: str, at: int | None) -> Any:
        head = self._rooms.journal.head.seq
        if at is not None and not 0 <= at <= head:
            raise UsageError(f"there is no record {at}; the journal ends at {head}")
        return plain(present(self._rooms, at) if model in PRESENT else self._rooms.folds.view(model, at))


def _gathered(queue: Queue, most: int, linger_ms: int, token: CancelToken) -> Queue:
    """A queue, once it has as many deliveries as are taken, or the time for gathering them is over."""
    pause = threading.Event()  # nobody sets it: each commit would wake who waits for the journal
    while linger_ms > 0 and queue.gathers(most) and not token.cancelled:
        pause.wait(min(linger_ms, _GATHERING_MS) / 1_000)
        linger_ms -= _GATHERING_MS
    return queue


def _check_filter(wanted: Filter) -> None:
    if len(wanted.topics) + len(wanted.prefixes) > _MOST_FILTERED:
        raise UsageError(f"one subscription names up to {_MOST_FILTERED} topics and prefixes")


def _wait(journal: Journal, after: int, wait_ms: int, token: CancelToken) -> None:
    """Wait for a record after ``after``, in short turns, so that a caller who gives up is not kept."""
    while wait_ms > 0 and not token.cancelled and not journal.wait(after, min(wait_ms, _TURN_MS) / 1000):
        wait_ms -= _TURN_MS
