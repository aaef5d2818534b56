"""Clients that are slow on purpose: each is cut off after its bound, and holds nobody else up."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

import httpx
import pytest

from remit.host import Kernel
from tests.plugins.http.conftest import OWNER, serving

BEARER = {"authorization": f"Bearer {OWNER}"}
KNOWN = f"Host: localhost\r\nAuthorization: Bearer {OWNER}\r\n"
STRANGER = "Host: localhost\r\n"
ECHO = "POST /actions/acme/echo/echo HTTP/1.1\r\n"


@pytest.fixture
def hurried(active_home):
    """The URL of a service with little patience."""
    with (
        Kernel.open(active_home, program="tests") as kernel,
        serving(kernel, active_home, patience=0.3, body_patience=0.3) as service,
    ):
        yield service.url


@contextmanager
def dripping(url, head, drop, pause=0.05):
    """A connection on which the head was sent, and then one drop after the other until it is closed."""
    place = urlsplit(url)
    ended = threading.Event()
    with socket.create_connection((place.hostname, place.port), timeout=15) as wire:
        wire.sendall(head)

        def drip():
            with suppress(OSError):
                while not ended.wait(pause):
                    wire.sendall(drop)

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            yield wire
        finally:
            ended.set()
            thread.join()


def all_of(wire):
    """Everything until the other side closes."""
    found = b""
    with suppress(ConnectionResetError):
        while part := wire.recv(65_536):
            found += part
    return found


@pytest.mark.parametrize(
    ("address", "length"),
    [(ECHO, "Content-Length: 100000\r\n"), (ECHO, "Transfer-Encoding: chunked\r\n"),
     ("POST /events HTTP/1.1\r\nContent-Type: application/json\r\n", "Content-Length: 100000\r\n")],
)  # fmt: skip
def test_a_body_that_drips_is_cut_off_and_holds_nobody_up(hurried, address, length):
    drop = b"1\r\n1\r\n" if "chunked" in length else b"1"
    with dripping(hurried, f"{address}{KNOWN}{length}\r\n".encode(), drop) as wire:
        for _ in range(5):
            answer = httpx.post(
                f"{hurried}/actions/acme/echo/echo", json=1, headers={"authorization": f"Bearer {OWNER}"}
            )
            assert answer.json() == 1
        found = all_of(wire)
    head, _, body = found.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 ")
    assert b"application/problem+json" in head
    assert b'"code":"RM-8012"' in body


@pytest.mark.parametrize(
    "request_",
    [
        f"{ECHO}{STRANGER}Content-Length: 100000\r\n\r\n",
        f"GET /healthz HTTP/1.1\r\n{STRANGER}Content-Length: 100000\r\n\r\n",
        f"GET /nowhere HTTP/1.1\r\n{STRANGER}Transfer-Encoding: chunked\r\n\r\n",
    ],
    ids=["refused", "answered", "unknown"],
)
def test_a_body_that_nobody_reads_may_not_drip_on(hurried, request_):
    drop = b"1\r\n1\r\n" if "chunked" in request_ else b"1"
    with dripping(hurried, request_.encode(), drop) as wire:
        assert all_of(wire).startswith(b"HTTP/1.1 ")


@pytest.mark.parametrize("drop", [b"\r\n", b"G"], ids=["empty lines", "a head"])
def test_a_connection_that_was_answered_may_not_be_kept_by_drops(hurried, drop):
    with dripping(hurried, f"GET /healthz HTTP/1.1\r\n{STRANGER}\r\n".encode(), drop) as wire:
        assert all_of(wire).count(b"HTTP/1.1 200") == 1


@pytest.mark.parametrize("piece", [b"X-Long: " + b"a" * 60_000 + b"\r\n", b"a" * 60_000], ids=["many", "one"])
def test_trailers_without_end_are_hung_up_on_before_they_fill_memory(served, piece):
    sent, place = 0, urlsplit(served)
    with socket.create_connection((place.hostname, place.port), timeout=15) as wire:
        wire.sendall(f"{ECHO}{KNOWN}Transfer-Encoding: chunked\r\n\r\n1\r\n1\r\n0\r\nX-Long: 1\r\nX-Next: ".encode())
        with pytest.raises(ConnectionError):  # noqa: PT012 - which of the writes is refused is the system's business
            while sent < 64 << 20:
                sent += wire.send(piece)
    assert sent < 64 << 20


def test_a_long_body_in_the_smallest_chunks_is_still_one(served):
    text = b'"' + b"a" * 20_000 + b'"'
    chunks = b"".join(b"1\r\n%c\r\n" % letter for letter in text) + b"0\r\n\r\n"
    place = urlsplit(served)
    with socket.create_connection((place.hostname, place.port), timeout=15) as wire:
        wire.sendall(f"{ECHO}{KNOWN}Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n".encode() + chunks)
        assert all_of(wire).endswith(text)


def test_who_does_not_read_the_answer_is_hung_up_on(active_home):
    with (
        Kernel.open(active_home, program="tests") as kernel,
        serving(kernel, active_home, patience=0.3) as service,
    ):
        for _ in range(5):
            kernel.emit_all([("some.topic", {"text": "x" * 3_000}) for _ in range(200)])
        place = urlsplit(service.url)
        with socket.socket() as wire:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            wire.settimeout(15)
            wire.connect((place.hostname, place.port))
            wire.sendall(f"GET /events?limit=10000 HTTP/1.1\r\n{KNOWN}\r\n".encode() * 8)
            assert wire.recv(1).startswith(b"H")
            _wait_until_closed(wire)
            found = all_of(wire)
    assert len(found) < 8 * 3_000_000


def _wait_until_closed(wire):
    """Return when the other side has hung up; nothing is read meanwhile."""
    with suppress(OSError):
        while True:
            wire.sendall(b"\r\n")
            threading.Event().wait(0.05)
