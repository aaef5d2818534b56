"""Calls on an event loop: what they give and leave is what calls on a thread do, and nothing of them stays behind."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remit.errors import CallCancelled, Denied, RemitError
from remit.host import Kernel
from remit.host.looping import drive
from remit.kernel.model import Caller, GuestOutcome
from tests.kernel.simulators import World


class Alarm(Exception):  # noqa: N818 - a signal's name
    pass


def on_the_loop(world, name, value, token=None, **caller):
    token = token or world.dispatcher.token()
    steps = world.dispatcher.steps(name, json.dumps(value).encode(), Caller(**caller), "committed", token)
    return drive(steps, world.runner)


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path / "journal")
    yield world
    world.journal.close()


# ---- the same as on a thread ----

KEYS = st.sampled_from(["a", "b", "c"])
ACTS = st.one_of(
    st.tuples(st.just("put"), KEYS, st.text(max_size=5), st.sampled_from([None, 0, 1, 2])),
    st.tuples(st.just("get"), KEYS),
    st.tuples(st.just("emit"), st.sampled_from(["order.placed", "action.completed", "Bad Topic"]), st.integers()),
    st.tuples(st.just("fetch"), st.sampled_from(["https://a.example/", "https://b.example/"])),
    st.tuples(st.just("call"), st.sampled_from(["acme/inner:inner", "acme/none:none"]), st.integers()),
    st.tuples(st.just("break")),
)
ENDS = st.one_of(
    st.tuples(st.just("ok"), st.integers()),
    st.tuples(st.just("large"), st.just(200_000)),
    st.tuples(st.sampled_from(["rejected", "failed", "retry", "raise", "nonsense"])),
)
CALLS = st.lists(st.tuples(st.lists(ACTS, max_size=4), ENDS, st.sampled_from(["alice", "denied"])), max_size=4)


def _act(guest, act):
    match act:
        case ("put", key, value, expected):
            return repr(guest.put(key, value, expected))
        case ("get", key):
            return guest.get(key)
        case ("emit", topic, data):
            return repr(guest.emit(topic, data))
        case ("fetch", url):
            return repr(guest.host("http", "fetch", url))
        case ("call", action, value):
            return repr(guest.call(action, value))
    return guest.host("fault", "break")


def _end(end, found):
    match end:
        case ("ok", number):
            return [number, found]
        case ("large", size):
            return "x" * size
        case ("raise",):
            raise ZeroDivisionError
        case ("nonsense",):
            return GuestOutcome("ok", "{")
    return GuestOutcome(end[0], "why", after_ms=5)


def _told(call):
    try:
        outcome = call()
    except RemitError as error:
        return (error.code, error.message)
    return (outcome.output, outcome.seq, outcome.events, outcome.replayed)


def _history(folder, calls, perform):
    world = World(Path(folder))
    world.authority.refused.add(("denied", "action:invoke"))
    told = []
    try:
        world.offer("acme/inner:inner", lambda guest: [guest.input, repr(guest.put("inner", "1"))])
        for number, (acts, end, principal) in enumerate(calls):
            name = f"acme/outer:do{number}"
            world.offer(name, lambda guest, acts=acts, end=end: _end(end, [_act(guest, act) for act in acts]))
            told.append(_told(lambda name=name, principal=principal: perform(world, name, principal)))
        return told, [(event.type, event.id, event.data) for event in world.events()]
    finally:
        world.journal.close()


@settings(max_examples=40)
@given(CALLS)
def test_a_call_on_the_loop_gives_and_journals_what_one_on_a_thread_does(calls):
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        expected = _history(one, calls, lambda world, name, who: world.call(name, 1, principal=who))
        found = _history(other, calls, lambda world, name, who: asyncio.run(on_the_loop(world, name, 1, principal=who)))
    assert found == expected


# ---- cancelling ----


def test_a_task_that_is_cancelled_leaves_a_failed_call_and_nothing_pending(world):
    begun = asyncio.Event()

    async def wait():
        begun.set()
        await asyncio.Event().wait()

    world.offer("acme/slow:slow", lambda _guest: wait())

    async def main():
        task = asyncio.create_task(on_the_loop(world, "acme/slow:slow", 1))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(main()) == set()
    world.reopen()
    (event,) = world.events("action.")
    assert (event.type, event.data["code"]) == ("action.failed", CallCancelled.code)


def test_a_task_that_is_cancelled_while_its_outcome_is_written_has_completed(world, monkeypatch):
    written = threading.Event()
    commit = world.journal._writer._commit
    monkeypatch.setattr(world.journal._writer, "_commit", lambda batches: written.wait(30) and commit(batches))
    world.offer("acme/echo:echo", lambda guest: guest.input)

    async def main():
        task = asyncio.create_task(on_the_loop(world, "acme/echo:echo", 1))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        written.set()

    asyncio.run(main())
    world.reopen()
    assert [event.type for event in world.events("action.")] == ["action.completed"]


# ---- with a kernel ----


@pytest.fixture
def managed(active_home):
    with Kernel.open(active_home, signals="manage", serve=False) as kernel:
        yield kernel


def test_a_hundred_guests_share_a_loop_and_no_thread(managed):
    async def main():
        return await asyncio.gather(*(managed.acall("acme/echo:echo", n) for n in range(100)))

    assert asyncio.run(main()) == list(range(100))
    assert not managed._pool._threads


def test_policy_can_be_asked_while_a_guest_waits_on_the_loop(managed):
    assert asyncio.run(managed.acall("acme/counter:increment", {})) == {"count": 1}


def test_a_call_with_a_key_happens_once(managed):
    caller = Caller(idempotency_key="once")

    async def main():
        calls = (managed.acall_text("acme/echo:echo", "1", caller=caller) for _ in range(5))
        return await asyncio.gather(*calls)

    outcomes = asyncio.run(main())
    assert sorted(outcome.replayed for outcome in outcomes) == [False, True, True, True, True]


def test_denied_and_unknown_calls_are_refused_on_the_loop(managed):
    async def main():
        return await asyncio.gather(
            managed.acall("acme/none:none"),
            managed.acall("acme/echo:echo", 1, caller=Caller(principal="stranger")),
            return_exceptions=True,
        )

    unknown, denied = asyncio.run(main())
    assert unknown.code == "RM-7001"
    assert isinstance(denied, Denied)


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGALRM])
def test_a_handler_that_raises_while_a_guest_runs_on_the_loop_stops_it(patient_home, number):
    def ring(*_):
        raise Alarm

    before = signal.signal(number, ring)
    try:
        with Kernel.open(patient_home, signals="manage", serve=False) as kernel:
            head = kernel.home().head
            begun = threading.Event()
            spin = kernel._rooms.runner.arun

            async def told(*arguments):
                begun.set()
                return await spin(*arguments)

            kernel._rooms.runner.arun = told
            main = threading.main_thread().ident
            thread = threading.Thread(target=lambda: begun.wait(30) and signal.pthread_kill(main, number))
            thread.start()
            with pytest.raises(Alarm):
                asyncio.run(kernel.acall("acme/loop:spin", {}))
            thread.join()
            assert asyncio.run(kernel.acall("acme/echo:echo", 1)) == 1
            codes = [record["event"]["data"].get("code") for record in kernel.events(head, prefixes=["action."])]
        assert codes == [CallCancelled.code, None]
    finally:
        signal.signal(number, before)
