"""A registry's service hangs up on who keeps it waiting, and serves the others meanwhile."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import suppress
from queue import SimpleQueue
from urllib.parse import urlsplit

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from remit.registry.patience import GatheringTransport, arriving
from remit.registry.serving import run

LEFT = threading.Event()


def _large(_request):
    async def parts():
        try:
            for _ in range(256):
                yield bytes(1 << 20)
        finally:
            LEFT.set()

    return StreamingResponse(parts())


async def _take(request):
    return PlainTextResponse(str(sum([len(part) async for part in arriving(request)])))


@pytest.fixture
def served(monkeypatch):
    """The address of an application that is served with little patience."""
    servers, addresses = [], SimpleQueue()
    start = uvicorn.Server.run

    def kept(server, sockets=None):
        servers.append(server)
        start(server, sockets)

    monkeypatch.setattr(uvicorn.Server, "run", kept)
    here = Route("/", lambda _request: PlainTextResponse("here"), methods=["GET", "POST"])
    application = Starlette(routes=[here, Route("/large", _large), Route("/take", _take, methods=["POST"])])
    thread = threading.Thread(target=run, args=(application, "127.0.0.1", 0, addresses.put), kwargs={"patience": 0.2})
    thread.start()
    yield addresses.get(timeout=30)
    servers[0].should_exit = True
    thread.join()


def connected(address):
    parts = urlsplit(address)
    return socket.create_connection((parts.hostname, parts.port), timeout=30)


def read_here(wire):
    """Reads the whole answer of the application's first page."""
    answer = b""
    while not answer.endswith(b"here"):
        more = wire.recv(1_000)
        assert more, "hung up on"
        answer += more


@pytest.mark.parametrize("head", [b"", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "])
def test_a_head_that_never_ends_is_hung_up_on(served, head):
    with connected(served) as wire:
        wire.sendall(head)
        with suppress(ConnectionResetError):
            assert wire.recv(1) == b""


def test_a_later_head_that_never_ends_is_hung_up_on_too(served):
    with connected(served) as wire:
        wire.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        read_here(wire)
        wire.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        with suppress(ConnectionResetError):
            assert wire.recv(1) == b""


@pytest.mark.parametrize("more", [b"x", b"\r\n", b"\n"])
@pytest.mark.parametrize("body", [b"", b"Content-Length: 100\r\n"])
def test_who_says_a_little_after_the_answer_and_then_nothing_is_hung_up_on(served, more, body):
    with connected(served) as wire:
        wire.sendall(b"POST / HTTP/1.1\r\nHost: x\r\n" + body + b"\r\n")
        read_here(wire)
        wire.sendall(more)
        with suppress(ConnectionResetError):
            while wire.recv(1_000):  # what is no request gets an answer before
                pass


def test_a_connection_goes_on_after_a_body_that_nobody_read(served):
    with connected(served) as wire:
        for _ in range(3):
            wire.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n")
            read_here(wire)
            wire.sendall(b"abc")


def test_who_takes_nothing_of_an_answer_is_hung_up_on(served):
    LEFT.clear()
    with connected(served) as wire:
        wire.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        assert LEFT.wait(15)


def test_who_takes_an_answer_slowly_is_not(served):
    LEFT.clear()
    with connected(served) as wire:
        wire.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        for _ in range(200):
            assert wire.recv(1 << 18)
            LEFT.wait(0.005)
        assert not LEFT.is_set()


def test_others_are_served_meanwhile(served):
    with connected(served) as wire:
        wire.sendall(b"GET / HTTP/1.1\r\n")
        assert httpx.get(served).text == "here"


def test_a_head_without_end_is_hung_up_on_before_it_fills_memory(served):
    sent = 0
    with connected(served) as wire:
        wire.sendall(b"GET / HTTP/1.1\r\nX-Long: ")
        with pytest.raises(ConnectionError):  # noqa: PT012 - which of the writes is refused is the system's business
            while sent < 64 << 20:
                sent += wire.send(b"a" * 65536)
    assert sent < 64 << 20


class _Sent:
    """A transport that notes each send."""

    def __init__(self):
        self.sent = []
        self.closed = False

    def write(self, data):
        assert not self.closed
        self.sent.append(bytes(data))

    def is_closing(self):
        return self.closed

    def close(self):
        self.closed = True

    abort = close


async def _gathered(write):
    """What is sent of what ``write`` does with a transport, by the end of this turn of the loop and of the next."""
    sent = _Sent()
    write(GatheringTransport(sent, asyncio.get_running_loop()))
    now = list(sent.sent)
    await asyncio.sleep(0)
    return now, sent.sent


def test_what_is_written_in_one_turn_is_sent_at_once():
    now, then = asyncio.run(_gathered(lambda transport: [transport.write(part) for part in (b"head", b"", b"body")]))
    assert (now, then) == ([], [b"headbody"])


def test_what_is_long_is_not_held_back():
    parts = [bytes(40_000), bytes(40_000), b"rest"]
    now, then = asyncio.run(_gathered(lambda transport: [transport.write(part) for part in parts]))
    assert (now, then) == ([bytes(80_000)], [bytes(80_000), b"rest"])


def test_closing_sends_what_was_written_and_aborting_does_not():
    closed, _ = asyncio.run(_gathered(lambda transport: (transport.write(b"bye"), transport.close())))
    _, aborted = asyncio.run(_gathered(lambda transport: (transport.write(b"bye"), transport.abort())))
    assert (closed, aborted) == ([b"bye"], [])


@pytest.mark.parametrize(("first", "drip"), [(0, b""), (0, b"x"), (3 << 20, b"")])
def test_a_body_that_comes_too_slowly_is_refused_and_hung_up_on(served, monkeypatch, first, drip):
    monkeypatch.setattr("remit.registry.patience._GRACE_S", 0.2)
    with connected(served) as wire:
        wire.sendall(b"POST /take HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4194304\r\n\r\n" + bytes(first))
        wire.settimeout(0.02)
        answer = b""
        while not answer.endswith(b"too slowly"):
            with suppress(TimeoutError):
                answer += wire.recv(1_000)
            with suppress(OSError):
                wire.sendall(drip)
        wire.settimeout(30)
        with suppress(ConnectionResetError):  # what was sent to nobody
            assert wire.recv(1_000) == b""
    assert answer.startswith(b"HTTP/1.1 408 ")


def test_a_body_that_keeps_coming_is_taken_however_long_it_is(served, monkeypatch):
    monkeypatch.setattr("remit.registry.patience._GRACE_S", 0.2)
    parts = [bytes(4 << 10)] * 50

    def slowly():
        for part in parts:
            threading.Event().wait(0.02)
            yield part

    answer = httpx.post(served + "/take", content=slowly(), timeout=30)
    assert (answer.status_code, answer.text) == (200, str(50 * (4 << 10)))
