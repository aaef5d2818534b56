"""Clients that are too slow: a connection whose request does not arrive whole in time is closed (slowloris).

uvicorn times only idle connections, and forgets to once anything comes; here the head of every request has a deadline
and a size, what comes after an answer has the same deadline to become a request, and who takes nothing of an answer is
hung up on. What a body may take is for whoever reads it. Every service of Remit listens with this: registries, trust
domains, homes.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["GatheringTransport", "PatientProtocol", "patient"]

_MOST_HEAD = 64 << 10
_MOST_GATHERED = 64 << 10


class GatheringTransport:
    """A transport that sends what is written in one turn of the loop at once: a response's head with its body.

    What is written beyond 64 KiB is sent at once, so that whoever writes on and on is paused as ever.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._parts: list[bytes] = []
        self._size = 0

    def __getattr__(self, name: str) -> Any:
        """Everything else is the transport's own."""
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send soon."""
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(data)
        self._size += len(data)
        if self._size > _MOST_GATHERED:
            self._flush()

    def _flush(self) -> None:
        parts, self._parts, self._size = self._parts, [], 0
        if parts and not self._transport.is_closing():
            self._transport.write(b"".join(parts))

    def close(self) -> None:
        """Send what was written, then close."""
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        """Close at once; what was not sent is lost."""
        self._parts = []
        self._transport.abort()


class PatientProtocol(HttpToolsProtocol):
    """HTTP/1.1 with a deadline for the head of each request."""

    patience: ClassVar[float] = 10.0
    """Seconds for a request's head."""
    stall: ClassVar[float] = 30.0
    """Seconds in which a client has to take something of what waits for it."""
    _stalled: asyncio.TimerHandle | None = None
    _waiting: asyncio.TimerHandle | None = None
    _heading = True
    """Whether a request's head is waited for, the first from the beginning."""
    _arrived = 0
    """Bytes since the head of a request is waited for."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin to wait for the first request."""
        gathering: Any = GatheringTransport(transport, self.loop)
        super().connection_made(gathering)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Take what came; a head beyond its bound is not collected further."""
        self._arrived += len(data)
        super().data_received(data)
        if self._heading and self._arrived > _MOST_HEAD:
            self._give_up()
        elif self._waiting is None and (self._heading or self._answered()):  # most heads come whole, and need no timer
            self._wait()

    def _answered(self) -> bool:
        """Whether what came is the rest of a request that was answered unread, or nothing at all, as empty lines are.

        uvicorn stopped its own timer when it came, and would wait for ever.
        """
        cycle: Any = self.cycle  # none before the first request
        return cycle is not None and cycle.response_complete

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection, and do not wait for ever until the client took the last answer."""
        super().timeout_keep_alive_handler()
        self._wait()

    def pause_writing(self) -> None:
        """The client takes less than is sent: look whether it takes anything."""
        super().pause_writing()
        self._look()

    def resume_writing(self) -> None:
        """The client took most of it."""
        super().resume_writing()
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _look(self, before: int | None = None) -> None:
        transport: Any = self.transport
        waiting = transport.get_write_buffer_size()
        if before is not None and waiting >= before:
            self._give_up()
        else:
            self._stalled = self.loop.call_later(self.stall, self._look, waiting)

    def on_message_begin(self) -> None:
        """Begin to wait for a request's head."""
        super().on_message_begin()
        if not self._heading:
            self._heading, self._arrived = True, 0

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._end()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is waited for any more."""
        self._end()
        if self._stalled is not None:
            self._stalled.cancel()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._waiting = self.loop.call_later(self.patience, self._give_up)

    def _end(self) -> None:
        self._heading = False
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
