"""Jobs through the façade, in process and over the socket: lease, ack, nack, bury, extend, dead letters, replay."""

from __future__ import annotations

import threading

import pytest

from remit.errors import Denied, SubscriptionUnknown, UsageError
from remit.host import Kernel
from remit.host.delivery import Answer
from remit.kernel.model import Caller


def test_a_job_is_done_once_it_is_acknowledged(facade):
    jobs = facade.jobs("billing", "order.placed")
    facade.emit("order.placed", {"id": 1})
    [job] = jobs.take(wait_ms=5_000)
    assert (job.data, job.attempt) == ({"id": 1}, 1)
    assert job.extend(60_000)
    assert job.ack()
    assert not job.ack()
    assert not job.extend(60_000)
    assert jobs.take(wait_ms=0) == []
    [status] = facade.subscriptions()
    assert (status["name"], status["delivered"], status["waiting"], status["running"]) == ("billing", 1, 0, 0)


def test_a_job_that_is_given_back_comes_again_and_dies_after_its_attempts(facade):
    jobs = facade.jobs("billing", "order.placed", attempts=2)
    seq = facade.emit("order.placed", {"id": 1})["seq"]
    [job] = jobs.take(wait_ms=5_000)
    job.nack(delay_ms=0, reason="the printer is on fire")
    [job] = jobs.take(wait_ms=5_000)
    assert (job.seq, job.attempt) == (seq, 2)
    job.nack(delay_ms=0, reason="still")
    assert jobs.take(wait_ms=0) == []
    [letter] = facade.dead_letters("billing")
    assert (letter["seq"], letter["attempts"], letter["message"]) == (seq, 2, "still")
    assert letter["record"]["event"]["data"] == {"id": 1}
    assert facade.replay("billing") == 1
    assert facade.replay("billing", [seq]) == 0
    [job] = jobs.take(wait_ms=5_000)
    assert job.attempt == 1
    assert job.bury("no more")
    assert [letter["message"] for letter in facade.dead_letters()] == ["no more"]


def test_a_worker_that_goes_silent_loses_its_job_to_the_next(facade):
    jobs = facade.jobs("billing", "order.placed", lease_ms=50)
    facade.emit("order.placed")
    [lost] = jobs.take(wait_ms=5_000)
    [found] = facade.jobs("billing", "order.placed").take(wait_ms=20_000)
    assert found.attempt == 2
    assert not lost.ack()
    assert found.ack()


def test_many_jobs_are_answered_in_one_record(facade):
    jobs = facade.jobs("billing", "order.placed")
    for number in range(20):
        facade.emit("order.placed", number)
    taken = jobs.take(20)
    head = facade.home().head
    assert jobs.settle([job.answer("ack") for job in taken]) == []
    assert facade.home().head == head + 1
    assert jobs.settle([taken[0].answer("ack")]) == [taken[0].seq]


@pytest.mark.parametrize("lease", ["", "-", "-" * 26])
def test_what_was_never_given_as_a_lease_answers_for_nothing(facade, lease):
    jobs = facade.jobs("billing", "order.placed")
    seqs = [facade.emit("order.placed", number)["seq"] for number in range(2)]
    jobs.take(1)
    assert jobs.settle([Answer(seq, lease, "ack") for seq in seqs]) == seqs
    assert not any(jobs.extend(seq, lease, 60_000) for seq in seqs)


def test_a_subscription_outlives_its_workers_and_its_kernel(home):
    with Kernel.open(home) as kernel:
        kernel.jobs("billing", "order.placed")
        seqs = [kernel.emit("order.placed", number)["seq"] for number in range(5)]
        first = kernel.jobs("billing", "order.placed").take(2)
        first[0].ack()
    with Kernel.open(home) as kernel:
        taken = kernel.jobs("billing", "order.placed").take(9)
        assert [job.seq for job in taken] == seqs[1:]


def test_it_can_begin_in_the_past(facade):
    seqs = [facade.emit("order.placed", number)["seq"] for number in range(3)]
    assert [job.seq for job in facade.jobs("old", "order.placed", after=seqs[0]).take(9)] == seqs[1:]
    assert facade.jobs("new", "order.placed").take(9, wait_ms=0) == []


def test_waiting_workers_are_woken(facade):
    found = []
    jobs = facade.jobs("billing", "order.placed")
    worker = threading.Thread(target=lambda: found.extend(jobs.take(wait_ms=30_000)))
    worker.start()
    facade.emit("order.placed")
    worker.join(20)
    assert len(found) == 1


def test_a_worker_that_lingers_takes_what_comes_meanwhile(facade):
    jobs = facade.jobs("billing", "order.placed")
    facade.emit("order.placed", 0)
    taken = []
    worker = threading.Thread(target=lambda: taken.extend(jobs.take(3, linger_ms=10_000)))
    worker.start()
    facade.emit_all([("order.placed", 1), ("order.placed", 2)])
    worker.join(30)
    assert [job.data for job in taken] == [0, 1, 2]


def test_a_worker_does_not_linger_longer_than_it_says(facade):
    jobs = facade.jobs("billing", "order.placed")
    facade.emit("order.placed", 0)
    assert [job.data for job in jobs.take(3, linger_ms=30)] == [0]


def test_a_closed_subscription_is_gone(facade):
    jobs = facade.jobs("billing", "order.placed")
    facade.close_jobs("billing")
    for gone in (jobs.take, lambda: facade.close_jobs("billing"), lambda: facade.dead_letters("billing"),
                 lambda: facade.replay("billing")):  # fmt: skip
        with pytest.raises(SubscriptionUnknown):
            gone()


@pytest.mark.parametrize("wrong", [
    {"name": ""}, {"name": "Up"}, {"name": "a/b"}, {"name": "x" * 65}, {"attempts": 0}, {"attempts": 101},
    {"prefixes": ["a."] * 101},
])  # fmt: skip
def test_what_no_subscription_can_be_is_refused(facade, wrong):
    with pytest.raises(UsageError):
        facade.jobs(**{"name": "billing", **wrong})


def test_a_lease_has_a_length(facade):
    with pytest.raises(UsageError):
        facade.jobs("billing", "order.placed", lease_ms=0).take()


def test_policy_says_who_may_work(served):
    served.jobs("billing", "order.placed")
    served.emit("order.placed")
    viewer, keeper = Caller(principal="viewer"), Caller(principal="keeper")
    assert served.subscriptions(caller=viewer)[0]["lag"] >= 0
    for refused in (
        lambda: served.jobs("other", "order.placed", caller=viewer),
        lambda: served.close_jobs("billing", caller=viewer),
        lambda: served.replay("billing", caller=viewer),
    ):
        with pytest.raises(Denied):
            refused()
    [job] = served.jobs("billing", "order.placed", caller=keeper).take()
    assert job.ack()
