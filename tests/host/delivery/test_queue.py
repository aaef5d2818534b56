"""Durable deliveries: nothing is lost or forgotten, whatever answers come and wherever the kernel is killed."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from remit.errors import SourceReserved, SubscriptionUnknown, UnitFailed, UsageError
from remit.host.delivery import Queues, SubscriptionsFold
from remit.host.delivery.model import Settled
from remit.host.delivery.queue import backoff_ms
from remit.journal import Draft, Filter, Folds
from tests.journal.simulators import SimClock, SimIds, temporary_journal

WANTED = Filter(topics=("job.made",))


class Desk:
    """A journal with queues on it, which can be restarted."""

    def __init__(self, journal):
        self.journal = journal
        self.clock = SimClock()
        self.restart()

    def restart(self):
        """What a new process would see: the journal, and nothing of the memory."""
        self.journal._observers = ()
        self.folds = Folds(self.journal, [SubscriptionsFold()])
        self.queues = Queues(self.journal, self.folds, self.clock, SimIds())

    def say(self, count=1, topic="job.made", **attributes):
        drafts = [Draft(type=topic, source="//h/client/c", data=n, **attributes) for n in range(count)]
        return [record.seq for record in self.journal.append(drafts)]

    def settle(self, queue, delivery, outcome, **facts):
        claimed = queue.claim(delivery.seq, delivery.lease)
        assert claimed is not None
        if outcome == "done":
            settled = Settled(claimed.seq, "done", claimed.attempt)
        else:
            settled = queue.failed(claimed, UnitFailed("no"), **facts)
        self.journal.append([queue.draft([settled])])

    def both_say_the_same(self):
        for name, state in self.folds.state("subscriptions").by_name.items():
            assert self.queues.get(name).state == state


@pytest.fixture
def desk():
    with temporary_journal() as journal:
        yield Desk(journal)


def opened(desk, attempts=3, wanted=WANTED):
    return desk.queues.open("work", wanted, attempts, desk.journal.head.seq, "local")


class Working(RuleBasedStateMachine):
    """Events, workers that answer in every way or not at all, time that passes, kernels that die."""

    @initialize(window=st.integers(2, 5))
    def begin(self, window):
        self.undo = ExitStack()
        patch = self.undo.enter_context(pytest.MonkeyPatch.context())
        patch.setattr("remit.host.delivery.queue._WINDOW", window)
        self.desk = Desk(self.undo.enter_context(temporary_journal()))
        opened(self.desk)
        self.said, self.done, self.dead, self.attempts = [], [], [], {}

    @property
    def queue(self):
        return self.desk.queues.get("work")

    @rule(count=st.integers(1, 6))
    def say(self, count):
        self.said += self.desk.say(count)

    @rule()
    def noise(self):
        self.desk.say(3, "other.thing")

    @rule()
    def die(self):
        self.desk.restart()

    @rule(ms=st.sampled_from([500, 10_000]))
    def wait(self, ms):
        self.desk.clock.advance(ms)

    def taken(self, count, lease_ms):
        for one in self.queue.take(count, lease_ms):
            assert one.seq in self.said
            assert one.seq not in self.done + self.dead
            assert one.attempt == self.attempts.get(one.seq, 0) + 1
            yield one

    def failed(self, one, *, final=False):
        self.attempts[one.seq] = one.attempt
        if final or one.attempt == 3:
            self.dead.append(one.seq)

    @rule(count=st.integers(1, 3))
    def forget(self, count):
        for one in self.taken(count, 1_000):
            self.failed(one)
        self.desk.clock.advance(1_000)
        self.queue.take(0, 1_000)

    @rule(count=st.integers(1, 4))
    def succeed(self, count):
        for one in self.taken(count, 60_000):
            self.desk.settle(self.queue, one, "done")
            self.done.append(one.seq)

    @rule(count=st.integers(1, 4), final=st.booleans())
    def fail(self, count, final):
        for one in self.taken(count, 60_000):
            self.desk.settle(self.queue, one, "failed", final=final)
            self.failed(one, final=final)

    @invariant()
    def memory_is_what_the_journal_says(self):
        self.desk.both_say_the_same()

    def teardown(self):
        for _ in range(100):
            self.succeed(10)
            self.desk.clock.advance(60_000)
        state = self.queue.state
        assert sorted(self.done + self.dead) == self.said
        assert sorted(state.dead) == sorted(self.dead)
        assert not state.retrying
        assert (state.delivered, state.buried) == (len(self.done), len(self.dead))
        assert self.queue.status()["waiting"] == self.queue.status()["running"] == 0
        self.undo.close()


TestEveryEventIsDeliveredUntilItIsDoneOrDead = Working.TestCase
Working.TestCase.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)


def test_higher_priority_comes_first_then_the_older(desk):
    queue = opened(desk)
    low = desk.say(2)
    high = desk.say(2, priority=9)
    assert [one.seq for one in queue.take(4, 1_000)] == high + low


def test_what_is_held_is_given_to_nobody_else(desk):
    queue = opened(desk)
    seqs = desk.say(3)
    assert [one.seq for one in queue.take(2, 1_000) + queue.take(2, 1_000)] == seqs
    assert queue.take(2, 1_000) == []


def test_a_lease_can_be_extended_and_an_old_one_decides_nothing(desk):
    queue = opened(desk)
    desk.say()
    [first] = queue.take(1, 1_000)
    assert queue.extend(first.seq, first.lease, 5_000)
    desk.clock.advance(3_000)
    assert queue.take(1, 1_000) == []
    desk.clock.advance(3_000)
    [second] = queue.take(1, 1_000)
    assert second.attempt == 2
    assert queue.claim(first.seq, first.lease) is None
    assert not queue.extend(first.seq, first.lease, 5_000)
    assert queue.claim(second.seq, "") is None
    desk.settle(queue, second, "done")


def test_a_released_delivery_did_not_count(desk):
    queue = opened(desk, attempts=1)
    desk.say()
    [first] = queue.take(1, 1_000)
    queue.release(first, 500)
    assert queue.take(1, 1_000) == []
    desk.clock.advance(500)
    [again] = queue.take(1, 1_000)
    assert again.attempt == 1


def test_retries_wait_twice_as_long_each_time_unless_told_how_long(desk):
    assert [backoff_ms(attempts) for attempts in (1, 2, 3, 9, 10, 90)] == [
        1_000,
        2_000,
        4_000,
        256_000,
        300_000,
        300_000,
    ]
    queue = opened(desk)
    desk.say()
    [one] = queue.take(1, 1_000)
    desk.settle(queue, one, "failed", after_ms=7_000)
    assert queue.due_ms() == desk.clock.now_ms() + 7_000
    desk.clock.advance(6_999)
    assert queue.take(1, 1_000) == []
    desk.clock.advance(1)
    assert [again.attempt for again in queue.take(1, 1_000)] == [2]


def test_dead_letters_are_replayed_with_all_their_attempts(desk):
    queue = opened(desk, attempts=1)
    [seq] = desk.say()
    [one] = queue.take(1, 1_000)
    desk.settle(queue, one, "failed")
    assert queue.state.dead[seq].code == UnitFailed.code
    desk.say(5, "other.thing")
    desk.restart()
    queue = desk.queues.get("work")
    assert queue.take(5, 1_000) == []
    desk.journal.append([Draft(type="bus.replayed", data={"subscription": "work", "seqs": [seq, 9_999]})])
    assert [(one.seq, one.attempt) for one in queue.take(5, 1_000)] == [(seq, 1)]
    desk.both_say_the_same()
    desk.restart()
    assert [(one.seq, one.attempt) for one in desk.queues.get("work").take(5, 1_000)] == [(seq, 1)]


def test_what_nobody_but_the_kernel_says_of_a_subscription_moves_nothing(desk):
    queue = opened(desk)
    [seq] = desk.say()
    forged = {"subscription": "work", "position": 10**9, "settled": []}
    with pytest.raises(SourceReserved):
        desk.journal.append([Draft(type="bus.settled", source="//h/client/c", data=forged)])
    assert [one.seq for one in queue.take(1, 1_000)] == [seq]


def test_a_name_is_one_subscription(desk):
    queue = opened(desk)
    assert desk.queues.open("work", WANTED, 9, 0, "local") is queue
    with pytest.raises(UsageError):
        desk.queues.open("work", Filter(prefixes=("a.",)), 3, 0, "local")
    desk.queues.close("work", "local")
    with pytest.raises(SubscriptionUnknown):
        desk.queues.get("work")
    with pytest.raises(SubscriptionUnknown):
        desk.queues.close("work", "local")
    assert opened(desk) is not queue


def test_what_the_bus_says_is_never_delivered(desk):
    queue = desk.queues.open("all", Filter(), 3, desk.journal.head.seq, "local")
    desk.say()
    [one] = queue.take(9, 1_000)
    desk.settle(queue, one, "done")
    assert queue.take(9, 1_000) == []


def test_a_long_search_is_written_down_so_that_the_next_start_does_not_repeat_it(desk, monkeypatch):
    monkeypatch.setattr("remit.host.delivery.queue._SCANNED", 10)
    queue = opened(desk)
    desk.say(30, "other.thing")
    while queue.status()["lag"]:
        queue.take(1, 1_000)
    desk.queues.mark()
    head = desk.journal.head.seq
    desk.queues.mark()
    assert desk.journal.head.seq == head
    desk.restart()
    assert desk.queues.get("work").state.position >= head - 1


def test_reactions_follow_the_generations(desk):
    def applied(*reactions):
        data = {"reactions": [{"unit": "acme/a", "topic": topic, "attempts": 2} for topic in reactions]}
        [record] = desk.journal.append([Draft(type="unit.applied", data=data)])
        desk.queues.refresh()
        return record.seq

    before = desk.say()
    first = applied("job.made")
    [seq] = desk.say()
    queue = desk.queues.get("acme/a:job.made")
    assert (queue.state.position, queue.state.kind) == (first, "reaction")
    assert [one.seq for one in queue.take(5, 1_000)] == [seq] != before
    applied("job.made", "job.done")
    assert desk.queues.get("acme/a:job.made") is queue
    applied("job.done")
    with pytest.raises(SubscriptionUnknown):
        desk.queues.get("acme/a:job.made")


def test_the_read_model_is_the_same_from_a_snapshot(desk):
    queue = opened(desk, attempts=1)
    desk.say(4)
    first, second, *_ = queue.take(4, 1_000)
    desk.settle(queue, first, "failed")
    desk.settle(queue, second, "done")
    fold = SubscriptionsFold()
    state = desk.folds.state("subscriptions")
    assert fold.restore(fold.snapshot(state)) == state
    [view] = fold.view(state)
    assert (view["delivered"], view["buried"], [one["seq"] for one in view["dead"]]) == (1, 1, [first.seq])


def test_who_has_far_to_look_does_not_wait_for_the_next_event(desk, monkeypatch):
    monkeypatch.setattr("remit.host.delivery.queue._SCANNED", 10)
    queue = opened(desk)
    desk.say(100, "other.thing")
    [seq] = desk.say()
    turns = 0
    while not (found := queue.take(1, 1_000)):
        assert queue.wait(10_000) == 1
        turns += 1
    assert [one.seq for one in found] == [seq]
    assert turns < 15


def test_one_that_is_never_settled_holds_up_a_bounded_number(desk, monkeypatch):
    monkeypatch.setattr("remit.host.delivery.queue._MOST_DONE", 20)
    queue = opened(desk)
    desk.say(100)
    [stuck] = queue.take(1, 10**9)
    for _ in range(100):
        for one in queue.take(5, 10**9):
            desk.settle(queue, one, "done")
    assert 20 <= len(queue.state.done) <= 100
    assert queue.due_ms() == stuck.until_ms
    desk.settle(queue, stuck, "done")
    while taken := queue.take(5, 10**9):
        for one in taken:
            desk.settle(queue, one, "done")
    assert (queue.state.delivered, len(queue.state.done)) == (100, 0)


def test_what_is_being_decided_is_claimed_by_nobody_else(desk):
    queue = opened(desk)
    desk.say()
    [delivery] = queue.take(1, 1_000)
    assert queue.claim(delivery.seq, delivery.lease) is not None
    held = queue._window[delivery.seq].lease
    assert [queue.claim(delivery.seq, lease) for lease in (delivery.lease, held, "")] == [None] * 3
    assert not any(queue.extend(delivery.seq, lease, 1_000) for lease in (delivery.lease, held, ""))
