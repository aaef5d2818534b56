"""The read model ``health``: what went wrong of late, and how often each kind of thing has.

It tells what the journal holds. Whether the machine under it is well is for ``remit doctor``.
"""

from __future__ import annotations

import msgspec

from remit.host.models.model import Data, Model, said, text
from remit.journal import Record

__all__ = ["Health", "Trouble", "health"]

_MOST = 50
_WORDS = {
    "action.failed": "warning",
    "action.denied": "warning",
    "bus.lagged": "warning",
    "egress.denied": "warning",
    "lease.denied": "warning",
    "lease.exhausted": "warning",
    "plugin.failed": "error",
    "unit.failed": "error",
    "unit.quarantined": "error",
    "unit.withdrawn": "error",
}


class Trouble(msgspec.Struct, frozen=True):
    """One record that says something went wrong."""

    seq: int
    at: str
    type: str
    severity: str
    subject: str
    code: str
    words: str


class Health(msgspec.Struct):
    """The state."""

    records: int = 0
    counts: dict[str, int] = {}
    """Troubles by type."""
    latest: tuple[Trouble, ...] = ()
    """The newest, oldest first."""


def _step(state: Health, record: Record, data: Data) -> Health:
    state.records += 1
    kind = record.event.type
    severity = _WORDS.get(kind)
    if severity is None or not record.from_kernel:
        return state
    facts = said(record, data)
    trouble = Trouble(
        seq=record.seq,
        at=record.event.time,
        type=kind,
        severity=severity,
        subject=record.event.subject,
        code=text(facts.get("code")),
        words=text(facts.get("message") or facts.get("reason") or facts.get("error")),
    )
    state.counts[kind] = state.counts.get(kind, 0) + 1
    state.latest = (*state.latest, trouble)[-_MOST:]
    return state


def _show(state: Health) -> object:
    return {
        "records": state.records,
        "counts": dict(sorted(state.counts.items())),
        "latest": [msgspec.to_builtins(one) for one in reversed(state.latest)],
    }


def health() -> Model[Health]:
    """The fold."""
    return Model("health", 1, ("",), Health, _step, _show)
