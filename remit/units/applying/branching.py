"""Branches of units' state as their trials begin and end: opened, closed, and made the unit's own where that is asked.

All of it is part of the generation's transaction; ``state.merged`` in the journal says what a promotion wrote.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import apsw

from remit.journal import Draft, Journal, Record, digest_of, encode_json
from remit.journal.branches import close_branch, merge, open_branch, settled
from remit.journal.unitstate import MERGED, Write, restore, unchanged
from remit.units.applying.restoring import Restoration
from remit.units.generations.generation import Generation, Trial
from remit.units.planning.plan import TrialChange

__all__ = ["branching"]


def branching(
    journal: Journal, before: Generation, after: Generation, changes: Iterable[TrialChange], back: Restoration
) -> Restoration:
    """What a generation's transaction does to branches, and what else it does to state.

    A call of an arm that commits in between makes the transaction fail with ``StateConflict``: nothing is half-merged.
    """
    opened, closed = _apart(after, before), _apart(before, after)
    if not (opened or closed):
        return back
    kept = {change.id for change in changes if change.state == "kept"}
    merges, ends = _merges(journal, [trial for trial in closed if trial.id in kept])

    def guard(connection: apsw.Connection) -> None:
        if back.guard is not None:
            back.guard(connection)
        settled(connection, ends)
        for unit, namespace, writes in merges:
            unchanged(connection, namespace, unit, writes)

    def project(connection: apsw.Connection, records: Sequence[Record]) -> None:
        if back.project is not None:
            back.project(connection, records)
        merged = [record for record in records if record.event.type == MERGED]
        for record, (unit, namespace, writes) in zip(merged, merges, strict=True):
            restore(connection, record.seq, namespace, unit, writes)
        for trial in closed:
            close_branch(connection, trial.unit.ref.id, trial.id)
        for trial in opened:
            open_branch(connection, records[0].seq, trial.unit.ref.id, trial.id)

    payloads = [encode_json(writes) for _, _, writes in merges]
    digests = [digest_of(payload) for payload in payloads]
    drafts = [
        Draft(
            type=MERGED,
            subject=unit,
            data={"unit": unit, "namespace": namespace, "writes": digest, "keys": len(writes)},
        )
        for (unit, namespace, writes), digest in zip(merges, digests, strict=True)
    ]
    kept_apart = dict(zip(digests, payloads, strict=True))
    return Restoration([*back.drafts, *drafts], {**back.payloads, **kept_apart}, guard, project)


def _apart(generation: Generation, other: Generation) -> list[Trial]:
    there = {trial.id for trial in other.trials}
    return [trial for trial in generation.trials if trial.id not in there]


def _merges(
    journal: Journal, kept: Sequence[Trial]
) -> tuple[list[tuple[str, str, list[Write]]], list[tuple[str, str, int]]]:
    """The writes that make branches their units' state, and how far each branch was read."""
    merges, ends = [], []
    for trial in kept:
        unit = trial.unit.ref.id
        found, last = merge(journal, unit, trial.id)
        ends.append((unit, trial.id, last))
        merges += [(unit, namespace, writes) for namespace, writes in sorted(found.items())]
    return merges, ends
