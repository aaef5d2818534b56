"""A call, from reference to outcome: each step refuses in its own words, and the journal says what happened."""

from __future__ import annotations

import gc
import json

import msgspec
import pytest

from remit.errors import (
    ActionUnknown,
    DeadlineExceeded,
    Denied,
    GuestTrapped,
    HostFault,
    InputInvalid,
    InputTooLarge,
    JournalClosed,
    OutputInvalid,
    UnitFailed,
    UnitRejected,
    UnitRetry,
)
from remit.journal import verify
from remit.kernel.model import Caller, GuestOutcome, Limits
from tests.kernel.simulators import rows, trap

TEXT = {
    "type": "object",
    "properties": {"text": {"type": "string"}},
    "required": ["text"],
    "additionalProperties": False,
}


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
    assert rows(world) == []
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
    assert rows(world) == []


def test_a_journal_that_closes_under_a_call_that_failed_does_not_hide_the_failure(world):
    def body(guest):
        world.journal.close()
        return trap(guest)

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
