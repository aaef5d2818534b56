"""Connections for httpcore that go to checked addresses only, and end at a deadline whatever the other side does.

httpcore's own timeouts are per operation: a server that sends a byte now and then would hold a call for hours. Here
each operation gets what is left of the whole, and the bytes of both directions are counted.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import httpcore

__all__ = ["MAX_WIRE", "PinnedBackend", "TooMuchError", "WireTimeoutError"]

MAX_WIRE: Final = (4 << 20) + (256 << 10)
"""Bytes of a whole response with its headers, and of interim responses before it."""

_SLICE_S = 0.1
"""How long an operation waits before it asks whether the exchange may go on."""
_CONNECT_SHARE = 2
"""An address gets half of what is left to answer, as long as there is another to try."""


class WireTimeoutError(OSError):
    """The deadline passed."""


class TooMuchError(OSError):
    """The other side sent more than it may."""


class _Budget:
    """What is left of one exchange, and what it took so far."""

    def __init__(self, remaining: Callable[[], float], limit: int) -> None:
        self.remaining = remaining
        self.limit = limit
        self.sent = 0
        self.received = 0

    def seconds(self) -> float:
        left = self.remaining()
        if left <= 0:
            raise WireTimeoutError("the time for the request is over")
        return left


class _Stream(httpcore.NetworkStream):
    def __init__(self, connection: socket.socket, budget: _Budget) -> None:
        self._socket = connection
        self._budget = budget

    def _patiently(self, operation: Callable[[], Any]) -> Any:
        """An operation of the socket, tried again and again until the exchange must be over."""
        while True:
            self._socket.settimeout(min(self._budget.seconds(), _SLICE_S))
            try:
                return operation()
            except TimeoutError:
                continue

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        del timeout
        data: bytes = self._patiently(lambda: self._socket.recv(max_bytes))
        self._budget.received += len(data)
        if self._budget.received > self._budget.limit:
            raise TooMuchError(f"the response has more than {self._budget.limit} bytes")
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        del timeout
        view = memoryview(buffer)
        while view:
            count: int = self._patiently(lambda: self._socket.send(view))  # noqa: B023 - called before the next turn
            self._budget.sent += count
            view = view[count:]

    def close(self) -> None:
        self._socket.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        del timeout
        wrapped = ssl_context.wrap_socket(self._socket, server_hostname=server_hostname, do_handshake_on_connect=False)
        stream = _Stream(wrapped, self._budget)
        try:
            stream._patiently(wrapped.do_handshake)
        except BaseException:
            stream.close()
            raise
        return stream

    def get_extra_info(self, info: str) -> Any:
        return self._socket if info == "socket" else None


class PinnedBackend(httpcore.NetworkBackend):
    """Connects to the addresses that were checked, whatever host it is asked for.

    :param addresses: tried in this order
    :param remaining: seconds until the exchange must be over
    :param limit: bytes that may come back, headers included
    """

    def __init__(self, addresses: Sequence[str], remaining: Callable[[], float], limit: int = MAX_WIRE) -> None:
        self._addresses = addresses
        self._budget = _Budget(remaining, limit)
        self.address = ""
        """The address that answered."""

    @property
    def sent(self) -> int:
        """Bytes sent, of HTTP."""
        return self._budget.sent

    @property
    def received(self) -> int:
        """Bytes received, of HTTP."""
        return self._budget.received

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """A connection to the first pinned address that answers.

        :raises OSError: if none does
        """
        del host, timeout, local_address, socket_options
        failed: OSError = OSError("there is no address to connect to")
        for place, address in enumerate(self._addresses, 1):
            share = 1 if place == len(self._addresses) else _CONNECT_SHARE
            try:
                connection = socket.create_connection((address, port), self._budget.seconds() / share)
            except OSError as error:
                failed = error
                continue
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.address = address
            return _Stream(connection, self._budget)
        raise failed

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.NetworkStream:
        """Refused: units reach no sockets of this machine this way.

        :raises OSError: always
        """
        del path, timeout, socket_options
        raise OSError("unix sockets are not reached this way")
