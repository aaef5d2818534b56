"""Calls in calls: who acts, for how long, how deep; and stopping them."""

from __future__ import annotations

import json
import threading

import pytest

from remit.errors import CallCancelled, GuestTrapped, HopsExceeded
from remit.kernel.dispatch import CancelToken
from remit.kernel.hostcall import Ok, Refused
from remit.kernel.model import Caller, GuestOutcome, Limits


def _trap(_guest):
    raise GuestTrapped("unreachable")


def _rows(world):
    columns = "namespace, unit, branch, key, version, seq, value"
    return world.journal.execute(f"SELECT {columns} FROM unit_state ORDER BY seq")


def test_a_nested_call_acts_for_the_same_principal_in_the_same_run(world):
    world.offer("acme/inner:do", lambda guest: guest.input)
    world.offer("acme/outer:do", lambda guest: json.loads(guest.call("acme/inner:do", [1]).value))
    outcome = world.call("acme/outer:do", None, principal="alice")
    assert outcome.output == [1]
    inner, outer = world.events("action.")
    assert (inner.subject, outer.subject) == ("acme/inner:do", "acme/outer:do")
    assert inner.correlationid == outer.correlationid == outer.id == inner.causationid
    assert inner.data["principal"] == "alice"


def test_a_nested_call_commits_its_own_effects_under_its_own_unit(world):
    world.offer("acme/inner:do", lambda guest: guest.put("key", "inner").value)

    def body(guest):
        guest.put("key", "outer")
        guest.call("acme/inner:do")
        return _trap(guest)

    world.offer("acme/outer:do", body)
    with pytest.raises(GuestTrapped):
        world.call("acme/outer:do")
    assert [(row[1], row[6]) for row in _rows(world)] == [("acme/inner", "inner")]


@pytest.mark.parametrize("path", [("a",), ("a", "b"), ("a", "b", "c")])
def test_a_call_that_comes_back_to_a_unit_in_its_chain_is_refused(world, path):
    answers = []
    for name, following in zip(path, (*path[1:], path[0]), strict=True):
        world.offer(
            f"acme/{name}:do", lambda guest, following=following: answers.append(guest.call(f"acme/{following}:do"))
        )
    world.call(f"acme/{path[0]}:do")
    assert answers[0].code == "denied"
    assert "in the chain of calls" in answers[0].message
    assert [type(answer) for answer in answers] == [Refused] + [Ok] * (len(path) - 1)
    assert world.events("action.failed")[0].data["code"] == HopsExceeded.code


def test_a_chain_has_an_end(world):
    for n in range(12):
        world.offer(f"acme/u{n}:do", lambda guest, n=n: getattr(guest.call(f"acme/u{n + 1}:do"), "code", "ok"))
    assert world.call("acme/u0:do", hops=3).output == "ok"
    assert [world.ran(f"acme/u{n}:do") for n in range(6)] == [1, 1, 1, 1, 0, 0]


def test_the_smallest_deadline_of_the_chain_holds(world):
    seen = {}

    def inner(guest):
        seen["inner"] = guest.deadline_ms

    def outer(guest):
        seen["outer"] = guest.deadline_ms
        world.clock.advance(100)
        guest.call("acme/inner:do")
        guest.call("acme/short:do")

    world.offer("acme/inner:do", inner, limits=Limits(deadline_ms=5_000))
    world.offer("acme/short:do", lambda guest: seen.update(short=guest.deadline_ms), limits=Limits(deadline_ms=50))
    world.offer("acme/outer:do", outer, limits=Limits(deadline_ms=1_000))
    world.call("acme/outer:do", deadline_ms=400)
    assert 390 <= seen["outer"] <= 400
    assert 290 <= seen["inner"] <= 300
    assert seen["short"] <= 50


@pytest.mark.parametrize(
    ("body", "value", "code"),
    [
        (_trap, None, "unavailable"),
        (lambda _: GuestOutcome("rejected", "no"), None, "invalid"),
        (lambda guest: guest.input, 5, "invalid"),
    ],
)
def test_what_goes_wrong_in_a_nested_call_is_an_answer(world, body, value, code):
    world.offer("acme/inner:do", body, input={"type": "null"})
    world.offer("acme/outer:do", lambda guest: guest.call("acme/inner:do", value).code)
    assert world.call("acme/outer:do").output == code


def test_a_nested_call_of_an_unknown_action_is_not_found(world):
    world.offer("acme/outer:do", lambda guest: guest.call("acme/none:do").code)
    assert world.call("acme/outer:do").output == "not-found"


def test_the_callers_idempotency_key_is_not_the_callees(world):
    world.offer("acme/inner:do", lambda _: world.ran("acme/inner:do"))
    world.offer("acme/outer:do", lambda guest: [guest.call("acme/inner:do").value for _ in range(2)])
    assert world.call("acme/outer:do", idempotency_key="k").output == ["1", "2"]


# ---- cancelling ----


def test_cancelling_stops_the_guest_and_its_callees(world):
    running = threading.Event()

    def inner(guest):
        running.set()
        assert world.runner.cancelled(guest.door).wait(10)

    world.offer("acme/inner:do", inner)
    world.offer("acme/outer:do", lambda guest: guest.call("acme/inner:do").code)
    token = world.dispatcher.token()
    errors = []

    def call():
        try:
            world.dispatcher.call("acme/outer:do", b"null", Caller(), token=token)
        except CallCancelled as error:
            errors.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    assert running.wait(10)
    token.cancel()
    thread.join(10)
    assert len(errors) == 1
    assert [event.data["code"] for event in world.events("action.failed")] == ["RM-5019", "RM-5019"]


def test_a_call_under_a_cancelled_token_does_not_run(world):
    world.offer("acme/echo:echo", lambda guest: guest.put("key", "value"))
    token = CancelToken(world.runner)
    token.cancel()
    with pytest.raises(CallCancelled):
        world.dispatcher.call("acme/echo:echo", b"null", Caller(), token=token)
    assert _rows(world) == []
