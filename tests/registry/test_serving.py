"""A registry's service hangs up on who keeps it waiting, and serves the others meanwhile."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from queue import SimpleQueue
from urllib.parse import urlsplit

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from remit.registry.serving import run


@pytest.fixture
def served(monkeypatch):
    """The address of an application that is served with little patience."""
    servers, addresses = [], SimpleQueue()
    start = uvicorn.Server.run

    def kept(server, sockets=None):
        servers.append(server)
        start(server, sockets)

    monkeypatch.setattr(uvicorn.Server, "run", kept)
    application = Starlette(routes=[Route("/", lambda _request: PlainTextResponse("here"))])
    thread = threading.Thread(target=run, args=(application, "127.0.0.1", 0, addresses.put), kwargs={"patience": 0.2})
    thread.start()
    yield addresses.get(timeout=30)
    servers[0].should_exit = True
    thread.join()


def connected(address):
    parts = urlsplit(address)
    return socket.create_connection((parts.hostname, parts.port), timeout=30)


@pytest.mark.parametrize("head", [b"", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "])
def test_a_head_that_never_ends_is_hung_up_on(served, head):
    with connected(served) as wire:
        wire.sendall(head)
        with suppress(ConnectionResetError):
            assert wire.recv(1) == b""


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
