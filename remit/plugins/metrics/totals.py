"""The read model ``metrics``: totals with labels from a bounded set, as monotonic as the journal.

Whoever came first keeps a name of its own for good; what comes after the bound is counted under ``other``. So no total
ever falls, and no name can crowd out another.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from remit.host.models import ENDS, Data, Model, Use, amount, said, text, used
from remit.journal import Record

__all__ = ["MOST", "OTHER", "Reach", "Totals", "totals"]

MOST: Final = 200
"""Actions, units, plugins and codes that are counted by name, of each kind."""
OTHER: Final = "other"
_REFUSALS = frozenset({"action.denied", "lease.denied", "lease.exhausted", "egress.denied"})


class Reach(msgspec.Struct, frozen=True):
    """What one unit sent and received outside. Sizes are bytes."""

    allowed: int = 0
    denied: int = 0
    failed: int = 0
    sent: int = 0
    received: int = 0


class Totals(msgspec.Struct):
    """The state. Each table by name, with what is beyond :data:`MOST` under :data:`OTHER`."""

    calls: dict[str, Use] = {}
    refusals: dict[str, int] = {}
    """By code."""
    egress: dict[str, Reach] = {}
    """By unit."""
    plugins: dict[str, int] = {}
    """Failures of hooks by plugin."""


def _step(state: Totals, record: Record, data: Data) -> Totals:
    kind = record.event.type
    facts = said(record, data)
    if not facts:
        return state
    if kind in _REFUSALS:
        code = _name(state.refusals, text(facts.get("code")) or kind)
        state.refusals[code] = state.refusals.get(code, 0) + max(1, amount(facts.get("tries")))
    if kind in ENDS and (action := text(facts.get("action"))):
        name = _name(state.calls, action)
        state.calls[name] = used(state.calls.get(name) or Use(name), ENDS[kind], facts, record.event.time)
    elif kind in {"egress.allowed", "egress.denied"}:
        unit = _name(state.egress, text(facts.get("unit")) or OTHER)
        state.egress[unit] = _reached(state.egress.get(unit, Reach()), kind, facts)
    elif kind == "plugin.failed":
        plugin = _name(state.plugins, text(record.event.subject) or OTHER)
        state.plugins[plugin] = state.plugins.get(plugin, 0) + 1
    return state


def _name(table: Mapping[str, Any], name: str) -> str:
    """The name, while it has a place or there is one."""
    return name if name in table or len(table) < MOST else OTHER


def _reached(before: Reach, kind: str, facts: Mapping[str, Any]) -> Reach:
    tries = max(1, amount(facts.get("tries")))
    outcome = "denied" if kind == "egress.denied" else "failed" if "code" in facts else "allowed"
    return msgspec.structs.replace(
        before,
        sent=before.sent + amount(facts.get("sent")),
        received=before.received + amount(facts.get("received")),
        **{outcome: getattr(before, outcome) + tries},
    )


def totals() -> Model[Totals]:
    """The fold."""
    return Model("metrics", 1, ("action.", "lease.", "egress.", "plugin."), Totals, _step, msgspec.to_builtins)
