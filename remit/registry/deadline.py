"""Connections that end at a deadline, whatever the other side does.

httpcore's timeouts begin anew with each read: a head that comes byte by byte, or interim responses (1xx) without end,
would hold a thread for hours before there is an answer whose size or time could be looked at.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable
from typing import Any

import httpcore
import httpx

__all__ = ["hurry"]

_STEP = 1 << 16


def hurry(client: httpx.Client, left: Callable[[], float]) -> None:
    """Let every connection of a client, through proxies too, end when nothing is left.

    :param left: seconds until everything must be over
    """
    # httpx has no public way to say this: a transport of our own would lose the proxies of the environment.
    for transport in (client._transport, *client._mounts.values()):  # noqa: SLF001
        if isinstance(transport, httpx.HTTPTransport):
            transport._pool._network_backend = _Backend(left)  # noqa: SLF001


class _Backend(httpcore.SyncBackend):
    def __init__(self, left: Callable[[], float]) -> None:
        self._left = left

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """A connection that knows the deadline."""
        within = _within(timeout, self._left)
        return _Stream(super().connect_tcp(host, port, within, local_address, socket_options), self._left)


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream, left: Callable[[], float]) -> None:
        self._inner = inner
        self._left = left

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _within(timeout, self._left))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        # In steps, since the timeout is for each part that the system takes.
        for start in range(0, len(buffer), _STEP):
            self._inner.write(buffer[start : start + _STEP], _within(timeout, self._left))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        within = _within(timeout, self._left)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, within), self._left)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _within(timeout: float | None, left: Callable[[], float]) -> float:
    seconds = left()
    if seconds <= 0:
        raise httpcore.ReadTimeout("the time for all of it is over")
    return seconds if timeout is None else min(timeout, seconds)
