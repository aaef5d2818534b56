"""Simulators that several rooms need: a server on loopback that answers what it is told, however wrong."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class LoopbackServer:
    """Answers each connection with the next of ``answers`` (the last one again and again), and keeps the requests.

    An answer is bytes, or a callable that gets the connection and the request and may do anything with it.
    """

    def __init__(self, *answers: bytes | Callable[[socket.socket, bytes], None], tls: ssl.SSLContext | None = None):
        self.answers = list(answers) or [OK]
        self.requests: list[bytes] = []
        self._tls = tls
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def origin(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def _serve(self) -> None:
        while not self._stopped.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, plain: socket.socket) -> None:
        # Whoever asked may hang up in the middle: that is what most of these tests are about.
        with contextlib.suppress(OSError), plain:
            plain.settimeout(10)
            connection = self._tls.wrap_socket(plain, server_side=True) if self._tls else plain
            with connection:
                request = _read(connection)
                self.requests.append(request)
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if callable(answer):
                    answer(connection, request)
                else:
                    connection.sendall(answer)

    def drip(self, first: bytes, piece: bytes, every: float = 0.01) -> Callable[[socket.socket, bytes], None]:
        """An answer that never ends."""

        def answer(connection: socket.socket, _request: bytes) -> None:
            connection.sendall(first)
            while not self._stopped.wait(every):
                connection.sendall(piece)

        return answer

    def close(self) -> None:
        self._stopped.set()
        # A thread in accept() keeps a socket open that was only closed.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


def _read(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65_536)
        if not part:
            return data
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            while len(body) < int(value):
                body += connection.recv(65_536)
    return head + b"\r\n\r\n" + body


@pytest.fixture
def serving() -> Iterator[Callable[..., Any]]:
    """Starts servers on loopback; they stop with the test."""
    with contextlib.ExitStack() as stack:

        def start(*answers: Any, tls: ssl.SSLContext | None = None) -> LoopbackServer:
            server = LoopbackServer(*answers, tls=tls)
            stack.callback(server.close)
            return server

        yield start
