"""One event into the journal; with an idempotency key, once only: who says it again gets the first record."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import apsw

from remit.errors import IdempotencyConflict
from remit.journal import Draft, Journal, Record, encode_json, once
from remit.kernel.model import Caller

__all__ = ["emit_once"]


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
