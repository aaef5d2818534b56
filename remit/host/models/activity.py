"""The read model ``activity``: how many calls ended, and how, in each ten seconds in which any did."""

from __future__ import annotations

import msgspec

from remit.host.models.calls import ENDS
from remit.host.models.model import Data, Model
from remit.journal import Record

__all__ = ["Activity", "activity"]

_MOST = 1_000
_STEP = len("2026-01-01T00:00:0")
"""Of an RFC 3339 time in UTC, what those of the same ten seconds have in common."""


class Activity(msgspec.Struct):
    """The state: completed, failed and denied calls by the beginning of their times, the oldest first."""

    by_step: dict[str, tuple[int, int, int]] = {}


def _step(state: Activity, record: Record, _data: Data) -> Activity:
    end = ENDS.get(record.event.type)
    if end is None or not record.from_kernel:
        return state
    step = record.event.time[:_STEP]
    completed, failed, denied = state.by_step.get(step, (0, 0, 0))
    state.by_step[step] = (completed + (end == "completed"), failed + (end == "failed"), denied + (end == "denied"))
    if len(state.by_step) > _MOST:
        del state.by_step[next(iter(state.by_step))]
    return state


def _show(state: Activity) -> object:
    return [
        {"at": f"{step}0Z", "completed": completed, "failed": failed, "denied": denied}
        for step, (completed, failed, denied) in sorted(state.by_step.items())
    ]


def activity() -> Model[Activity]:
    """The fold."""
    return Model("activity", 1, ("action.",), Activity, _step, _show)
