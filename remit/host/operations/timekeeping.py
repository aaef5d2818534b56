"""What the façade's operations on timers do.

One method an operation, by the same name, as in :mod:`remit.host.operations.operations`, which this is a part of.
"""

from __future__ import annotations

import os
import re
from typing import Any

from remit.errors import EventInvalid, TimerUnknown, UsageError
from remit.host.delivery import Timer, TimersFold, next_time
from remit.host.operations.governance import Context, Governance
from remit.journal import Draft, check_topic
from remit.journal.event import client_source, encode_data
from remit.kernel.model import EntityRef

__all__ = ["Timekeeping"]

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,63}")
_MOST_DATA = 2_048
_LATEST_MS = 253_402_300_799_000
"""The end of the year 9999: no calendar here goes further."""


class Timekeeping(Governance):
    """See the façade's :class:`remit.host.facade.timing.Timing`."""

    def set_timer(
        self, context: Context, name: str, topic: str, data: Any, after_ms: int | None, at_ms: int | None, cron: str,
        zone: str,
    ) -> Timer:  # fmt: skip
        if not _NAME.fullmatch(name):
            raise UsageError(f"{name[:100]!r} is not a name", remedy="use lower-case letters, digits, dots and hyphens")
        check_topic(topic)
        if len(encode_data(Draft(type=topic, data=data))) > _MOST_DATA:
            raise EventInvalid(f"a timer's event carries up to {_MOST_DATA} bytes", remedy="give it a reference")
        rooms, caller = self._rooms, context.caller
        self._allow(context, "event:emit", EntityRef("Topic", topic))
        replaced = rooms.scheduler.find(name)
        if replaced is not None:
            self._allow(context, "event:emit", EntityRef("Topic", replaced.topic))
        timer = Timer(
            name=name,
            topic=topic,
            data=data,
            due_ms=_due(rooms.home.clock.now_ms(), after_ms, at_ms, cron, zone),
            cron=cron,
            zone=zone,
            by=caller.principal,
            source=client_source(rooms.home.id, caller.client or str(os.getpid())),
            namespace=caller.namespace,
        )
        rooms.scheduler.set(timer)
        return timer

    def cancel_timer(self, context: Context, name: str) -> None:
        timer = self._rooms.scheduler.find(name)
        if timer is None:
            raise TimerUnknown(f"there is no timer {name[:100]!r}")
        self._allow(context, "event:emit", EntityRef("Topic", timer.topic))
        self._rooms.scheduler.cancel(name, context.caller.principal)

    def timers(self, _context: Context) -> list[Timer]:
        return sorted(self._rooms.folds.state(TimersFold.name).by_name.values(), key=lambda one: one.due_ms)


def _due(now: int, after_ms: int | None, at_ms: int | None, cron: str, zone: str) -> int:
    if (after_ms is not None) + (at_ms is not None) + bool(cron) != 1:
        raise UsageError("a timer needs one time: after a while, at a time, or by cron", remedy="give one of them")
    due = next_time(cron, zone, now) if cron else at_ms if at_ms is not None else now + (after_ms or 0)
    if due is None or not 0 <= due <= _LATEST_MS:
        raise UsageError("there is no such time", remedy="choose one before the year 10000")
    return due
