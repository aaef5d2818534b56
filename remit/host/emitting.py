"""One event into the journal; with an idempotency key, once only: who says it again gets the first record."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import apsw

from remit.errors import IdempotencyConflict
from remit.journal import Draft, Journal, Record, encode_json
from remit.kernel.model import Caller

__all__ = ["emit_once"]

_FIND = """SELECT r.* FROM outcome o JOIN record r ON r.seq = o.seq
WHERE o.namespace=? AND o.principal=? AND o.action=? AND o.key=?"""


def emit_once(journal: Journal, draft: Draft, caller: Caller) -> Record:
    """Append an event, or give the record that the same key of the same principal and topic made before.

    :raises IdempotencyConflict: if that one has other data
    """
    if not caller.idempotency_key:
        return journal.append([draft], namespace=caller.namespace)[0]
    # No action is called so: their names hold no space.
    key = (caller.namespace, caller.principal, f"emit {draft.type}", caller.idempotency_key)

    def unused(connection: apsw.Connection) -> None:
        if connection.execute(_FIND, key).fetchall():
            raise IdempotencyConflict("another call with this key came first")

    def project(connection: apsw.Connection, records: Sequence[Record]) -> None:
        connection.execute("INSERT INTO outcome VALUES(?,?,?,?,?)", (*key, records[0].seq))

    if not journal.execute(_FIND, key):
        with suppress(IdempotencyConflict):
            return journal.append([draft], namespace=caller.namespace, guard=unused, project=project)[0]
    [row] = journal.execute(_FIND, key)
    record = journal.decode_row(row)
    if encode_json(journal.data(record)) != encode_json(draft.data):
        raise IdempotencyConflict(f"the idempotency key {key[3]!r} was used with other data")
    return record
