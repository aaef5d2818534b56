"""The read model ``actions``: how often each action was called, how it ended, and how long that took."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from remit.host.models.model import Data, Model, amount, said, text
from remit.journal import Record

__all__ = ["BOUNDS_US", "ENDS", "Calls", "Use", "actions", "quantile", "used"]

BOUNDS_US: Final = (100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
                    1_000_000, 2_500_000, 5_000_000, 10_000_000)  # fmt: skip
"""Upper bounds of the buckets of durations, in microseconds; one more bucket is without bound."""
_MOST = 2_000
_MOST_CODES = 16
ENDS: Final = {"action.completed": "completed", "action.failed": "failed", "action.denied": "denied"}
"""How a call ends, by the record that says so."""


class Use(msgspec.Struct, frozen=True):
    """What became of the calls of one action."""

    action: str
    unit: str = ""
    completed: int = 0
    failed: int = 0
    denied: int = 0
    total_us: int = 0
    buckets: tuple[int, ...] = (0,) * (len(BOUNDS_US) + 1)
    """Calls by duration, as :data:`BOUNDS_US` divides it; refused ones are in none."""
    codes: dict[str, int] = {}
    """How often each code was the end."""
    last: str = ""
    """RFC 3339 time of the newest call."""


class Calls(msgspec.Struct):
    """The state: uses by action, the least recently called first."""

    by_action: dict[str, Use] = {}


def _step(state: Calls, record: Record, data: Data) -> Calls:
    end = ENDS.get(record.event.type)
    facts = said(record, data) if end else {}
    name = text(facts.get("action"))
    if end is None or not name:
        return state
    before = state.by_action.pop(name, None) or Use(name)
    state.by_action[name] = used(before, end, facts, record.event.time)
    if len(state.by_action) > _MOST:
        del state.by_action[next(iter(state.by_action))]
    return state


def used(before: Use, end: str, facts: Mapping[str, Any], time: str) -> Use:
    """A use with one more call in it.

    :param end: one of the values of :data:`ENDS`
    """
    took, buckets = 0, before.buckets
    if end != "denied":
        took = amount(facts.get("duration_us"))
        place = bisect_left(BOUNDS_US, took)
        buckets = (*buckets[:place], buckets[place] + 1, *buckets[place + 1 :])
    return Use(
        before.action,
        text(facts.get("unit")),
        before.completed + (end == "completed"),
        before.failed + (end == "failed"),
        before.denied + (end == "denied"),
        before.total_us + took,
        buckets,
        _counted(before.codes, text(facts.get("code"))),
        time,
    )


def _counted(codes: dict[str, int], code: str) -> dict[str, int]:
    if not code or (code not in codes and len(codes) >= _MOST_CODES):
        return codes
    return {**codes, code: codes.get(code, 0) + 1}


def quantile(use: Use, share: float) -> int | None:
    """The bound in microseconds below which this share of the calls ended; ``None`` beyond the last, or without any."""
    wanted, seen = sum(use.buckets) * share, 0
    for bound, count in zip(BOUNDS_US, use.buckets, strict=False):
        seen += count
        if seen and seen >= wanted:
            return bound
    return None


def _show(state: Calls) -> object:
    return [
        msgspec.to_builtins(use) | {"p50_us": quantile(use, 0.5), "p99_us": quantile(use, 0.99)}
        for _, use in sorted(state.by_action.items())
    ]


def actions() -> Model[Calls]:
    """The fold."""
    return Model("actions", 1, ("action.",), Calls, _step, _show)
