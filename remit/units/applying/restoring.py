"""Units' state as of an earlier generation, written back as new versions: nothing of what came since is lost.

The rows go into the transaction of the revert; ``state.restored`` in the journal says what was written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import apsw
import msgspec

from remit.journal import Draft, Journal, Record, digest_of, encode_json
from remit.journal.unitstate import RESTORED, StateTable, Write, restore, unchanged
from remit.units.planning.plan import StateBack

__all__ = ["Restoration", "began", "restoration"]

_PAGE = 1_000


class Restoration(msgspec.Struct, frozen=True):
    """What a revert writes back, ready for its transaction."""

    drafts: list[Draft] = []
    payloads: dict[str, bytes] = {}
    guard: Callable[[apsw.Connection], None] | None = None
    project: Callable[[apsw.Connection, Sequence[Record]], None] | None = None


def restoration(journal: Journal, wanted: Sequence[StateBack]) -> Restoration:
    """The writes that bring the state of these units back, in every namespace where they have any.

    A call that commits in between makes the transaction fail with ``StateConflict``: nothing is half-restored.
    """
    found = [
        (namespace, back, writes)
        for back in wanted
        for namespace in _namespaces(journal, back.unit)
        if (writes := _writes(StateTable(journal, namespace, back.unit), back.seq))
    ]
    if not found:
        return Restoration()
    payloads = [encode_json(writes) for _, _, writes in found]
    digests = [digest_of(payload) for payload in payloads]
    drafts = [
        Draft(
            type=RESTORED,
            subject=back.unit,
            data={
                "unit": back.unit,
                "namespace": namespace,
                "generation": back.generation,
                "at": back.seq,
                "writes": digest,
                "keys": len(writes),
            },
        )
        for (namespace, back, writes), digest in zip(found, digests, strict=True)
    ]

    def guard(connection: apsw.Connection) -> None:
        for namespace, back, writes in found:
            unchanged(connection, namespace, back.unit, writes)

    def project(connection: apsw.Connection, records: Sequence[Record]) -> None:
        restored = [record for record in records if record.event.type == RESTORED]
        for record, (namespace, back, writes) in zip(restored, found, strict=True):
            restore(connection, record.seq, namespace, back.unit, writes)

    return Restoration(drafts, dict(zip(digests, payloads, strict=True)), guard, project)


def _namespaces(journal: Journal, unit: str) -> list[str]:
    rows = journal.execute("SELECT DISTINCT namespace FROM unit_state WHERE unit=? AND branch='' ORDER BY 1", (unit,))
    return [row[0] for row in rows]


def _writes(table: StateTable, at: int) -> list[Write]:
    """What turns the live keys into those of record ``at``."""
    keys = sorted({*_keys(table, None), *_keys(table, at)})
    writes = []
    for key in keys:
        (now, version), (then, _) = table.get(key), table.get(key, at)
        if now != then:
            writes.append(Write(key, version + 1, then))
    return writes


def _keys(table: StateTable, at: int | None) -> list[str]:
    found: list[str] = []
    while page := table.keys("", found[-1] if found else "", _PAGE, at):
        found += page
    return found


def began(journal: Journal, number: int) -> int:
    """The number of a generation's first record."""
    rows = journal.execute("SELECT MIN(seq) FROM record WHERE generation = ?", (number,))
    return int(rows[0][0])
