"""Whatever comes through the socket is answered or hung up on, and the kernel lives."""

from __future__ import annotations

import json
import os
import socket
from contextlib import closing

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remit.errors import ProtocolError
from remit.host import Client, Home
from remit.host.operations.operations import Operations
from remit.host.wire import messages
from remit.kernel.model import Caller
from tests.host.talking import alive, ask, connect, talk

OPERATIONS = sorted(name for name in vars(Operations) if not name.startswith("_"))


QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@QUICK
@given(data=st.binary(max_size=300) | st.binary(max_size=300).map(lambda data: data + b"\n"))
def test_random_bytes_are_hung_up_on(serving, caplog, data):
    _, home = serving
    talk(home, data)
    alive(home)
    assert [record for record in caplog.records if record.exc_info] == []


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from([10**30, -(10**30), 2**63, ""]) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


PARAMETERS = [
    "reference",
    "allow_unsigned",
    "unit",
    "version",
    "edits",
    "plan",
    "consent",
    "message",
    "before",
    "after",
    "name",
    "generation",
    "action",
    "text",
    "durability",
    "topic",
    "data",
    "prefixes",
    "limit",
    "last",
    "model",
    "at",
    "grant",
    "reason",
]


MESSAGES = st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0")},
    optional={
        "id": JUNK | st.integers(0, 3),
        "method": JUNK
        | st.sampled_from([*OPERATIONS, "cancel", "hello", "progress", "accepted", "_leases", "__init__"]),
        "params": JUNK
        | st.fixed_dictionaries(
            {},
            optional={
                "id": JUNK,
                "arguments": st.dictionaries(st.sampled_from(PARAMETERS), JUNK, max_size=5),
                "caller": st.dictionaries(st.sampled_from(Caller.__struct_fields__), JUNK, max_size=4),
            },
        ),
        "result": JUNK,
        "error": JUNK,
    },
)


@QUICK
@given(messages=st.lists(MESSAGES, min_size=1, max_size=5))
def test_messages_of_any_shape_are_answered_or_hung_up_on(serving, caplog, messages):
    _, home = serving
    data = b"".join(json.dumps(message).encode() + b"\n" for message in messages)
    for line in talk(home, data):
        assert line["jsonrpc"] == "2.0"
        if "error" in line:
            assert line["error"]["data"]["code"].startswith("RM-")
    alive(home)
    assert [record.getMessage() for record in caplog.records if record.exc_info] == []


def _annotations(operation):
    from remit.host.kernel import _parameters  # noqa: PLC0415 - what the server itself goes by

    return _parameters(operation)


@settings(QUICK, max_examples=150)
@given(data=st.data())
def test_arguments_of_the_right_names_and_any_value_are_a_typed_answer(serving, caplog, data):
    _, home = serving
    operation = data.draw(st.sampled_from(OPERATIONS))
    values = {
        name: st.sampled_from([0, 1, 10**30, -(10**30)]) | JUNK
        if kind in (int, int | None)
        else JUNK | st.text(max_size=8)
        for name, kind in _annotations(operation).items()
    }
    if "wait_ms" in values:
        values |= {
            "wait_ms": st.just(0),
            "prefixes": st.just([""]),
            "limit": st.integers(-1, 10**30),
            "after": st.integers(-(10**30), 10**30),
            "last": st.integers(-(10**30), 10**30),
        }
    answer = ask(home, operation, {"arguments": data.draw(st.fixed_dictionaries(values))})
    assert ("result" in answer) != ("error" in answer)
    if "error" in answer:
        assert answer["error"]["data"]["code"] != "RM-0000", answer
    assert [record.getMessage() for record in caplog.records if record.exc_info] == []


@pytest.mark.parametrize(
    "method",
    [
        "_leases",
        "_fetch",
        "__init__",
        "__class__",
        "nope",
        "call()",
        "perform",
        "close",
        "rooms",
        "_rooms",
        "home.__doc__",
        "x" * 10_000,
    ],
)
def test_only_what_the_facade_offers_is_an_operation(serving, method):
    kernel, home = serving
    answer = ask(home, method, {"arguments": {}})
    assert answer["error"]["data"]["code"] == ProtocolError.code
    assert len(answer["error"]["message"]) < 300
    with pytest.raises(ProtocolError):
        kernel.perform(method, {}, object, caller=Caller(), progress=lambda *_: None)


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"arguments": []},
        {"arguments": {"unit": 5}},
        {"arguments": {}},
        {"arguments": {"unit": "a", "more": 1}},
        {"arguments": {"unit": None}},
        {"arguments": {"unit": "a"}, "caller": 5},
        {"arguments": {"unit": "a"}, "caller": {"hops": "x"}},
    ],
)
def test_arguments_that_do_not_fit_are_named(serving, params):
    _, home = serving
    assert ask(home, "unit", params)["error"]["data"]["code"] == ProtocolError.code


def test_a_message_without_end_is_hung_up_on(serving, monkeypatch):
    _, home = serving
    monkeypatch.setattr(messages, "_MAX_FRAME", 1 << 16)
    assert talk(home, b"x" * (1 << 17)) == []
    alive(home)


def test_an_answer_beyond_a_message_is_an_error_not_a_hang(serving, monkeypatch):
    kernel, home = serving
    for _ in range(20):
        kernel.emit("big.one", "x" * 3_500)
    monkeypatch.setattr(messages, "_MAX_FRAME", 1 << 15)
    client = Client(Home.open(home))
    with pytest.raises(ProtocolError, match="MiB"):
        client.events(last=20)
    assert client.home().pid == os.getpid()
    client.close()


def test_a_cut_off_request_is_not_performed(serving):
    kernel, home = serving
    head = kernel.home().head
    arguments = {"topic": "cut.off", "data": 1, "reply_to": "", "priority": 0}
    request = {"jsonrpc": "2.0", "id": 1, "method": "emit", "params": {"arguments": arguments}}
    text = json.dumps(request).encode()
    assert talk(home, text) == []
    assert kernel.home().head == head
    assert ask(home, "emit", request["params"])["result"]["seq"] == head + 1


def test_two_requests_of_one_number_are_told_apart(serving):
    kernel, home = serving
    wait = {"arguments": {"after": kernel.home().head, "prefixes": [""], "limit": 1, "last": 0, "wait_ms": 20_000}}
    with closing(connect(home)) as connection:
        for _ in range(2):
            connection.sendall(json.dumps({"id": 1, "method": "events", "params": wait}).encode() + b"\n")
        with connection.makefile("rb") as lines:
            answers = [message for message in map(json.loads, _until(lines, "error")) if "error" in message]
            assert answers[0]["error"]["data"]["code"] == ProtocolError.code
            kernel.emit("wake.up")
            *_, last = _until(lines, "result")
            assert json.loads(last)["result"][0]["event"]["type"] == "wake.up"


def _until(lines, key):
    for line in lines:
        yield line
        if key in json.loads(line):
            return


@given(
    st.builds(
        messages.Message,
        id=st.none() | st.integers(-(2**53), 2**53),
        method=st.text(max_size=5),
        params=st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
    )
)
def test_a_message_is_one_line_and_comes_back_whole(message):
    one, other = socket.socketpair()
    sender, receiver = messages.Channel(one), messages.Channel(other)
    sender.send(message)
    assert receiver.receive() == message
    sender.close()
    assert receiver.receive() is None
    receiver.close()
    assert b"\n" not in msgspec.json.encode(message)
