"""The socket: whatever comes through it is answered or hung up on; the kernel lives, and nobody else gets in."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remit.errors import PeerRefused, ProtocolError, SourceReserved
from remit.host import Client, Home, Kernel, wire
from remit.host.operations import Operations
from remit.kernel.model import Caller
from tests.host.processes import ROOT

OPERATIONS = sorted(name for name in vars(Operations) if not name.startswith("_"))


@pytest.fixture(scope="module")
def serving(active_template, tmp_path_factory):
    """A kernel for many examples, and its socket."""
    home = Path(shutil.copytree(active_template, tmp_path_factory.mktemp("serving") / "home"))
    with Kernel.open(home) as kernel:
        yield kernel, home


def _connect(home):
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(20)
    with wire.address(home / ".remit" / "kernel.sock") as where:
        connection.connect(where)
    return connection


def _talk(home, data):
    """Send bytes, then hang up one way; every line that comes back."""
    with closing(_connect(home)) as connection:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
        except OSError:  # the kernel was quicker to hang up
            return []
        answer = b""
        try:
            while part := connection.recv(1 << 16):
                answer += part
        except ConnectionResetError:
            pass
        return [json.loads(line) for line in answer.splitlines()]


def _ask(home, method, params, number=1):
    """The answer to one request."""
    with closing(_connect(home)) as connection:
        request = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        connection.sendall(json.dumps(request).encode() + b"\n")
        with connection.makefile("rb") as lines:
            for line in lines:
                message = json.loads(line)
                if message.get("id") == number:
                    return message
    return None


def _alive(home):
    assert _ask(home, "hello", {})["result"]["pid"] == os.getpid()


QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@QUICK
@given(data=st.binary(max_size=300) | st.binary(max_size=300).map(lambda data: data + b"\n"))
def test_random_bytes_are_hung_up_on(serving, caplog, data):
    _, home = serving
    _talk(home, data)
    _alive(home)
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
    for line in _talk(home, data):
        assert line["jsonrpc"] == "2.0"
        if "error" in line:
            assert line["error"]["data"]["code"].startswith("RM-")
    _alive(home)
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
    answer = _ask(home, operation, {"arguments": data.draw(st.fixed_dictionaries(values))})
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
    answer = _ask(home, method, {"arguments": {}})
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
    assert _ask(home, "unit", params)["error"]["data"]["code"] == ProtocolError.code


def test_a_message_without_end_is_hung_up_on(serving, monkeypatch):
    _, home = serving
    monkeypatch.setattr(wire, "_MAX_FRAME", 1 << 16)
    assert _talk(home, b"x" * (1 << 17)) == []
    _alive(home)


def test_an_answer_beyond_a_message_is_an_error_not_a_hang(serving, monkeypatch):
    kernel, home = serving
    for _ in range(20):
        kernel.emit("big.one", "x" * 3_500)
    monkeypatch.setattr(wire, "_MAX_FRAME", 1 << 15)
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
    assert _talk(home, text) == []
    assert kernel.home().head == head
    assert _ask(home, "emit", request["params"])["result"]["seq"] == head + 1


def test_two_requests_of_one_number_are_told_apart(serving):
    kernel, home = serving
    wait = {"arguments": {"after": kernel.home().head, "prefixes": [""], "limit": 1, "last": 0, "wait_ms": 20_000}}
    with closing(_connect(home)) as connection:
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


def test_who_calls_is_said_by_the_kernel_and_not_by_the_client(serving):
    kernel, home = serving
    caller = {
        "client": "evil",
        "chain": [unit.ref.digest for unit in kernel.units()],
        "hops": 10**6,
        "principal": "local",
    }
    answer = _ask(
        home,
        "emit",
        {"arguments": {"topic": "who.am_i", "data": None, "reply_to": "", "priority": 0}, "caller": caller},
    )
    source = answer["result"]["event"]["source"]
    assert source.startswith(f"//{kernel.home().id}/client/{os.getpid()}-")
    # A chain that the client could set would make the unit refuse itself.
    arguments = {"action": "acme/echo:echo", "text": "{}", "durability": "committed"}
    assert _ask(home, "call", {"arguments": arguments, "caller": caller})["result"]["output"] == {}


@pytest.mark.parametrize("topic", ["lease.given", "unit.applied", "action.completed", "grant.revoked", "home.created"])
def test_a_client_cannot_speak_for_the_kernel_and_no_model_moves(serving, topic):
    kernel, home = serving
    before = {model: kernel.state(model) for model in kernel.models()}
    head = kernel.home().head
    forged = {"id": "x", "units": [], "grants": [], "number": 99}
    answer = _ask(home, "emit", {"arguments": {"topic": topic, "data": forged, "reply_to": "", "priority": 0}})
    assert answer["error"]["data"]["code"] == SourceReserved.code
    with pytest.raises(SourceReserved):
        kernel.emit(topic, forged)
    assert kernel.home().head == head
    assert {model: kernel.state(model) for model in kernel.models()} == before


def test_a_client_that_does_not_read_does_not_keep_the_kernel(active_home, monkeypatch):
    monkeypatch.setattr("remit.host.server._SEND_TIMEOUT_S", 1)
    with Kernel.open(active_home) as kernel:
        for _ in range(300):
            kernel.emit("big.one", "x" * 4_000)
        deaf = _connect(active_home)
        arguments = {"after": 0, "prefixes": [""], "limit": 10_000, "last": 0, "wait_ms": 0}
        for number in range(8):
            deaf.sendall(
                json.dumps({"id": number, "method": "events", "params": {"arguments": arguments}}).encode() + b"\n"
            )
        assert deaf.recv(1, socket.MSG_PEEK) == b"{", "the first request is under way"
        assert kernel.home().pid == os.getpid()
    deaf.close()
    Kernel.open(active_home).close()


def test_a_listener_of_another_user_is_refused(home, monkeypatch):
    with Kernel.open(home):
        monkeypatch.setattr("remit.host.client.peer_uid", lambda _: os.geteuid() + 1)
        with pytest.raises(PeerRefused):
            Client(Home.open(home))


def test_a_kernel_of_another_version_is_refused(home, monkeypatch):
    with Kernel.open(home):
        monkeypatch.setattr("remit.host.server.VERSION", "9.9.9")
        with pytest.raises(ProtocolError, match=r"9\.9\.9"):
            Client(Home.open(home))


def test_more_clients_than_places_are_turned_away_and_the_rest_served(home, monkeypatch):
    monkeypatch.setattr("remit.host.server._MOST_CONNECTIONS", 3)
    with Kernel.open(home):
        held = [_connect(home) for _ in range(3)]
        for connection in held:
            connection.sendall(b'{"id": 0, "method": "hello"}\n')
            assert connection.recv(1)
        extra = _connect(home)
        assert extra.recv(1) == b""
        for connection in [*held, extra]:
            connection.close()


STRANGER = """
import os, socket, sys
path = sys.argv[1]
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
connection = socket.socket(socket.AF_UNIX)
connection.settimeout(20)
try:
    connection.connect(path)
    connection.sendall(b'{"id": 0, "method": "hello"}\\n')
    print("answered" if connection.recv(100) else "hung up")
except PermissionError:
    print("refused")
except (BrokenPipeError, ConnectionResetError):
    print("hung up")
"""


def test_another_users_process_gets_nothing(home_template):
    root = Path(tempfile.mkdtemp(prefix="remit-stranger-"))
    try:
        root.chmod(0o755)
        home = root / "home"
        shutil.copytree(home_template, home)
        home.chmod(0o755)
        path = home / ".remit" / "kernel.sock"
        with Kernel.open(home):
            private, sock = path.parent.stat(), path.stat()
            assert (private.st_mode & 0o777, sock.st_mode & 0o777) == (0o700, 0o600)
            assert private.st_uid == sock.st_uid == os.geteuid()
            if os.geteuid() == 0:  # only the superuser can become somebody else
                assert _stranger(path) == "refused"
                path.parent.chmod(0o755)
                path.chmod(0o666)  # even if both doors were left open, the kernel looks at who it is
                assert _stranger(path) == "hung up"
    finally:
        shutil.rmtree(root)


def _stranger(path):
    done = subprocess.run(
        [sys.executable, "-c", STRANGER, str(path)], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return done.stdout.strip()


def test_a_peer_that_the_system_cannot_name_is_refused():
    one, other = socket.socketpair()
    one.close()
    with closing(other), pytest.raises(PeerRefused):
        wire.peer_uid(_Broken())


class _Broken:
    def getsockopt(self, *_):
        raise OSError


@given(
    st.builds(
        wire.Message,
        id=st.none() | st.integers(-(2**53), 2**53),
        method=st.text(max_size=5),
        params=st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
    )
)
def test_a_message_is_one_line_and_comes_back_whole(message):
    one, other = socket.socketpair()
    sender, receiver = wire.Channel(one), wire.Channel(other)
    sender.send(message)
    assert receiver.receive() == message
    sender.close()
    assert receiver.receive() is None
    receiver.close()
    assert b"\n" not in msgspec.json.encode(message)
