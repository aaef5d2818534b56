"""Events of callers into the journal: whether they may be said, and what each answers.

With an idempotency key, an event is said once only: who says it again gets the first record.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import apsw

from remit.errors import EventInvalid, IdempotencyConflict, UsageError
from remit.host.facade.emitted import Emitted
from remit.host.facade.views import record_view
from remit.journal import Draft, Journal, Receipt, Record, check_topic, encode_json, once
from remit.journal.event import MOST_EMITTED, MOST_HOPS, client_source, encode_data
from remit.kernel.model import Caller, EntityRef

if TYPE_CHECKING:
    from remit.host.compose import Rooms

__all__ = ["emit_once", "emit_soon", "said", "said_alone"]

_HIGHEST_PRIORITY = 255
_MOST_UNDERWAY = 4_096
"""Appends that may wait for the disk: with as many, who emits another waits for it too."""


def said(rooms: Rooms, caller: Caller, topic: str, data: Any, reply_to: str = "", priority: int = 0) -> Draft:
    """What a caller says, if it may be said.

    :raises SourceReserved: if the topic is the kernel's
    :raises Denied: if policy refuses it
    """
    check_topic(topic)
    if reply_to:
        check_topic(reply_to)
    if not 0 <= priority <= _HIGHEST_PRIORITY:
        raise UsageError(f"a priority is 0 to {_HIGHEST_PRIORITY}, not {priority}")
    rooms.lifecycle.authorize(caller, "event:emit", EntityRef("Topic", topic))
    return Draft(
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


def said_alone(rooms: Rooms, caller: Caller, topic: str, data: Any, reply_to: str, priority: int) -> Draft:
    """:func:`said`, for an event that goes by itself.

    :raises EventInvalid: if it carries too much
    """
    draft = said(rooms, caller, topic, data, reply_to, priority)
    if len(encode_data(draft)) > MOST_EMITTED:
        raise EventInvalid(f"an event may carry {MOST_EMITTED >> 20} MiB", remedy="emit a reference to it")
    return draft


def emit_soon(journal: Journal, draft: Draft, namespace: str) -> Emitted:
    """Queue an event for the disk; wait for it only where too much waits already."""
    receipt = journal.submit([draft], namespace=namespace)
    if journal.underway > _MOST_UNDERWAY:
        receipt.result()
    return Emitted(lambda: _viewed(journal, receipt), receipt.done)


def _viewed(journal: Journal, receipt: Receipt) -> dict[str, Any]:
    [record] = receipt.result()
    return record_view(journal, record)


def emit_once(journal: Journal, draft: Draft, caller: Caller) -> Record:
    """Append an event, or give the record that the same key of the same principal and topic made before.

    :raises IdempotencyConflict: if that one has other data
    """
    if not caller.idempotency_key:
        return journal.append([draft], namespace=caller.namespace)[0]
    # No action is called so: their names hold no space.
    key = once.Key(caller.namespace, caller.principal, f"emit {draft.type}", caller.idempotency_key)

    def unused(connection: apsw.Connection) -> None:
        if once.taken(connection, key):
            raise IdempotencyConflict("another call with this key came first")

    def project(connection: apsw.Connection, records: Sequence[Record]) -> None:
        once.remember(connection, key, records[0].seq)

    record = once.find(journal, key)
    if record is None:
        with suppress(IdempotencyConflict):
            return journal.append([draft], namespace=caller.namespace, guard=unused, project=project)[0]
        record = once.find(journal, key)
    if record is None or encode_json(journal.data(record)) != encode_json(draft.data):
        raise IdempotencyConflict(f"the idempotency key {key.key!r} was used with other data")
    return record
