"""Timers fire once, whatever is killed when; what was missed is said once; policy is asked each time."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from remit.errors import Denied, DiskFull, EventInvalid, SourceReserved, TimersExceeded, TimerUnknown, UsageError
from remit.host import Kernel
from remit.host.delivery import Scheduler, Timer, TimersFold, next_time, scheduler
from remit.journal import Folds
from tests.journal.simulators import START_MS, SimClock, SimIds, temporary_journal

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


def made(name, due_ms, **facts):
    facts = {"topic": "report.due", "by": "user:local", "source": "//h/client/c"} | facts
    return Timer(name=name, due_ms=due_ms, **facts)


class Desk:
    """A journal with a scheduler whose turns are taken by hand."""

    def __init__(self, journal):
        self.journal = journal
        self.clock = SimClock()
        self.denied = None
        self.restart()

    def restart(self):
        self.folds = Folds(self.journal, [TimersFold()])
        self.scheduler = Scheduler(self.journal, self.folds, self.clock, SimIds("X"), lambda _who, _topic: self.denied)

    def said(self, prefix="report."):
        return [record for record in self.journal.read(0) if record.event.type.startswith(prefix)]

    def fired(self):
        return [self.journal.data(record) for record in self.said("timer.fired")]


@pytest.fixture
def desk():
    with temporary_journal() as journal:
        yield Desk(journal)


def at(text, zone=UTC):
    return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()) * 1_000


@pytest.mark.parametrize(("cron", "zone", "after", "expected"), [
    ("0 9 * * 1-5", "UTC", "2026-11-20T09:00", "2026-11-23T09:00"),
    ("*/15 * * * *", "UTC", "2026-11-20T09:07", "2026-11-20T09:15"),
    ("0 0 29 2 *", "UTC", "2026-01-01T00:00", "2028-02-29T00:00"),
    ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", "2026-03-29T01:00"),  # 02:30 is left out that night
    ("30 2 * * *", "Europe/Berlin", "2026-10-25T00:30", "2026-10-26T01:30"),  # 02:30 comes twice that night
])  # fmt: skip
def test_cron_names_the_next_time(cron, zone, after, expected):
    assert next_time(cron, zone, at(after)) == at(expected)


@pytest.mark.parametrize("cron", [
    "", "* * * *", "* * * * * *", "61 * * * *", "a b c d e", "* * * * " + "1," * 200 + "1", "0 0 31 2 *", "\0 * * * *",
])  # fmt: skip
def test_what_is_no_cron_expression_is_refused(cron):
    with pytest.raises(UsageError):
        next_time(cron, "UTC", START_MS)


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "../../etc/passwd", "/etc/passwd", "America", "a\0b", "x" * 999])
def test_what_is_no_zone_is_refused(zone):
    with pytest.raises(UsageError):
        next_time("* * * * *", zone, START_MS)


@settings(max_examples=200)
@given(st.text(max_size=30), st.integers(0, 4 * 10**12))
def test_any_text_is_a_cron_expression_or_refused(text, after_ms):
    try:
        found = next_time(text, "UTC", after_ms)
    except UsageError:
        return
    assert found is None or found > after_ms - 1_000


def test_a_timer_fires_once_in_one_transaction_with_its_event(desk):
    desk.scheduler.set(made("once", START_MS + HOUR, data={"n": 1}, namespace="side"))
    assert desk.scheduler.turn() == START_MS + HOUR
    assert desk.said() == []
    desk.clock.advance(HOUR)
    assert desk.scheduler.turn() is None
    fired, event = [*desk.said("timer.fired"), *desk.said()]
    assert (event.seq, event.namespace, event.event.source) == (fired.seq + 1, "side", "//h/client/c")
    assert (event.event.causationid, event.event.correlationid) == (fired.event.id, fired.event.id)
    assert desk.journal.data(event) == {"n": 1}
    desk.restart()
    desk.scheduler.turn()
    assert len(desk.said()) == 1


def test_what_was_missed_is_said_once_and_counted(desk):
    due = next_time("0 * * * *", "UTC", START_MS)
    desk.scheduler.set(made("hourly", due, cron="0 * * * *"))
    desk.clock.advance(due - START_MS + 5 * HOUR + MINUTE)
    assert desk.scheduler.turn() == due + 6 * HOUR
    [facts] = desk.fired()
    assert (facts["skipped"], facts["next_ms"]) == (5, due + 6 * HOUR)
    assert len(desk.said()) == 1
    desk.clock.advance(10_000 * HOUR)
    desk.scheduler.turn()
    assert desk.fired()[1]["skipped"] == 1_000
    [timer] = desk.folds.view("timers")
    assert (timer["fired"], timer["skipped"]) == (2, 1_005)


def test_policy_is_asked_at_each_firing(desk):
    desk.scheduler.set(made("hourly", START_MS, cron="0 * * * *"))
    desk.denied = Denied("no")
    desk.scheduler.turn()
    assert desk.said() == []
    assert [one["code"] for one in desk.fired()] == [Denied.code]
    desk.denied = None
    desk.clock.advance(HOUR)
    desk.scheduler.turn()
    assert len(desk.said()) == 1
    assert desk.folds.view("timers")[0]["refused"] == 1


def test_a_timer_that_cannot_be_written_fires_later(desk, monkeypatch):
    desk.scheduler.set(made("once", START_MS))

    def full(*_arguments, **_named):
        raise DiskFull("no room")

    with monkeypatch.context() as patch:
        patch.setattr(desk.journal, "append", full)
        with pytest.raises(DiskFull):
            desk.scheduler.turn()
    desk.scheduler.turn()
    assert len(desk.said()) == 1


def test_there_is_an_end_to_timers(desk, monkeypatch):
    monkeypatch.setattr(scheduler, "_MOST", 2)
    for name in ("a", "b", "a"):
        desk.scheduler.set(made(name, START_MS + DAY))
    with pytest.raises(TimersExceeded):
        desk.scheduler.set(made("c", START_MS))
    with pytest.raises(TimerUnknown):
        desk.scheduler.cancel("c", "user:local")


class Timers(RuleBasedStateMachine):
    """Set, cancelled, restarted: each one-shot timer that was not cancelled or replaced fires once, never early."""

    def __init__(self):
        super().__init__()
        self.stack = ExitStack()
        self.desk = Desk(self.stack.enter_context(temporary_journal()))
        self.set = {}
        self.expected = []
        self.count = 0

    def teardown(self):
        self.stack.close()

    @rule(name=st.sampled_from("abc"), after=st.integers(-HOUR, HOUR))
    def setting(self, name, after):
        self.count += 1
        self.set[name] = (self.desk.clock.now_ms() + after, self.count)
        self.desk.scheduler.set(made(name, self.set[name][0], data=self.count))

    @rule(name=st.sampled_from("abc"))
    def cancelling(self, name):
        if self.set.pop(name, None) is None:
            with pytest.raises(TimerUnknown):
                self.desk.scheduler.cancel(name, "user:local")
        else:
            self.desk.scheduler.cancel(name, "user:local")

    @rule(ms=st.integers(0, HOUR))
    def waiting(self, ms):
        self.desk.clock.advance(ms)
        due = {name: one for name, one in self.set.items() if one[0] <= self.desk.clock.now_ms()}
        self.expected += [number for _, number in sorted(due.values())]
        self.set = {name: one for name, one in self.set.items() if name not in due}
        assert self.desk.scheduler.turn() == min((when for when, _ in self.set.values()), default=None)

    @rule()
    def killing(self):
        self.desk.restart()

    @invariant()
    def what_was_said_is_what_was_due(self):
        assert sorted(self.desk.journal.data(record) for record in self.desk.said()) == sorted(self.expected)


TestTimers = Timers.TestCase
TestTimers.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)


def test_the_facade_sets_lists_and_cancels(home):
    with Kernel.open(home, serve=False) as kernel:
        soon = kernel.set_timer("soon", "report.due", {"n": 1}, after_ms=1)
        record = next(kernel.follow(0, prefixes=["report.due"]))
        assert record["event"]["data"] == {"n": 1}
        [fired] = kernel.events(prefixes=["timer.fired"])
        assert fired["event"]["data"]["due_ms"] == soon.due_ms
        daily = kernel.set_timer("daily", "report.due", cron="0 9 * * *", zone="Europe/Berlin")
        assert kernel.timers() == [daily]
        assert kernel.state("timers")[0]["name"] == "daily"
    with Kernel.open(home, serve=False) as kernel:
        assert kernel.timers() == [daily]
        kernel.cancel_timer("daily")
        assert kernel.timers() == []
        with pytest.raises(TimerUnknown):
            kernel.cancel_timer("daily")


@pytest.mark.parametrize(("topic", "facts", "error"), [
    ("report.due", {}, UsageError), ("report.due", {"after_ms": 1, "at_ms": 1}, UsageError),
    ("report.due", {"at_ms": 10**17}, UsageError), ("report.due", {"after_ms": -(10**14)}, UsageError),
    ("report.due", {"cron": "0 0 30 2 *"}, UsageError), ("unit.applied", {"after_ms": 1}, SourceReserved),
    ("timer.fired", {"after_ms": 1}, SourceReserved), ("Report", {"after_ms": 1}, EventInvalid),
    ("report.due", {"after_ms": 1, "data": "x" * 3_000}, EventInvalid),
])  # fmt: skip
def test_what_cannot_be_said_later_is_refused_now(home, topic, facts, error):
    with Kernel.open(home, serve=False) as kernel:
        with pytest.raises(error):
            kernel.set_timer("t", topic, **facts)
        with pytest.raises(UsageError):
            kernel.set_timer("No Name", "report.due", after_ms=1)


def test_policy_decides_what_may_be_said_later(home):
    (home / "policy" / "quiet.cedar").write_text(
        '@id("quiet")\n@why("reports are no one\'s")\nforbid (principal, action == Remit::Action::"event:emit", '
        'resource in Remit::Topic::"report");\n'
    )
    with Kernel.open(home, serve=False) as kernel:
        with pytest.raises(Denied):
            kernel.set_timer("t", "report.due", after_ms=1)
        kernel.set_timer("t", "other.due", at_ms=START_MS * 2)
        with pytest.raises(Denied):
            kernel.set_timer("t", "report.due", after_ms=1)
        assert [one.topic for one in kernel.timers()] == ["other.due"]
