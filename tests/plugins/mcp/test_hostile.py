"""Whatever a client sends: an answer below 500 or a closed line, never a traceback, and the next client is served."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.plugins.mcp.conftest import INITIALIZE

EXAMPLES = 40 * int(os.environ.get("REMIT_SOAK", "1"))
HEADS = {"accept": "application/json, text/event-stream", "authorization": "Bearer local"}
METHODS = st.sampled_from([
    "initialize", "ping", "tools/list", "tools/call", "resources/list", "resources/read", "resources/templates/list",
    "prompts/list", "notifications/cancelled", "notifications/initialized", "logging/setLevel",
    "sampling/createMessage", "tasks/get", "",
])  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "arguments", "uri", "cursor", "_meta", "progressToken", "requestId"]), inner
        )
    ),
    max_leaves=8,
)
MESSAGES = st.fixed_dictionaries(
    {"jsonrpc": st.sampled_from(["2.0", "1.0"]), "method": METHODS},
    optional={"id": st.integers() | st.text(max_size=5) | JSON, "params": JSON},
)
QUICK = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture
def opened(url):
    """A client with a session, and the session's header."""
    with httpx.Client(headers=HEADS, timeout=20) as http:
        answer = http.post(url, json=INITIALIZE)
        again = {"mcp-session-id": answer.headers["mcp-session-id"]}
        http.post(url, json={"jsonrpc": "2.0", "method": "notifications/initialized"}, headers=again)
        yield http, url, again


def fine(answer):
    assert answer.status_code < 500
    assert "Traceback" not in answer.text


def test_messages_of_any_shape_get_an_answer_that_is_no_fault_of_ours(opened):
    http, url, again = opened

    @QUICK
    @given(message=MESSAGES | JSON)
    def send(message):
        fine(http.post(url, content=json.dumps(message).encode(), headers=again | {"content-type": "application/json"}))

    send()
    listed = http.post(url, json={"jsonrpc": "2.0", "id": "last", "method": "tools/list"}, headers=again)
    assert "acme__echo__echo" in listed.text


def test_bytes_of_any_kind_do_not_either(opened):
    http, url, again = opened

    @QUICK
    @given(data=st.binary(max_size=200), kind=st.sampled_from(["application/json", "text/plain", ""]))
    def send(data, kind):
        fine(http.post(url, content=data, headers=again | {"content-type": kind}))

    send()


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b"\xff\xfe",
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"acme__echo__echo","arguments":{"a":1e999}}}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"acme__echo__echo","arguments":{"a":'
        + b"9" * 5_000
        + b"}}}",
    ],
)
def test_deep_broken_and_huge_numbers_are_refused(opened, body):
    http, url, again = opened
    fine(http.post(url, content=body, headers=again | {"content-type": "application/json"}))


def test_a_body_beyond_the_bound_is_refused_unread(opened):
    http, url, again = opened
    answer = http.post(url, content=b" " * (5 << 20), headers=again | {"content-type": "application/json"})
    assert answer.status_code == 413


def test_a_session_that_is_not_known_is_not_found(opened):
    http, url, _ = opened
    for method in ("GET", "POST", "DELETE"):
        answer = http.request(method, url, json=INITIALIZE, headers={"mcp-session-id": "0" * 32})
        assert answer.status_code == 404


def test_lines_of_any_kind_on_standard_input_end_neither_the_server_nor_its_answers(active_home):
    program = "import sys; from remit.cli import main; sys.argv[0] = 'remit'; main()"
    lines = [
        json.dumps(INITIALIZE).encode(),
        b'{"jsonrpc":"2.0","method":"notifications/initialized"}',
        b"", b"{", b"\xff" * 100, b"[" * 100_000, b"x" * (9 << 20), b"[1,2]", b"null",
        b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":7}}',
        b'{"jsonrpc":"2.0","id":8,"method":"tools/list"}',
    ]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-c", program, "mcp", "serve", "--home", str(active_home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        process.stdin.write(b"\n".join(lines) + b"\n")
        process.stdin.flush()
        answers = {}
        while 8 not in answers:
            line = process.stdout.readline()
            assert line, "the server hung up"
            message = json.loads(line)
            answers[message.get("id")] = message
        process.stdin.close()
        errors = process.stderr.read().decode()
        assert process.wait(60) == 0
    assert answers[7]["error"]["code"] == -32602
    assert "acme__echo__echo" in json.dumps(answers[8])
    assert errors == ""
