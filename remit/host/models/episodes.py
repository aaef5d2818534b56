"""The read model ``episodes``: what one correlation id groups, from its first record to its last.

The newest are kept; of older ones the journal has every record.
"""

from __future__ import annotations

import msgspec

from remit.host.models.model import Data, Model, amount, listed, said, text
from remit.journal import Record

__all__ = ["Episode", "Episodes", "episodes"]

_MOST = 2_000
_FAILURES = frozenset({"action.failed", "plugin.failed", "unit.failed"})
_DENIALS = frozenset({"action.denied", "lease.denied", "egress.denied", "lease.exhausted"})
_CALLS = frozenset({"action.completed", "action.failed"})


class Episode(msgspec.Struct, frozen=True):
    """One run. Times are RFC 3339, durations microseconds."""

    id: str
    first: int
    """Sequence number of its first record."""
    started: str
    last: int = 0
    ended: str = ""
    """When its last record so far was written."""
    records: int = 0
    calls: int = 0
    failures: int = 0
    denials: int = 0
    busy_us: int = 0
    """What its calls took, nested ones counted in their callers too."""
    principal: str = ""
    action: str = ""
    """The action that was called first, as far as it has ended."""
    codes: tuple[str, ...] = ()
    """Codes of what went wrong, the newest last."""
    units: tuple[str, ...] = ()
    """``ID@DIGEST`` of the units that took part."""
    traceparent: str = ""


class Episodes(msgspec.Struct):
    """The state: episodes by id, the least recently heard of first."""

    by_id: dict[str, Episode] = {}


def _step(state: Episodes, record: Record, data: Data) -> Episodes:
    event = record.event
    if not event.correlationid:
        return state
    before = state.by_id.pop(event.correlationid, None)
    episode = before or Episode(
        event.correlationid, record.seq, event.time, principal=_principal(event.source), traceparent=event.traceparent
    )
    facts = said(record, data)
    called = event.type in _CALLS
    unit, digest = text(facts.get("unit")), text(facts.get("digest"))
    wrong = event.type in _FAILURES or event.type in _DENIALS
    state.by_id[episode.id] = msgspec.structs.replace(
        episode,
        last=record.seq,
        ended=event.time,
        records=episode.records + 1,
        calls=episode.calls + (called and record.from_kernel),
        failures=episode.failures + (event.type in _FAILURES and record.from_kernel),
        denials=episode.denials + (event.type in _DENIALS and record.from_kernel),
        busy_us=episode.busy_us + amount(facts.get("duration_us") if called else 0),
        principal=episode.principal or text(facts.get("principal")),
        action=episode.action if event.causationid else text(facts.get("action")) or episode.action,
        codes=listed(episode.codes, text(facts.get("code"))) if wrong else episode.codes,
        units=listed(episode.units, f"{unit}@{digest}") if unit and digest else episode.units,
    )
    if len(state.by_id) > _MOST:
        del state.by_id[next(iter(state.by_id))]
    return state


def _principal(source: str) -> str:
    """Whose word began it, where that was a client's event."""
    _, client, principal = source.partition("/client/")
    return principal if client else ""


def episodes() -> Model[Episodes]:
    """The fold."""
    return Model(
        "episodes",
        1,
        ("",),
        Episodes,
        _step,
        lambda state: [msgspec.to_builtins(one) for one in reversed(state.by_id.values())],
    )
