"""Emitting without waiting for the disk: refused at once, written in order, said once its record is there, bounded."""

from __future__ import annotations

import threading

import pytest

from remit import connect
from remit.errors import Denied, EventInvalid, IdempotencyConflict, JournalClosed, SourceReserved, UsageError
from remit.host import Kernel, read_journal
from remit.host.operations import emitting
from remit.kernel.model import Caller


@pytest.fixture
def stuck(served):
    """The disk takes nothing until the event is set."""
    gate, reached = threading.Event(), threading.Event()

    def hold(_connection):
        reached.set()
        gate.wait(30)

    served._rooms.journal.submit([], guard=hold)
    assert reached.wait(30)
    yield gate
    gate.set()


def test_each_has_the_record_that_emit_would_have_given(facade):
    emitted = facade.emit_soon("ticket.created", {"id": 7}, reply_to="reply.here", priority=9)
    soon = emitted.record()
    assert emitted.done()
    plain = facade.emit("ticket.created", {"id": 7}, reply_to="reply.here", priority=9)
    assert soon.keys() == plain.keys()
    changing = {"id", "time"}
    assert {k: v for k, v in soon["event"].items() if k not in changing} == {
        k: v for k, v in plain["event"].items() if k not in changing
    }
    assert soon in facade.events(prefixes=["ticket."])


def test_what_one_thread_emits_is_written_in_that_order(facade):
    said = [facade.emit_soon("count.made", n) for n in range(500)]
    assert [one.record()["event"]["data"] for one in said] == list(range(500))
    seqs = [one.record()["seq"] for one in said]
    assert seqs == sorted(seqs)
    assert [one["event"]["data"] for one in facade.events(prefixes=["count."])] == list(range(500))


def test_large_data_is_there_again(facade):
    text = "x" * 100_000
    assert facade.emit_soon("note.made", text).record()["event"]["data"] == text


@pytest.mark.parametrize(
    ("topic", "data", "more", "error"),
    [
        ("unit.applied", 1, {}, SourceReserved),
        ("nodot", 1, {}, EventInvalid),
        ("a.b", "x" * (1 << 20), {}, EventInvalid),
        ("a.b", 1, {"priority": 256}, UsageError),
        ("a.b", 1, {"reply_to": "unit.applied"}, SourceReserved),
        ("a.b", 1, {"caller": Caller(principal="viewer")}, Denied),
    ],
)
def test_what_may_not_be_said_is_refused_at_once_and_nothing_is_written(facade, topic, data, more, error):
    head = facade.home().head
    with pytest.raises(error):
        facade.emit_soon(topic, data, **more)
    assert [one for one in facade.events(head) if one["event"]["type"] == topic] == []


def test_nobody_waits_for_the_disk_until_it_is_asked_for_the_record(served, stuck):
    said = [served.emit_soon("count.made", n) for n in range(10)]
    assert served.events(prefixes=["count."]) == [], "nothing is there before it is durable"
    assert not any(one.done() for one in said)
    stuck.set()
    assert [one.record()["event"]["data"] for one in said] == list(range(10))
    assert all(one.done() for one in said)


def test_who_emits_faster_than_the_disk_takes_it_waits(served, stuck, monkeypatch):
    monkeypatch.setattr(emitting, "_MOST_UNDERWAY", 8)
    emitted = []

    def produce():
        emitted.extend(served.emit_soon("count.made", n) for n in range(20))  # one by one, as they come

    producer = threading.Thread(target=produce)
    producer.start()
    producer.join(0.2)
    assert len(emitted) <= 9, "the rest waits for room"
    stuck.set()
    producer.join(30)
    assert [one.record()["event"]["data"] for one in emitted] == list(range(20))
    assert [one["event"]["data"] for one in served.events(prefixes=["count."])] == list(range(20))


def test_a_key_makes_it_once_only_here_too(facade):
    key = Caller(idempotency_key="k")
    first = facade.emit_soon("order.placed", 1, caller=key).record()
    assert facade.emit_soon("order.placed", 1, caller=key).record() == first
    with pytest.raises(IdempotencyConflict):
        facade.emit_soon("order.placed", 2, caller=key)


def test_closing_writes_what_was_emitted_and_then_nothing_more(home):
    kernel = Kernel.open(home)
    said = [kernel.emit_soon("count.made", n) for n in range(300)]
    kernel.close()
    with pytest.raises(JournalClosed):
        kernel.emit_soon("count.made", 301)
    seqs = [one.record()["seq"] for one in said]
    journal = read_journal(home)
    assert [(one.seq, one.event.data) for one in journal.read(prefixes=("count.",))] == list(
        zip(seqs, range(300), strict=True)
    )
    journal.close()


def test_a_connection_that_is_the_kernel_does_not_wait_either(home):
    with connect(home) as here:
        assert here.is_kernel
        assert [here.emit_soon("count.made", n).record()["event"]["data"] for n in range(3)] == [0, 1, 2]
        with connect(home) as there:
            assert not there.is_kernel
            assert there.emit_soon("count.made", 3).record()["event"]["data"] == 3


def test_a_disk_that_takes_nothing_is_told_when_the_record_is_asked_for(served, monkeypatch):
    def fail(*_):
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(served._rooms.journal._writer, "_insert", fail)
        said = served.emit_soon("a.b", 1)
        with pytest.raises(ZeroDivisionError):
            said.record()
    assert served.events(prefixes=["a.b"]) == []
