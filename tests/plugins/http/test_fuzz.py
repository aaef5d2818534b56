"""Streams and addresses asked for in every way: an answer, or a problem of the known form; never a fault of ours."""

from __future__ import annotations

import os
import socket
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.plugins.http.conftest import OWNER

EXAMPLES = 40 * int(os.environ.get("REMIT_SOAK", "1"))
WORDS = (
    st.text(max_size=30) | st.integers(-(10**30), 10**30).map(str) | st.sampled_from(["topic", "none", "a.", "1", "0"])
)
VALUES = st.binary(max_size=40).map(lambda raw: bytes(byte for byte in raw if byte in b"\t" or 32 <= byte != 127))
QUERIES = st.lists(
    st.tuples(st.sampled_from(["after", "prefix", "names", "limit", "last", "at", "x"]) | WORDS, WORDS), max_size=6
)
ADDRESSES = st.sampled_from(["/events", "/state/health", "/state/actions", "/state/none"]) | WORDS.map(
    lambda word: f"/state/{word}"
)


@pytest.fixture
def watcher(served):
    headers = {"authorization": f"Bearer {OWNER}", "accept": "text/event-stream"}
    with httpx.Client(base_url=served, headers=headers, timeout=30) as http:
        yield http


def test_streams_begin_or_are_refused_whatever_is_asked(watcher):
    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), deadline=None)
    @given(address=ADDRESSES, query=QUERIES, resumed=st.none() | VALUES)
    def ask(address, query, resumed):
        headers = {} if resumed is None else {"last-event-id": resumed}
        try:
            url = httpx.URL(address, params=query)
        except httpx.InvalidURL:  # the client would not send it
            return
        with watcher.stream("GET", url, headers=headers) as answer:
            kind = answer.headers["content-type"]
            if answer.status_code == 200 and kind.startswith("text/event-stream"):
                assert next(answer.iter_raw()).startswith((b": ", b"id: "))
                return
            body = answer.read()
        assert answer.status_code < 500
        if answer.status_code >= 400:
            assert (kind, b'"code":"RM-' in body, b"Traceback" in body) == ("application/problem+json", True, False)

    ask()


TARGETS = [
    "/state/../remit.toml", "/state/..%2f..%2fremit.toml", "/state/%2e%2e/%2e%2e/etc/passwd", "/state//", "state", "*",
    "/ui/static/..%2fviews.py", "/ui/static/../../views.py", "/ui/static/%2e%2e%2fapp.js", "//evil.example/state",
    "/state/generations%00", "/state/health/..;/", "/actions/../../state", "/actions/acme/echo%2fecho/echo",
    "/spec/..%5c..%5copenapi", "http://evil.example/state", "/state/%ff%fe", "/state/" + "a/" * 500,
    "/ui/episodes/..%2f..%2f",
]  # fmt: skip


def test_an_address_leads_nowhere_but_to_what_is_served(served):
    known = f"Host: localhost\r\nAuthorization: Bearer {OWNER}\r\n"
    for target in TARGETS:
        answer = spoken(served, f"GET {target} HTTP/1.1\r\n{known}".encode())
        assert int(answer.split(b" ", 2)[1]) < 500, target
        for inside in (b"root:", b"[[unit]]", b"from __future__", b"Traceback", b"posture ="):
            assert inside not in answer, target


INJECTED = [b"a\rSet-Cookie: x=1", b"a\nSet-Cookie: x=1", b"a\r\n Set-Cookie: x=1", b"\xff\x00", b"x" * 9_999]


@pytest.mark.parametrize("name", ["Remit-Correlation", "Idempotency-Key", "traceparent", "Last-Event-ID", "Origin"])
def test_what_a_header_says_becomes_no_header_of_ours(served, name):
    head = (
        "POST /actions/acme/echo/echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {OWNER}\r\n{name}: "
    ).encode()
    answers = [spoken(served, head + value + b"\r\n", b"1") for value in INJECTED]
    assert [answer for answer in answers if b" 500 " in answer.split(b"\r\n")[0]] == []
    assert [answer for answer in answers if b"set-cookie" in answer.lower().partition(b"\r\n\r\n")[0]] == []


def spoken(url, head, body=b""):
    """The answer to these bytes."""
    place = urlsplit(url)
    with socket.create_connection((place.hostname, place.port), timeout=30) as wire:
        wire.sendall(head + f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
        found = b""
        try:
            while part := wire.recv(65_536):
                found += part
        except ConnectionResetError:
            pass
    return found
