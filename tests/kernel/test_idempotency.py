"""A call with an idempotency key happens once: for its principal, its action and its input."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from remit.errors import GuestTrapped, IdempotencyConflict, PayloadMissing
from remit.journal.unitstate import StateTable
from remit.kernel.model import Caller


@pytest.fixture
def count(world):
    """An action that counts how often it ran, and says so."""
    lock = threading.Lock()
    ran = [0]

    def body(guest):
        with lock:
            ran[0] += 1
            number = ran[0]
        guest.put("count", str(number))
        guest.emit("count.moved", number)
        return {"number": number, "input": guest.input}

    world.offer("acme/count:up", body)
    return ran


def test_the_same_key_and_input_run_once_and_answer_the_same(world, count):
    first = world.call("acme/count:up", {"a": 1}, idempotency_key="k")
    again = world.call("acme/count:up", {"a": 1}, idempotency_key="k")
    assert count == [1]
    assert (first.replayed, again.replayed) == (False, True)
    assert (again.output, again.seq, again.events) == (first.output, first.seq, 1)
    assert len(world.events("action.")) == len(world.events("count.")) == 1


def test_the_answer_survives_a_restart(world, count):
    first = world.call("acme/count:up", 1, idempotency_key="k")
    world.reopen()
    again = world.call("acme/count:up", 1, idempotency_key="k")
    assert count == [1]
    assert (again.output, again.replayed) == (first.output, True)


def test_eight_threads_with_one_key_run_it_once(world, count):
    gate = threading.Barrier(8, timeout=10)

    def call(_):
        gate.wait()
        return world.call("acme/count:up", 1, idempotency_key="k")

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(call, range(8)))
    assert count == [1]
    assert sorted(outcome.replayed for outcome in outcomes) == [False] + [True] * 7
    assert all((outcome.seq, outcome.output) == (outcomes[0].seq, outcomes[0].output) for outcome in outcomes)
    assert len(world.dispatcher._recording._turns) == 0, "nothing is kept of keys that nobody waits for"


def test_queued_calls_with_one_key_run_once(world, count):
    for _ in range(20):
        world.dispatcher.call("acme/count:up", b"1", Caller(idempotency_key="k"), durability="queued")
    assert count == [1]
    assert StateTable(world.journal, "main", "acme/count").get("count") == ("1", 1)


def test_another_input_under_the_same_key_is_a_conflict(world, count):
    world.call("acme/count:up", 1, idempotency_key="k")
    with pytest.raises(IdempotencyConflict):
        world.call("acme/count:up", 2, idempotency_key="k")
    assert count == [1]


def test_inputs_that_differ_in_spelling_only_are_the_same(world, count):
    world.dispatcher.call("acme/count:up", b'{"a":1,"b":2}', Caller(idempotency_key="k"))
    again = world.dispatcher.call("acme/count:up", b' { "b": 2, "a": 1 } ', Caller(idempotency_key="k"))
    assert again.replayed
    assert count == [1]


@pytest.mark.parametrize("other", [{"principal": "bob"}, {"idempotency_key": "l"}])
def test_another_principal_or_key_is_another_call(world, count, other):
    world.call("acme/count:up", 1, idempotency_key="k")
    assert not world.call("acme/count:up", 1, **({"idempotency_key": "k"} | other)).replayed
    assert count == [2]


@pytest.mark.usefixtures("count")
def test_another_action_under_the_same_key_is_another_call(world):
    world.offer("acme/echo:echo", lambda guest: guest.input)
    world.call("acme/count:up", 1, idempotency_key="k")
    assert world.call("acme/echo:echo", 5, idempotency_key="k").output == 5


def test_without_a_key_every_call_runs(world, count):
    for _ in range(3):
        world.call("acme/count:up", 1)
    assert count == [3]


def test_a_call_that_failed_may_be_tried_again_under_its_key(world):
    tries = []

    def body(_):
        tries.append(1)
        if len(tries) == 1:
            raise GuestTrapped("unreachable")
        return "done"

    world.offer("acme/try:try", body)
    with pytest.raises(GuestTrapped):
        world.call("acme/try:try", 1, idempotency_key="k")
    assert world.call("acme/try:try", 1, idempotency_key="k").output == "done"
    assert world.call("acme/try:try", 1, idempotency_key="k").replayed
    assert len(tries) == 2


def test_an_answer_that_was_erased_is_missed_and_not_made_again(world, count):
    world.call("acme/count:up", 1, idempotency_key="k")
    world.journal._connection.execute("DELETE FROM payload")
    with pytest.raises(PayloadMissing):
        world.call("acme/count:up", 1, idempotency_key="k")
    assert count == [1]


def test_a_key_of_one_project_is_not_anothers(world, count):
    for namespace in ("one", "two"):
        world.dispatcher.call("acme/count:up", b"1", Caller(namespace=namespace, idempotency_key="k"))
    assert count == [2]
