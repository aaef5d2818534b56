"""Live subscriptions through the façade, in process and over the home's socket; emitting once only."""

from __future__ import annotations

import threading

import pytest

from remit.errors import (
    Denied,
    EventInvalid,
    IdempotencyConflict,
    SourceReserved,
    SubscriptionsExceeded,
    SubscriptionUnknown,
    UsageError,
)
from remit.host import Kernel
from remit.host.delivery import Listeners, Listening
from remit.journal import Filter
from remit.kernel.bus import Bus
from remit.kernel.hostcall import CancelToken
from remit.kernel.model import Caller
from tests.journal.simulators import SimClock, SimIds


def topics(heard):
    return [record["event"]["type"] for record in heard.records]


def test_a_subscriber_hears_what_it_asked_for_and_the_whole_envelope(facade):
    with facade.subscribe("ticket.created", prefixes=["note."]) as feed:
        facade.emit("ticket.created", {"id": 7}, reply_to="reply.here", priority=9)
        facade.emit("ticket.closed")
        facade.emit("note.taken")
        found = feed.receive(wait_ms=5_000).records
        while len(found) < 2:
            found += feed.receive(wait_ms=5_000).records
    assert [one["event"]["type"] for one in found] == ["ticket.created", "note.taken"]
    event = found[0]["event"]
    assert (event["data"], event["replyto"], event["priority"]) == ({"id": 7}, "reply.here", 9)


def test_iterating_gives_records_as_they_come(facade):
    with facade.subscribe("a.b") as feed:
        timer = threading.Timer(0.05, lambda: [facade.emit("a.b", number) for number in range(3)])
        timer.start()
        records = iter(feed)
        assert [next(records)["event"]["data"] for _ in range(3)] == [0, 1, 2]
        timer.join()


def test_a_batched_subscriber_gets_batches(facade):
    with facade.subscribe("a.b", qos="batched", linger_ms=5_000) as feed:
        for number in range(4):
            facade.emit("a.b", number)
        assert len(feed.receive(4, wait_ms=5_000).records) == 4


def test_a_subscriber_that_is_too_slow_is_told_and_can_read_what_it_missed(facade):
    with facade.subscribe("a.b", capacity=3, name="slow") as feed:
        numbers = [facade.emit("a.b", number)["seq"] for number in range(10)]
        heard = feed.receive(wait_ms=5_000)
        assert ([one["seq"] for one in heard.records], heard.missed) == (numbers[-3:], 7)
        again = facade.events(heard.after, prefixes=["a.b"])
        assert [one["seq"] for one in again] == numbers
        [lagged] = facade.events(prefixes=["bus.lagged"])
        assert lagged["event"]["data"] == {"subscription": "slow", "after": numbers[0] - 1}
        [status] = [one for one in facade.bus()["subscriptions"] if one["name"] == "slow"]
        assert (status["dropped"], status["delivered"], status["lag"]) == ({"oldest": 7}, 3, 0)


def test_nothing_is_left_of_a_closed_subscription(facade):
    before = facade.bus()["subscriptions"]
    feed = facade.subscribe("a.b")
    feed.close()
    feed.close()
    with pytest.raises(SubscriptionUnknown):
        feed.receive(wait_ms=0)
    assert facade.bus()["subscriptions"] == before


def test_another_principal_cannot_take_what_one_is_given(served):
    feed = served.perform(
        "listen", {"spec": Listening()}, str, caller=Caller(principal="viewer"), progress=lambda _s, _d: None
    )
    with pytest.raises(SubscriptionUnknown):
        served.perform(
            "receive", {"subscription": feed, "most": 1, "wait_ms": 0, "linger_ms": 0}, object,
            caller=Caller(), progress=lambda _s, _d: None,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("principal", "allowed"), [("viewer", True), ("keeper", True), ("caller", False), ("nobody", False)]
)
def test_policy_says_who_may_listen(served, principal, allowed):
    caller = Caller(principal=principal)
    for named in ({"topics": ["a.b"]}, {"prefixes": ["a."]}, {"prefixes": ["a"]}, {}):
        wanted = dict(named)
        listen = lambda words=wanted: served.subscribe(  # noqa: E731 - called at once, twice
            *words.get("topics", ()), prefixes=words.get("prefixes", ()), caller=caller
        )
        if allowed:
            listen().close()
        else:
            with pytest.raises(Denied):
                listen()


@pytest.mark.parametrize("spec", [
    {"capacity": 0}, {"capacity": 1 << 30}, {"prefixes": ["a."] * 101}, {"topics": ["a.b"] * 101},
])  # fmt: skip
def test_what_no_mailbox_can_be_is_refused(facade, spec):
    with pytest.raises(UsageError):
        facade.subscribe(*spec.get("topics", ()), **{name: given for name, given in spec.items() if name != "topics"})


def test_a_subscription_that_nobody_asks_is_forgotten():
    clock, bus = SimClock(), Bus()
    listeners = Listeners(bus, clock, SimIds())
    old = listeners.listen(Listening(), "local")
    clock.advance(10 * 60_000)
    new = listeners.listen(Listening(), "local")
    assert [one["name"] for one in bus.status()["subscriptions"]] == [new]
    listeners.unlisten(old, "local")
    listeners.close()
    assert bus.status()["subscriptions"] == []


def test_who_left_is_forgotten_while_others_listen():
    clock, bus = SimClock(), Bus()
    listeners = Listeners(bus, clock, SimIds())
    left, stays = (listeners.listen(Listening(), "local") for _ in range(2))
    token = CancelToken(None)
    for _ in range(10):
        clock.advance(20_000)
        listeners.receive(stays, "local", 1, 0.0, 0.0, token)
    assert [one["name"] for one in bus.status()["subscriptions"]] == [stays]
    with pytest.raises(SubscriptionUnknown):
        listeners.receive(left, "local", 1, 0.0, 0.0, token)


def test_the_number_of_subscriptions_is_bounded():
    listeners = Listeners(Bus(), SimClock(), SimIds())
    for _ in range(1_000):
        listeners.listen(Listening(wanted=Filter(topics=("a.b",))), "local")
    with pytest.raises(SubscriptionsExceeded):
        listeners.listen(Listening(), "local")


def test_closing_the_kernel_lets_listeners_go(home):
    kernel = Kernel.open(home)
    feed = kernel.subscribe("a.b")
    waiting = threading.Thread(target=lambda: ended.append(feed.receive(wait_ms=30_000).records))
    ended = []
    waiting.start()
    kernel.close()
    waiting.join(10)
    assert ended == [[]]


# ---- emitting ----


def test_the_same_key_emits_once(facade):
    caller = Caller(idempotency_key="k1")
    first = facade.emit("a.b", {"n": 1}, caller=caller)
    assert facade.emit("a.b", {"n": 1}, caller=caller) == first
    assert facade.emit("a.c", {"n": 1}, caller=caller)["seq"] != first["seq"]
    with pytest.raises(IdempotencyConflict):
        facade.emit("a.b", {"n": 2}, caller=caller)
    assert len(facade.events(prefixes=["a.b"])) == 1


def test_the_same_key_at_once_emits_once(served):
    found = []
    caller = Caller(idempotency_key="k2")
    threads = [threading.Thread(target=lambda: found.append(served.emit("a.b", 1, caller=caller))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert {one["seq"] for one in found} == {served.events(prefixes=["a.b"])[0]["seq"]}


@pytest.mark.parametrize("priority", [-1, 256])
def test_a_priority_is_a_byte(facade, priority):
    with pytest.raises(UsageError):
        facade.emit("a.b", priority=priority)


def test_answers_cannot_be_asked_for_on_the_kernels_topics(facade):
    with pytest.raises(SourceReserved):
        facade.emit("a.b", reply_to="lease.denied")


def test_what_is_said_together_is_there_in_order_or_not_at_all(facade):
    before = facade.home().head
    records = facade.emit_all([("ticket.created", {"id": 7}), ("ticket.moved", None)])
    assert [(one["seq"], one["event"]["type"], one["event"].get("data")) for one in records] == [
        (before + 1, "ticket.created", {"id": 7}), (before + 2, "ticket.moved", None),
    ]  # fmt: skip
    assert facade.emit_all([]) == []
    for refused, error in (
        ([("ticket.created", 1), ("unit.applied", 2)], SourceReserved),
        ([("ticket.created", 1), ("Ticket", 2)], EventInvalid),
        ([("ticket.created", "x" * 600_000)] * 2, EventInvalid),
        ([("ticket.created", 1)] * 1_001, UsageError),
    ):
        with pytest.raises(error):
            facade.emit_all(refused)
    with pytest.raises(UsageError):
        facade.emit_all([("ticket.created", 1)], caller=Caller(idempotency_key="k"))
    assert facade.home().head == before + 2
