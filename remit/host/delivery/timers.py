"""Timers as a fold of the journal: what each will say, when it is due next, and what it did so far.

When they fire is decided elsewhere (:mod:`remit.host.delivery.scheduler`); each firing's record names the next.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from remit.errors import UsageError
from remit.journal import Record

__all__ = ["Timer", "TimersFold", "next_time"]

_FIELDS = 5
_LONGEST_CRON = 100


class Timer(msgspec.Struct, frozen=True, kw_only=True):
    """A timer that will fire."""

    name: str
    topic: str
    data: Any = None
    due_ms: int
    """When it fires next (Unix milliseconds)."""
    cron: str = ""
    """When it fires again, or "" for once."""
    zone: str = "UTC"
    by: str
    """The principal that set it, in whose name it speaks."""
    source: str
    namespace: str = "main"
    fired: int = 0
    skipped: int = 0
    """Times that passed while no kernel ran."""
    refused: int = 0
    """Firings at which policy did not let it speak."""


class Timers(msgspec.Struct, frozen=True):
    """Every timer by name."""

    by_name: Mapping[str, Timer] = {}


class TimersFold:
    """Folds ``timer.*``."""

    name = "timers"
    version = 1
    topics: tuple[str, ...] = ("timer.",)

    def init(self) -> Timers:
        """No timers."""
        return Timers()

    def apply(self, state: Timers, records: Sequence[Record], data: Callable[[Record], Any]) -> Timers:
        """Follow the records."""
        found = dict(state.by_name)
        for record in records:
            if record.from_kernel:
                _follow(found, record, data(record))
        return Timers(found)

    def snapshot(self, state: Timers) -> bytes:
        """The timers as JSON."""
        return msgspec.json.encode(state)

    def restore(self, data: bytes) -> Timers:
        """What :meth:`snapshot` wrote."""
        return msgspec.json.decode(data, type=Timers)

    def view(self, state: Timers) -> object:
        """The timers, the next one first."""
        return [msgspec.to_builtins(one) for one in sorted(state.by_name.values(), key=lambda one: one.due_ms)]


def _follow(found: dict[str, Timer], record: Record, facts: Any) -> None:
    name = facts["name"]
    match record.event.type:
        case "timer.set":
            found[name] = msgspec.convert(facts | {"namespace": record.namespace}, Timer)
        case "timer.cancelled":
            found.pop(name, None)
        case "timer.fired" if name in found:
            if facts["next_ms"] is None:
                del found[name]
                return
            before = found[name]
            found[name] = msgspec.structs.replace(
                before,
                due_ms=facts["next_ms"],
                fired=before.fired + 1,
                skipped=before.skipped + facts["skipped"],
                refused=before.refused + bool(facts["code"]),
            )


def next_time(cron: str, zone: str, after_ms: int) -> int | None:
    """The first time after ``after_ms`` (Unix milliseconds) that a cron expression names; ``None`` if there is none.

    Five fields, as in Debian's cron: minute, hour, day of the month, month, day of the week. At the change to and from
    summer time it does what cron does: a time that is left out is made up for, one that comes twice counts once.

    :raises UsageError: if the expression or the zone is none
    """
    from cronsim import CronSim, CronSimError  # noqa: PLC0415 - only who has timers pays for it

    try:
        there = UTC if zone == "UTC" else ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        raise UsageError(f"{zone[:80]!r} is not a time zone", remedy="use a name like Europe/Berlin") from None
    if len(cron) > _LONGEST_CRON or len(cron.split()) != _FIELDS:
        raise _no_cron(cron, "it has five fields")
    try:
        found = next(CronSim(cron, datetime.fromtimestamp(after_ms // 1_000, there)))
    except CronSimError as error:
        raise _no_cron(cron, str(error)) from None
    except (StopIteration, OverflowError, ValueError):
        return None  # the 30th of February, or beyond what a calendar holds
    return int(found.timestamp()) * 1_000


def _no_cron(cron: str, why: str) -> UsageError:
    return UsageError(
        f"{cron[:_LONGEST_CRON]!r} is not a cron expression: {why}",
        remedy="use minute, hour, day, month and weekday, like '0 9 * * 1-5'",
    )
