"""A call, from reference to outcome: each step refuses in its own words, and the journal says what happened."""

from __future__ import annotations

import gc
import json
import threading

import msgspec
import pytest

from remit.errors import (
    ActionUnknown,
    DeadlineExceeded,
    Denied,
    GuestTrapped,
    HostCallsExceeded,
    HostFault,
    InputInvalid,
    InputTooLarge,
    JournalClosed,
    OutputInvalid,
    PayloadMissing,
    StateConflict,
    UnitFailed,
    UnitRejected,
    UnitRetry,
)
from remit.journal import digest_of, verify
from remit.journal.unitstate import StateTable, rebuild
from remit.kernel.model import Caller, GuestOutcome, Limits
from remit.schemas.sensitive import MASK

TEXT = {
    "type": "object",
    "properties": {"text": {"type": "string"}},
    "required": ["text"],
    "additionalProperties": False,
}


def _trap(_guest):
    raise GuestTrapped("unreachable")


def _rows(world):
    return world.journal.execute(
        "SELECT namespace, unit, branch, key, version, seq, value FROM unit_state ORDER BY seq, key"
    )


# ---- before the guest runs ----


def test_a_call_gives_what_the_guest_answered(world):
    world.offer("acme/echo:echo", lambda guest: [guest.action, guest.input])
    outcome = world.call("acme/echo:echo", {"a": 1})
    assert outcome.output == ["echo", {"a": 1}]
    assert (outcome.unit, outcome.replayed, outcome.events, outcome.seq) == ("acme/echo", False, 0, 2)


def test_an_action_that_nobody_offers_is_unknown_and_leaves_no_record(world):
    with pytest.raises(ActionUnknown):
        world.call("acme/none:none")
    assert world.journal.head.seq == 1


@pytest.mark.parametrize("left", [0, -1])
def test_a_call_whose_deadline_has_passed_does_not_begin(world, left):
    world.offer("acme/echo:echo", lambda _guest: pytest.fail("the guest ran"))
    with pytest.raises(DeadlineExceeded, match="before the call began"):
        world.call("acme/echo:echo", deadline_ms=left)


@pytest.mark.parametrize(
    "payload", [b"", b"{", b"\xff", b'"\\ud800"', b"NaN", b"[" * 100_000, b"1e999", b"{} {}", b"\x00"]
)
def test_an_input_that_is_not_json_is_invalid(world, payload):
    world.offer("acme/echo:echo", lambda guest: guest.input)
    with pytest.raises(InputInvalid):
        world.dispatcher.call("acme/echo:echo", payload, Caller())
    assert world.ran("acme/echo:echo") == 0


def test_every_fault_of_an_input_is_listed_with_its_path(world):
    world.offer("acme/echo:echo", lambda guest: guest.input, input=TEXT)
    with pytest.raises(InputInvalid) as caught:
        world.call("acme/echo:echo", {"text": 5, "more": 1})
    assert {fault["path"] for fault in caught.value.details["faults"]} == {"text", "more"}
    assert world.ran("acme/echo:echo") == 0


def test_an_input_beyond_its_bound_is_refused_before_it_is_parsed(world):
    world.offer("acme/echo:echo", lambda guest: guest.input, limits=Limits(input=10))
    assert world.dispatcher.call("acme/echo:echo", b'"12345678"', Caller()).output == "12345678"
    with pytest.raises(InputTooLarge):
        world.dispatcher.call("acme/echo:echo", b"{" * 11, Caller())


def test_integers_beyond_64_bits_pass_unharmed(world):
    world.offer("acme/echo:echo", lambda guest: guest.input)
    assert world.call("acme/echo:echo", 10**30).output == 10**30
    assert verify(world.journal).records == 2


def test_a_denial_names_its_policies_and_is_journalled(world):
    world.offer("acme/echo:echo", lambda guest: guest.input)
    world.authority.refused.add(("mallory", "acme/echo:echo"))
    with pytest.raises(Denied) as caught:
        world.call("acme/echo:echo", 1, principal="mallory", correlation="run-1")
    assert caught.value.details["policies"] == ["sim.no"]
    (event,) = world.events("action.")
    assert (event.type, event.subject, event.correlationid) == ("action.denied", "acme/echo:echo", "run-1")
    assert event.data["policies"] == ["sim.no"]
    assert (event.data["principal"], event.data["code"]) == ("mallory", "RM-4002")
    assert world.ran("acme/echo:echo") == 0


# ---- what the guest answers ----


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "nope", '"\\ud800"'])
def test_an_output_that_is_not_json_is_invalid(world, text):
    world.offer("acme/bad:bad", lambda _: GuestOutcome("ok", text))
    with pytest.raises(OutputInvalid):
        world.call("acme/bad:bad")


def test_an_output_that_breaks_its_schema_is_invalid_and_has_no_effect(world):
    def body(guest):
        guest.put("key", "value")
        return 5

    world.offer("acme/bad:bad", body, output=TEXT)
    with pytest.raises(OutputInvalid):
        world.call("acme/bad:bad")
    assert _rows(world) == []
    assert [event.type for event in world.events("action.")] == ["action.failed"]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (GuestOutcome("rejected", "why"), UnitRejected),
        (GuestOutcome("failed", "why"), UnitFailed),
        (GuestOutcome("retry", "why", after_ms=50), UnitRetry),
    ],
)
def test_a_units_own_refusal_has_its_own_error(world, answer, expected):
    world.offer("acme/no:no", lambda _: answer)
    with pytest.raises(expected, match="why") as caught:
        world.call("acme/no:no")
    if expected is UnitRetry:
        assert caught.value.details == {"after_ms": 50}
    (event,) = world.events("action.")
    assert event.data["code"] == expected.code


def test_a_typed_failure_is_a_value_for_programs_and_a_text_for_people(world):
    world.offer("acme/no:no", lambda _: GuestOutcome("failed", '{"overflow": [1, 2]}', typed=True))
    with pytest.raises(UnitFailed, match=r'failed: {"overflow":\[1,2\]}') as caught:
        world.call("acme/no:no")
    assert caught.value.details == {"error": {"overflow": [1, 2]}}


def test_an_action_with_an_export_is_run_by_it_with_one_text(world):
    action = world.offer("acme/add:add", lambda guest: [guest.action, guest.input])
    world.catalog.by_name["acme/add:add"] = msgspec.structs.replace(action, export="local:calc/api#add")
    assert world.call("acme/add:add", {"a": 1}).output == ["", {"a": 1}]


def test_a_very_long_refusal_is_cut(world):
    world.offer("acme/no:no", lambda _: GuestOutcome("failed", "x" * 100_000))
    with pytest.raises(UnitFailed) as caught:
        world.call("acme/no:no")
    assert len(caught.value.message) < 2_100


# ---- the outcome ----


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
        return _trap(guest)

    world.offer("acme/trap:trap", body)
    with pytest.raises(GuestTrapped):
        world.call("acme/trap:trap", {"a": 1})
    assert _rows(world) == []
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
    assert _rows(world) == [("main", "acme/do", "", "key", 1, outcome.seq, "value")]
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
    assert rebuild(world.journal) == _rows(world)


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
        return _trap(guest) if guest.input else None

    world.offer("acme/log:log", body)
    world.call("acme/log:log")
    with pytest.raises(GuestTrapped):
        world.call("acme/log:log", 1)
    for event in world.events("action."):
        lines = json.loads(world.journal.payload(event.data["log"]))
        assert [line["message"] for line in lines] == ["one", "two"]


def test_ten_thousand_denials_of_one_thing_are_one_event(world):
    def body(guest):
        for _ in range(10_000):
            assert guest.host("http", "fetch", "https://evil.example").code == "denied"

    world.offer("acme/try:try", body)
    world.call("acme/try:try")
    (event,) = world.events("lease.")
    assert (event.type, event.data["tries"], event.data["policies"]) == ("lease.denied", 10_000, ["sim.no"])
    assert (event.data["unit"], event.data["action"], event.data["resource"]) == (
        "acme/try",
        "net:http",
        "https://evil.example",
    )
    assert event.causationid == world.events("action.")[0].id


def test_denials_of_ten_thousand_things_are_few_events_and_all_counted(world):
    def body(guest):
        for n in range(9_999):
            guest.host("http", "fetch", f"https://{n}.example/" + "x" * 2_000)

    world.offer("acme/try:try", body)
    world.call("acme/try:try")
    events = world.events("lease.")
    assert len(events) <= 40
    assert sum(event.data["tries"] for event in events) == 9_999
    assert max(len(event.data["resource"]) for event in events) <= 512


def test_an_exhausted_budget_is_another_refusal_and_another_event(world):
    world.authority.exhausted.add(("acme/try", "net:http", "https://api.example"))
    world.offer("acme/try:try", lambda guest: guest.host("http", "fetch", "https://api.example").code)
    assert world.call("acme/try:try").output == "exhausted"
    assert [event.type for event in world.events("lease.")] == ["lease.exhausted"]


def test_denials_of_a_call_that_failed_are_journalled_too(world):
    def body(guest):
        guest.host("http", "fetch", "https://evil.example")
        return _trap(guest)

    world.offer("acme/try:try", body)
    with pytest.raises(GuestTrapped):
        world.call("acme/try:try")
    assert [event.type for event in world.events()] == ["home.created", "action.failed", "lease.denied"]


def test_charges_are_summed_by_grant(world):
    world.authority.granted.add(("acme/try", "net:http", "https://a.example"))

    def body(guest):
        return [guest.ask("http", "fetch", "https://a.example") for _ in range(3)]

    world.offer("acme/try:try", body)
    world.call("acme/try:try")
    assert world.events("action.")[0].data["charges"] == {"grant:net:http:https://a.example": [3, 51, 0, 0]}


def test_host_calls_beyond_the_bound_end_the_call(world):
    def body(guest):
        while True:
            guest.get("key")

    world.offer("acme/busy:busy", body, limits=Limits(host_calls=100))
    with pytest.raises(HostCallsExceeded, match="100"):
        world.call("acme/busy:busy")
    assert world.events("action.")[0].data["code"] == "RM-5016"


def test_a_bug_in_the_host_is_the_hosts_fault_and_keeps_its_cause(world):
    world.offer("acme/hit:hit", lambda guest: guest.host("fault", "break"))
    with pytest.raises(HostFault, match=r"fault\.break") as caught:
        world.call("acme/hit:hit")
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert world.events("action.")[0].data["code"] == "RM-5020"


def test_an_interrupt_in_a_host_function_goes_on_as_itself_and_leaves_nothing(world):
    def body(guest):
        guest.put("key", "value")
        guest.host("fault", "interrupt")

    world.offer("acme/hit:hit", body)
    with pytest.raises(KeyboardInterrupt):
        world.call("acme/hit:hit")
    assert _rows(world) == []


def test_a_journal_that_closes_under_a_call_that_failed_does_not_hide_the_failure(world):
    def body(guest):
        world.journal.close()
        return _trap(guest)

    world.offer("acme/trap:trap", body)
    with pytest.raises(GuestTrapped):
        world.call("acme/trap:trap")
    with pytest.raises(JournalClosed):
        world.journal.append([])


def test_an_artifact_is_prepared_once(world):
    world.offer("acme/echo:echo", lambda guest: guest.input)
    for _ in range(3):
        world.call("acme/echo:echo")
    assert world.runner.prepared == ["sha256:code-acme/echo:echo"]


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


# ---- outside any call ----


def test_a_pure_evaluation_has_no_authority_and_leaves_no_record(world):
    def body(guest):
        refused = [
            guest.host("state", "put", "key", "value", None),
            guest.emit("said.it"),
            guest.call("acme/x:y"),
            guest.host("http", "fetch", "https://a.example"),
        ]
        guest.ask("log", "write", "thinking")
        return [answer.code for answer in refused]

    action = world.offer("acme/pure:pure", body)
    answer = world.dispatcher.evaluate(action.program, "transformer.transform", ("{}",), "{}")
    assert json.loads(answer.text) == ["unavailable"] * 4
    assert world.journal.head.seq == 1


def test_outcomes_are_json_able(world):
    world.offer("acme/echo:echo", lambda guest: guest.input)
    outcome = world.call("acme/echo:echo", {"a": [1]})
    assert msgspec.convert(msgspec.to_builtins(outcome), type(outcome)) == outcome


def test_a_runner_that_fails_in_an_unforeseen_way_is_a_journalled_fault_of_the_host(world):
    def body(_guest):
        raise ZeroDivisionError

    world.offer("acme/odd:run", body)
    with pytest.raises(HostFault) as caught:
        world.call("acme/odd:run", 1)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert [event.data["code"] for event in world.events("action.failed")] == [HostFault.code]


def test_a_guest_that_has_ended_is_not_cancelled_any_more(world):
    world.offer("acme/echo:echo", lambda _guest: None)
    token, cancelled = world.dispatcher.token(), []
    world.dispatcher.call("acme/echo:echo", b"null", Caller(), token=token)
    world.runner.cancel = cancelled.append
    token.cancel()
    assert cancelled == []


def test_nothing_that_a_call_was_made_of_waits_for_the_garbage_collector(world):
    world.offer("acme/echo:echo", lambda _guest: None)
    world.runner.run = lambda *_run: GuestOutcome("ok", "null")
    world.call("acme/echo:echo")
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            world.call("acme/echo:echo")
        assert gc.collect() < 20
    finally:
        gc.enable()
