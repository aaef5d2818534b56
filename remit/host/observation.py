"""What the façade's operations on events, subscriptions and read models do.

One method an operation, by the same name, as in :mod:`remit.host.operations`, which this is a part of.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import Any

import msgspec

from remit.errors import Denied, EventInvalid, PayloadMissing, UsageError
from remit.host.delivery import Heard, Listening
from remit.host.emitting import emit_once
from remit.host.governance import Context, Governance
from remit.host.views import plain
from remit.journal import Draft, Filter, Journal, Record, check_topic
from remit.journal.event import MOST_HOPS, client_source, encode_data
from remit.kernel.dispatch import CancelToken
from remit.kernel.model import EntityRef

__all__ = ["Observation"]

_MOST_EVENTS = 10_000
_LONGEST_WAIT_MS = 30_000
_TURN_MS = 250
_MOST_EMITTED = 1 << 20
_HIGHEST_PRIORITY = 255
_LARGEST_MAILBOX = 100_000
_LONGEST_LINGER_MS = 10_000
_MOST_FILTERED = 100
_WORDS = re.compile(r"[a-z][a-z0-9_-]*(\.[a-z0-9_-]+)*\.")


class Observation(Governance):
    """See the façade's :class:`remit.host.observing.Observing`."""

    def emit(self, context: Context, topic: str, data: Any, reply_to: str, priority: int) -> dict[str, Any]:
        check_topic(topic)
        if reply_to:
            check_topic(reply_to)
        if not 0 <= priority <= _HIGHEST_PRIORITY:
            raise UsageError(f"a priority is 0 to {_HIGHEST_PRIORITY}, not {priority}")
        rooms, caller = self._rooms, context.caller
        self._allow(context, "event:emit", EntityRef("Topic", topic))
        draft = Draft(
            type=topic,
            data=data,
            source=client_source(rooms.home.id, caller.client or str(os.getpid())),
            correlation=caller.correlation,
            causation=caller.causation,
            traceparent=caller.traceparent,
            reply_to=reply_to,
            hops=max(0, min(caller.hops, MOST_HOPS)),
            priority=priority,
        )
        if len(encode_data(draft)) > _MOST_EMITTED:
            raise EventInvalid(f"an event may carry {_MOST_EMITTED >> 20} MiB", remedy="emit a reference to it")
        return self._record(emit_once(rooms.journal, draft, caller))

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
        event = msgspec.to_builtins(record.event)
        if record.event.dataref:
            with suppress(PayloadMissing):  # erased: the reference stays
                event["data"] = self._rooms.journal.data(record)
        return {
            "seq": record.seq,
            "generation": record.generation,
            "namespace": record.namespace,
            "hash": record.hash.hex(),
            "event": event,
        }

    # ---- subscriptions ----

    def listen(self, context: Context, spec: Listening) -> str:
        if not 1 <= spec.capacity <= _LARGEST_MAILBOX:
            raise UsageError(f"a mailbox holds 1 to {_LARGEST_MAILBOX} records, not {spec.capacity}")
        _check_filter(spec.wanted)
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

    # ---- read models ----

    def models(self, _context: Context) -> list[str]:
        return self._rooms.folds.names()

    def state(self, _context: Context, model: str, at: int | None) -> Any:
        head = self._rooms.journal.head.seq
        if at is not None and not 0 <= at <= head:
            raise UsageError(f"there is no record {at}; the journal ends at {head}")
        return plain(self._rooms.folds.view(model, at))


def _check_filter(wanted: Filter) -> None:
    if len(wanted.topics) + len(wanted.prefixes) > _MOST_FILTERED:
        raise UsageError(f"one subscription names up to {_MOST_FILTERED} topics and prefixes")


def _wait(journal: Journal, after: int, wait_ms: int, token: CancelToken) -> None:
    """Wait for a record after ``after``, in short turns, so that a caller who gives up is not kept."""
    while wait_ms > 0 and not token.cancelled and not journal.wait(after, min(wait_ms, _TURN_MS) / 1000):
        wait_ms -= _TURN_MS
