"""Clients that are too slow: a connection whose request does not arrive whole in time is closed (slowloris).

uvicorn times only idle connections; here the head of every request has a deadline and a size. What a body may take is
for whoever reads it. Every service of Remit listens with this: registries, trust domains, homes.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["PatientProtocol", "patient"]

_MOST_HEAD = 64 << 10


class PatientProtocol(HttpToolsProtocol):
    """HTTP/1.1 with a deadline for the head of each request."""

    patience: ClassVar[float] = 10.0
    """Seconds for a request's head."""
    _waiting: asyncio.TimerHandle | None = None
    _arrived = 0
    """Bytes since the head of a request is waited for."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Take what came; a head beyond its bound is not collected further."""
        self._arrived += len(data)
        super().data_received(data)
        if self._waiting is not None and self._arrived > _MOST_HEAD:
            self._give_up()

    def on_message_begin(self) -> None:
        """Begin to wait for a request's head."""
        super().on_message_begin()
        if self._waiting is None:
            self._wait()

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._end()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is waited for any more."""
        self._end()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._arrived = 0
        self._waiting = self.loop.call_later(self.patience, self._give_up)

    def _end(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _give_up(self) -> None:
        self._end()
        transport: Any = self.transport
        transport.abort()


def patient(seconds: float) -> type[PatientProtocol]:
    """The protocol with another patience; uvicorn makes the connections itself, so it is told by a class."""
    return type("PatientProtocol", (PatientProtocol,), {"patience": seconds})
