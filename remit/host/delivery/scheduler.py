"""Fires timers: each firing is one transaction of ``timer.fired`` and the event that the timer says, so once only.

Which timers there are is in the journal alone (:mod:`remit.host.delivery.timers`). What was due while no kernel ran is
said once, late.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

import msgspec

from remit.errors import Denied, RemitError, TimersExceeded, TimerUnknown
from remit.host.delivery.timers import Timer, TimersFold, next_time
from remit.journal import Clock, Draft, Folds, Ids, Journal

__all__ = ["Scheduler"]

_log = logging.getLogger(__name__)
_MOST = 10_000
_AT_ONCE = 100
_MOST_SKIPPED = 1_000
"""Missed times are counted so far."""
_LONGEST_TURN_S = 5.0
"""The wall clock may be set; it is looked at this often at least."""
_PAUSE_MS = 1_000

Allowed = Callable[[str, str], Denied | None]
"""Whether a principal may emit on a topic now; if not, why."""


class Scheduler:
    """The timers of one kernel. Safe for many threads."""

    def __init__(self, journal: Journal, folds: Folds, clock: Clock, ids: Ids, allowed: Allowed) -> None:
        self._journal = journal
        self._folds = folds
        self._clock = clock
        self._ids = ids
        self._allowed = allowed
        self._changing = threading.Lock()
        self._awake = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="remit-timers", daemon=True)

    def start(self) -> None:
        """Fire from now on, what is late first."""
        self._thread.start()

    def close(self) -> None:
        """Fire no more; the next start does."""
        self._closing = True
        self._awake.set()
        if self._thread.is_alive():
            self._thread.join()

    def find(self, name: str) -> Timer | None:
        """The timer of this name."""
        by_name: dict[str, Timer] = self._folds.state(TimersFold.name).by_name
        return by_name.get(name)

    def set(self, timer: Timer) -> None:
        """Set a timer, in the place of one of the same name.

        :raises TimersExceeded: if there are too many
        """
        with self._changing:
            known = self._folds.state(TimersFold.name).by_name
            if len(known) >= _MOST and timer.name not in known:
                raise TimersExceeded(f"{_MOST} timers are set; one home has no more")
            facts = msgspec.to_builtins(timer)
            for counted in ("namespace", "fired", "skipped", "refused"):
                del facts[counted]
            draft = Draft(type="timer.set", subject=timer.name, data=facts)
            self._journal.append([draft], namespace=timer.namespace)
        self._awake.set()

    def cancel(self, name: str, by: str) -> None:
        """End a timer.

        :raises TimerUnknown: if there is none of this name
        """
        with self._changing:
            timer = self.find(name)
            if timer is None:
                raise TimerUnknown(f"there is no timer {name[:100]!r}")
            draft = Draft(type="timer.cancelled", subject=name, data={"name": name, "by": by})
            self._journal.append([draft], namespace=timer.namespace)

    def turn(self) -> int | None:
        """Fire what is due; give when the next one is (Unix milliseconds), or ``None``."""
        with self._changing:
            now = self._clock.now_ms()
            timers = sorted(self._folds.state(TimersFold.name).by_name.values(), key=lambda one: one.due_ms)
            due = [one for one in timers if one.due_ms <= now][:_AT_ONCE]
            for namespace in {one.namespace for one in due}:
                drafts = [draft for one in due if one.namespace == namespace for draft in self._fire(one, now)]
                self._journal.append(drafts, namespace=namespace)
            left = self._folds.state(TimersFold.name).by_name.values() if due else timers
            return min((one.due_ms for one in left), default=None)

    def _fire(self, timer: Timer, now: int) -> Sequence[Draft]:
        skipped, following = _following(timer, now)
        denied = self._allowed(timer.by, timer.topic)
        fired = self._ids.new()
        facts = {
            "name": timer.name, "topic": timer.topic, "due_ms": timer.due_ms, "skipped": skipped,
            "next_ms": following, "code": denied.code if denied is not None else "",
        }  # fmt: skip
        said = Draft(type="timer.fired", id=fired, subject=timer.name, data=facts, correlation=fired)
        if denied is not None:
            return [said]
        event = Draft(type=timer.topic, data=timer.data, source=timer.source, correlation=fired, causation=fired)
        return [said, event]

    def _run(self) -> None:
        while not self._closing:
            self._awake.clear()
            try:
                due = self.turn()
            except RemitError:
                _log.exception("a timer could not fire")
                due = self._clock.now_ms() + _PAUSE_MS
            wait_s = _LONGEST_TURN_S if due is None else max(due - self._clock.now_ms(), 0) / 1_000
            self._awake.wait(min(wait_s, _LONGEST_TURN_S))


def _following(timer: Timer, now: int) -> tuple[int, int | None]:
    """How many times of a timer passed between the one that is due and now, and the first one after now."""
    if not timer.cron:
        return 0, None
    passed, at = 0, next_time(timer.cron, timer.zone, timer.due_ms)
    while at is not None and at <= now:
        passed += 1
        at = next_time(timer.cron, timer.zone, at if passed < _MOST_SKIPPED else now)
    return passed, at
