"""The façade's part for timers: what is to be said later, once or again and again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, TypeVar

from remit.host.delivery import Timer
from remit.journal import Progress, no_progress
from remit.kernel.model import Caller

__all__ = ["Timing"]

T = TypeVar("T")
_LOCAL = Caller()


class Timing(ABC):
    """Mixed into the façade."""

    @abstractmethod
    def perform(
        self, operation: str, arguments: Mapping[str, Any], result: type[T], *, caller: Caller, progress: Progress
    ) -> T:
        """Do one operation by name; the typed methods below are its callers."""

    def set_timer(
        self,
        name: str,
        topic: str,
        data: Any = None,
        *,
        after_ms: int | None = None,
        at_ms: int | None = None,
        cron: str = "",
        zone: str = "UTC",
        caller: Caller = _LOCAL,
    ) -> Timer:
        """Emit an event later: after a while, at a time (Unix milliseconds), or at each time that ``cron`` names.

        The timer survives restarts. What was due while no kernel ran is said once, at the next start. Policy is asked
        when it is set, and again at each firing. A timer of the same name is replaced.

        :param name: lower-case letters, digits, dots and hyphens
        :param data: up to 2 KiB
        :param cron: minute, hour, day of the month, month, day of the week
        :param zone: the time zone that ``cron`` means
        :raises UsageError: if not exactly one of the three times is given, or it is none
        """
        arguments = {
            "name": name, "topic": topic, "data": data, "after_ms": after_ms, "at_ms": at_ms, "cron": cron,
            "zone": zone,
        }  # fmt: skip
        return self.perform("set_timer", arguments, Timer, caller=caller, progress=no_progress)

    def cancel_timer(self, name: str, *, caller: Caller = _LOCAL) -> None:
        """End a timer.

        :raises TimerUnknown: if there is none of this name
        """
        self.perform("cancel_timer", {"name": name}, object, caller=caller, progress=no_progress)

    def timers(self, *, caller: Caller = _LOCAL) -> list[Timer]:
        """Every timer, the next one first."""
        return self.perform("timers", {}, list[Timer], caller=caller, progress=no_progress)
