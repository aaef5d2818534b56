"""Clients that are too slow: a connection whose request does not arrive whole in time is closed (slowloris).

uvicorn times only idle connections; here the head of every request has a deadline and a size, and so has what comes
after an answer; a client that does not read its answer is hung up on as well. What a body may take is for whoever reads
it: :func:`arriving` is for those that may be large. Every service of Remit listens with this: registries, trust
domains, homes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, ClassVar

from starlette.exceptions import HTTPException
from starlette.requests import Request
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    from starlette.types import ASGIApp

__all__ = ["GatheringTransport", "PatientProtocol", "arriving", "patient"]

_MOST_HEAD = 64 << 10
_MOST_GATHERED = 64 << 10
_GRACE_S = 10.0
_LEAST = 1 << 10
"""Bytes of a body that have to arrive each second, after the grace; a telephone line is faster."""
_STALL = 3
"""Times its patience that a connection may stand still while there is something to read."""


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
    """HTTP/1.1 with a deadline for the head of each request, and for whatever comes that nobody handles."""

    patience: ClassVar[float] = 10.0
    """Seconds for a request's head."""
    most: ClassVar[int] = 0
    busy: ClassVar[Any] = None
    """What answers in place of the application where there are more connections than so many, if anything does."""
    _waiting: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None
    _heading = True
    """Whether a request's head is waited for, the first from the beginning."""
    _arrived = 0
    """Bytes since a request began, or its body went on: those of heads and trailers, which are collected."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin to wait for the first request."""
        gathering: Any = GatheringTransport(transport, self.loop)
        super().connection_made(gathering)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Take what came; a head or trailer beyond its bound is not collected further."""
        self._arrived += len(data)
        super().data_received(data)
        if self._arrived > _MOST_HEAD:
            self._give_up()
        elif self._waiting is None and (self._heading or self._unhandled()):  # most heads come whole: no timer
            self._wait()

    def _unhandled(self) -> bool:
        """Whether what arrives is for nobody: empty lines between requests, the body of one that is answered.

        uvicorn takes any byte for a sign of life and forgets how long the connection was idle.
        """
        cycle: Any = self.cycle  # ``None`` before the first request
        return self.timeout_keep_alive_task is None and (cycle is None or cycle.response_complete)

    def on_message_begin(self) -> None:
        """Begin to wait for a request's head."""
        super().on_message_begin()
        self._arrived = 0
        self._heading = True

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._end()
        full = self.busy is not None and len(self.connections) > self.most
        self.app = self.busy if full else self.config.loaded_app
        super().on_headers_complete()

    def on_chunk_header(self) -> None:
        """A part of a body begins; after the last, trailers."""
        self._arrived = 0

    def on_body(self, body: bytes) -> None:
        """Take a part of a body, which is bounded by whoever reads it."""
        self._arrived = 0
        super().on_body(body)

    def pause_writing(self) -> None:
        """The client does not read all that it asked for: see whether it goes on."""
        super().pause_writing()
        if self._stalled is None:
            self._look_again(self._unsent())

    def resume_writing(self) -> None:
        """The client has read on."""
        super().resume_writing()
        self._end_stall()

    def _unsent(self) -> int:
        """Bytes that wait for the client to read."""
        return self.transport.get_write_buffer_size()

    def _look_again(self, unsent: int) -> None:
        self._stalled = self.loop.call_later(_STALL * self.patience, self._look, unsent)

    def _look(self, before: int) -> None:
        unsent = self._unsent()
        if unsent < before:  # slowly, but it reads
            self._look_again(unsent)
        else:
            self._give_up()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is waited for any more."""
        self._end()
        self._end_stall()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._waiting = self.loop.call_later(self.patience, self._give_up)

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection, and do not wait for ever until the client took the last answer."""
        super().timeout_keep_alive_handler()
        self._wait()

    def _end(self) -> None:
        self._heading = False
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _end_stall(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _give_up(self) -> None:
        self._end()
        transport: Any = self.transport
        transport.abort()


def patient(seconds: float, *, most: int = 0, busy: ASGIApp | None = None) -> type[PatientProtocol]:
    """The protocol with another patience; uvicorn makes the connections itself, so it is told by a class.

    :param busy: answers in place of the application where there are more connections than ``most``
    """
    told = {"patience": seconds, "most": most, "busy": None if busy is None else staticmethod(busy)}
    return type("PatientProtocol", (PatientProtocol,), told)


async def arriving(request: Request) -> AsyncIterator[bytes]:
    """The parts of a body, as long as it comes fast enough: 1 KiB/s, and never nothing for ten seconds.

    :raises HTTPException: 408 if it does not
    :raises ClientDisconnect: if it was cut off
    """
    loop = asyncio.get_running_loop()
    due = loop.time() + _GRACE_S
    parts = request.stream()
    while True:
        try:
            async with asyncio.timeout_at(due):
                part = await anext(parts)
        except StopAsyncIteration:
            return
        except TimeoutError as error:
            raise HTTPException(408, "the body came too slowly", {"connection": "close"}) from error
        due = min(due + len(part) / _LEAST, loop.time() + _GRACE_S)  # who was fast may not rest on it
        yield part
