"""What a call leaves: its record, its effects in one transaction with it, and nothing of a call that failed."""

from __future__ import annotations

import json
import threading

import msgspec
import pytest

from remit.errors import (
    GuestTrapped,
    PayloadMissing,
    StateConflict,
)
from remit.journal import digest_of, verify
from remit.journal.unitstate import StateTable, rebuild
from remit.kernel.model import Caller
from remit.schemas.sensitive import MASK
from tests.kernel.simulators import rows, trap


def test_an_outcome_says_who_called_what_with_what_and_what_came_of_it(world):
    world.offer("acme/echo:echo", lambda guest: {"back": guest.input})
    world.catalog.generation = 7
    outcome = world.call(
        "acme/echo:echo",
        {"a": 1},
        principal="alice",
        namespace="blue",
        correlation="c",
        causation="d",
        traceparent="00-t",
        idempotency_key="k",
    )
    record = next(iter(world.journal.read(outcome.seq - 1)))
    event = record.event
    assert (record.generation, record.namespace, record.from_kernel) == (7, "blue", True)
    assert (event.type, event.subject) == ("action.completed", "acme/echo:echo")
    assert (event.correlationid, event.causationid, event.traceparent) == ("c", "d", "00-t")
    assert event.data["principal"] == "alice"
    assert event.data["key"] == "k"
    assert event.data["unit"] == "acme/echo"
    assert event.data["digest"] == "sha256:unit-acme/echo"
    assert event.data["duration_us"] > 0
    assert world.journal.payload(event.data["input"]) == b'{"a":1}'
    assert world.journal.payload(event.data["output"]) == b'{"back":{"a":1}}'


def test_without_a_correlation_a_call_is_its_own_run(world):
    world.offer("acme/say:say", lambda guest: guest.ask("events", "emit", "said.it", "application/json", "1"))
    outcome = world.call("acme/say:say")
    done, said = (record.event for record in world.journal.read(outcome.seq - 1))
    assert done.correlationid == done.id == said.correlationid == said.causationid
    assert said.id == outcome.output


def test_what_a_unit_says_carries_its_name_whatever_it_says(world):
    world.offer("acme/say:say", lambda guest: guest.emit("said.it", {"source": "//home/kernel"}).value)
    world.call("acme/say:say")
    (event,) = world.events("said.")
    assert event.source == f"//{world.journal.home_id}/unit/acme/say@sha256:unit-acme/say"
    assert event.data == {"source": "//home/kernel"}


@pytest.mark.parametrize(
    ("content_type", "data", "kept"),
    [
        ("application/json", '{"a":1}', {"a": 1}),
        ("application/json", "{", "{"),
        ("text/plain", "5", "5"),
        ("application/json", "[" * 100_000, "[" * 100_000),
    ],
)
def test_json_is_kept_as_json_and_anything_else_as_text(world, content_type, data, kept):
    world.offer("acme/say:say", lambda guest: guest.ask("events", "emit", "said.it", content_type, data))
    world.call("acme/say:say")
    (record,) = world.journal.read(prefixes=("said.",))
    assert world.journal.data(record) == kept
    assert record.event.datacontenttype == content_type


@pytest.mark.parametrize("topic", ["lease.given", "unit.applied", "action.completed", "home.created"])
def test_a_unit_cannot_speak_for_the_kernel(world, topic):
    world.offer("acme/lie:lie", lambda guest: guest.emit(topic).code)
    assert world.call("acme/lie:lie").output == "denied"
    assert [event.type for event in world.events()] == ["home.created", "action.completed"]


def test_a_call_that_traps_after_put_and_emit_leaves_neither(world):
    def body(guest):
        guest.put("key", "value")
        guest.emit("said.it")
        return trap(guest)

    world.offer("acme/trap:trap", body)
    with pytest.raises(GuestTrapped):
        world.call("acme/trap:trap", {"a": 1})
    assert rows(world) == []
    assert world.events("said.") == []
    (event,) = world.events("action.")
    assert (event.type, event.data["code"]) == ("action.failed", "RM-5010")
    assert world.journal.payload(event.data["input"]) == b'{"a":1}'
    assert "output" not in event.data


def test_effects_and_outcome_are_one_transaction(world):
    def body(guest):
        guest.put("key", "value")
        guest.emit("said.it", 1)
        assert world.events("said.") == []
        assert StateTable(world.journal, "main", "acme/do").get("key") == (None, 0)
        return guest.get("key")

    world.offer("acme/do:do", body)
    commits = []
    world.journal.append([])
    world.journal._connection.set_commit_hook(lambda: bool(commits.append(1)))
    outcome = world.call("acme/do:do")
    assert len(commits) == 1
    assert outcome.output == ["value", 1]
    assert outcome.events == 1
    assert rows(world) == [("main", "acme/do", "", "key", 1, outcome.seq, "value")]
    assert [event.type for event in world.events()] == ["home.created", "action.completed", "said.it"]


def test_of_two_calls_that_change_one_key_one_commits_and_none_is_lost(world):
    both = threading.Barrier(2, timeout=10)

    def body(guest):
        entry = guest.get("count")
        if guest.input:
            both.wait()
        guest.put("count", str(int(entry[0] if entry else 0) + 1))

    world.offer("acme/count:up", body)
    results = []

    def call():
        try:
            results.append(world.call("acme/count:up", 1).seq)
        except StateConflict as error:
            results.append(error)

    threads = [threading.Thread(target=call) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(isinstance(result, StateConflict) for result in results) == [False, True]
    assert StateTable(world.journal, "main", "acme/count").get("count") == ("1", 1)
    world.call("acme/count:up", 0)
    assert StateTable(world.journal, "main", "acme/count").get("count") == ("2", 2)
    assert sorted(event.type for event in world.events("action.")) == ["action.completed"] * 2 + ["action.failed"]
    assert rebuild(world.journal) == rows(world)


def test_sensitive_parts_are_masked_in_what_is_journalled_and_nowhere_else(world):
    secret = {"type": "object", "properties": {"key": {"type": "string", "x-remit-sensitive": True}}}
    world.offer("acme/echo:echo", lambda guest: guest.input, input=secret, output=secret)
    outcome = world.call("acme/echo:echo", {"key": "hunter2", "other": 1})
    assert outcome.output == {"key": "hunter2", "other": 1}
    data = world.events("action.")[0].data
    for name in ("input", "output"):
        assert json.loads(world.journal.payload(data[name])) == {"key": MASK, "other": 1}
    world.journal.close()
    assert not [path for path in world.folder.rglob("*") if path.is_file() and b"hunter2" in path.read_bytes()]


def test_log_lines_are_a_payload_of_the_outcome_good_or_bad(world):
    def body(guest):
        guest.ask("log", "write", "one")
        guest.ask("log", "write", "two")
        return trap(guest) if guest.input else None

    world.offer("acme/log:log", body)
    world.call("acme/log:log")
    with pytest.raises(GuestTrapped):
        world.call("acme/log:log", 1)
    for event in world.events("action."):
        lines = json.loads(world.journal.payload(event.data["log"]))
        assert [line["message"] for line in lines] == ["one", "two"]


def test_an_erased_input_is_missed_but_the_chain_holds(world):
    world.offer("acme/echo:echo", lambda guest: guest.input)
    world.call("acme/echo:echo", "personal data")
    world.journal._connection.execute("DELETE FROM payload")
    with pytest.raises(PayloadMissing):
        world.journal.payload(digest_of(b'"personal data"'))
    assert verify(world.journal).records == 2


# ---- durability ----


def test_a_queued_outcome_is_committed_in_order_without_being_waited_for(world):
    world.offer("acme/echo:echo", lambda guest: guest.input)
    outcomes = [
        world.dispatcher.call("acme/echo:echo", str(n).encode(), Caller(), durability="queued") for n in range(20)
    ]
    assert {outcome.seq for outcome in outcomes} == {0}
    world.reopen()
    payloads = [world.journal.payload(event.data["output"]) for event in world.events("action.completed")]
    assert payloads == [str(n).encode() for n in range(20)]


def test_queued_calls_that_write_state_lose_no_update(world):
    def body(guest):
        entry = guest.get("count")
        guest.put("count", str(int(entry[0] if entry else 0) + 1))

    world.offer("acme/count:up", body)
    for _ in range(30):
        world.dispatcher.call("acme/count:up", b"null", Caller(), durability="queued")
    assert StateTable(world.journal, "main", "acme/count").get("count") == ("30", 30)


def test_outcomes_are_json_able(world):
    world.offer("acme/echo:echo", lambda guest: guest.input)
    outcome = world.call("acme/echo:echo", {"a": [1]})
    assert msgspec.convert(msgspec.to_builtins(outcome), type(outcome)) == outcome
