"""The bus: order, filters, what a full mailbox sheds and tells, and that a stuck subscriber delays nobody."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.journal import Draft, Filter
from remit.journal.event import Event, Record
from remit.kernel.bus import Bus
from tests.journal.simulators import temporary_journal


def record(seq, topic="a.x", subject="", source="//home/client/one"):
    event = Event(specversion="1.0", id=str(seq), source=source, type=topic, time="", subject=subject)
    return Record(seq, 0, "main", b"", b"", event)


def seqs(received):
    return [one.seq for one in received.records]


TOPICS = ["a.x", "a.y", "b.x", "ab.x"]
FILTERS = st.builds(
    Filter,
    topics=st.lists(st.sampled_from(TOPICS), max_size=2).map(tuple),
    prefixes=st.lists(st.sampled_from(["a.", "b.", "a"]), max_size=2).map(tuple),
    sources=st.lists(st.sampled_from(["kernel", "unit", "client"]), max_size=2).map(tuple),
)
SOURCES = ["//home/kernel", "//home/unit/a/b@sha256:1", "//home/client/kernel", "elsewhere"]


@given(wanted=FILTERS, said=st.lists(st.tuples(st.sampled_from(TOPICS), st.sampled_from(SOURCES)), max_size=30))
def test_a_subscriber_gets_exactly_what_its_filter_wants_in_order(wanted, said):
    bus = Bus()
    mailbox = bus.subscribe("one", wanted, capacity=100)
    records = [record(seq, topic, source=source) for seq, (topic, source) in enumerate(said)]
    for start in range(0, len(records), 7):
        bus.publish(records[start : start + 7])
    assert mailbox.receive(100, 0).records == [one for one in records if wanted.wants(one)]


def test_a_filter_is_by_topic_prefix_and_kind_of_source():
    assert Filter(topics=("a.x",)).wants(record(1, "a.x"))
    assert not Filter(topics=("a.x",)).wants(record(1, "a.xy"))
    assert Filter(topics=("c.c",), prefixes=("a.",)).wants(record(1, "a.xy"))
    assert Filter(sources=("client",)).wants(record(1))
    assert not Filter(sources=("kernel",)).wants(record(1, source="//home/client/kernel"))
    assert not Filter(sources=("unit",)).wants(record(1, source="elsewhere"))


@given(
    drop=st.sampled_from(["oldest", "newest", "coalesce"]),
    capacity=st.integers(1, 6),
    steps=st.lists(st.integers(0, 9) | st.tuples(st.just("receive"), st.integers(1, 4)), max_size=30),
)
def test_what_is_missed_is_counted_and_lies_after_the_cursor(drop, capacity, steps):
    told = []
    bus = Bus(lambda name, after: told.append((name, after)))
    mailbox = bus.subscribe("slow", Filter(), capacity=capacity, drop=drop)
    seq, got, missed = 0, [], 0
    published, gaps = [], []
    for step in [*steps, ("receive", 100)]:
        if isinstance(step, int):
            batch = [record(seq + n, subject=str((seq + n) % 3)) for n in range(1, step + 1)]
            seq += step
            published += batch
            bus.publish(batch)
            assert mailbox.status()["lag"] <= capacity
        else:
            found = mailbox.receive(step[1], 0)
            got += seqs(found)
            missed += found.missed
            if found.missed:
                gaps.append(found.after)
    assert len(got) + missed == seq
    assert mailbox.dropped.total() == missed
    lost = sorted({one.seq for one in published} - set(got))
    assert not lost or min(gaps) < lost[0]  # reading after the cursor finds all of it
    assert bool(told) == bool(lost)


def test_drop_oldest_keeps_the_newest_and_newest_the_oldest():
    bus = Bus()
    old, new = (bus.subscribe(drop, Filter(), capacity=3, drop=drop) for drop in ("oldest", "newest"))
    bus.publish([record(seq) for seq in range(1, 8)])
    assert (seqs(old.receive(9, 0)), seqs(new.receive(9, 0))) == ([5, 6, 7], [1, 2, 3])


def test_coalesce_keeps_the_last_of_each_topic_and_subject():
    bus = Bus()
    mailbox = bus.subscribe("one", Filter(), capacity=3, drop="coalesce")
    bus.publish([record(seq, subject="ab"[seq % 2]) for seq in range(1, 8)])
    found = mailbox.receive(9, 0)
    assert (seqs(found), found.missed, found.after) == ([6, 7], 5, 0)


def test_an_overflow_is_told_once_until_the_mailbox_was_empty():
    told = []
    bus = Bus(lambda name, after: told.append((name, after)))
    mailbox = bus.subscribe("slow", Filter(), capacity=2)
    for seq in range(1, 6):
        bus.publish([record(seq)])
    assert told == [("slow", 0)]
    mailbox.receive(9, 0)
    bus.publish([record(seq) for seq in range(6, 9)])
    assert told == [("slow", 0), ("slow", 5)]


def test_a_batch_waits_until_it_is_full():
    bus = Bus()
    mailbox = bus.subscribe("batches", Filter())
    bus.publish([record(1)])
    timer = threading.Timer(0.02, bus.publish, [[record(2), record(3)]])
    timer.start()
    assert seqs(mailbox.receive(3, 5, linger=30)) == [1, 2, 3]
    timer.join()


def test_closing_wakes_who_waits_and_nothing_comes_after():
    bus = Bus()
    mailbox = bus.subscribe("one", Filter())
    timer = threading.Timer(0.02, bus.unsubscribe, [mailbox])
    timer.start()
    assert mailbox.receive(1, None).records == []
    timer.join()
    bus.publish([record(1)])
    assert mailbox.status()["lag"] == 0
    assert bus.status() == {"published": 1, "delivered": 0, "dropped": {}, "subscriptions": []}


def test_a_stuck_subscriber_costs_others_nothing_they_would_notice():
    with temporary_journal() as journal:
        bus = Bus(lambda name, after: journal.submit([Draft(type="bus.lagged", data={"name": name, "after": after})]))
        journal.observe(bus.publish)
        bus.subscribe("stuck", Filter(), capacity=4)
        mine = Filter(topics=("a.x",))
        quick = bus.subscribe("quick", mine, capacity=1_000)
        for _ in range(50):
            journal.append([Draft(type="a.x", source="//h/client/c")])
        assert len(quick.receive(1_000, 0).records) == 50
        assert [one.event.data["name"] for one in journal.read(prefixes=("bus.lagged",))] == ["stuck"]


@pytest.mark.parametrize("attributes", [{}, {"reply_to": "reply.a", "hops": 3, "priority": 7}])
def test_the_envelope_comes_through_the_journal_and_is_left_out_where_it_is_the_default(attributes):
    with temporary_journal() as journal:
        [found] = journal.append([Draft(type="a.x", source="//h/client/c", **attributes)])
        [row] = journal.execute("SELECT * FROM record WHERE seq = ?", (found.seq,))
        assert journal.decode_row(row) == found
        assert (found.event.replyto, found.event.hops, found.event.priority) == (
            attributes.get("reply_to", ""), attributes.get("hops", 8), attributes.get("priority", 0),
        )  # fmt: skip
        assert (b"hops" in row[5], b"priority" in row[5], b"replyto" in row[5]) == (bool(attributes),) * 3


def test_totals_stay_when_a_subscription_ends_and_count_it_once():
    bus = Bus()
    full = bus.subscribe("full", Filter(), capacity=2, drop="newest")
    standing = bus.subscribe("standing", Filter())
    bus.publish([record(seq) for seq in range(1, 6)])
    assert len(full.receive(10, 0).records) == len(standing.receive(2, 0).records) == 2
    before = bus.status()
    bus.unsubscribe(full)
    bus.unsubscribe(full)
    after = bus.status()
    assert before["delivered"] == after["delivered"] == 4
    assert before["dropped"] == after["dropped"] == {"newest": 3}
    assert [one["name"] for one in after["subscriptions"]] == ["standing"]
