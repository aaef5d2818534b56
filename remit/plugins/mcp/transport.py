"""Connections to other servers of tools, within bounds: whom we call is named in ``remit.toml``, and not trusted.

Each is a pair of streams as the SDK's session takes them. A server that sends too much is cut off.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
import httpx
from anyio.abc import Process
from mcp import ClientSession, types
from mcp.client.stdio import get_default_environment
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.message import SessionMessage

from remit.errors import AgentServerFailed
from remit.schemas.config import AgentServer, expand
from remit.schemas.release import VERSION

__all__ = ["MOST_BYTES", "session_with"]

MOST_BYTES = 16 << 20
"""What one session may receive in all."""
_LEAVE_S = 1.0
_ABOUT_US = types.Implementation(name="remit", version=VERSION)


@asynccontextmanager
async def session_with(choice: AgentServer) -> AsyncIterator[ClientSession]:
    """An initialised session with a server. We offer it nothing: no sampling, no roots, no questions to people."""
    streams = _over_http(choice) if choice.url else _over_stdio(choice)
    async with streams as (reading, writing), ClientSession(reading, writing, client_info=_ABOUT_US) as session:
        await session.initialize()
        yield session


class _Bounded(httpx.AsyncBaseTransport):
    """HTTP without the environment's proxies, whose answers together have :data:`MOST_BYTES` at most."""

    def __init__(self) -> None:
        self._inner = httpx.AsyncHTTPTransport(trust_env=False)
        self._left = MOST_BYTES

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.headers["accept-encoding"] = "identity"
        response = await self._inner.handle_async_request(request)
        if response.headers.get("content-encoding", "identity") != "identity":  # what is counted is what is decoded
            await response.aclose()
            raise AgentServerFailed("the server sends compressed what was asked for plain")
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = _Counted(response.stream, self)
        return response

    def count(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise AgentServerFailed(f"the server sent more than {MOST_BYTES >> 20} MiB")

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Counted(httpx.AsyncByteStream):
    def __init__(self, inner: httpx.AsyncByteStream, owner: _Bounded) -> None:
        self._inner = inner
        self._owner = owner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._inner:
            self._owner.count(len(chunk))
            yield chunk

    async def aclose(self) -> None:
        await self._inner.aclose()


@asynccontextmanager
async def _over_http(choice: AgentServer) -> AsyncIterator[tuple[Any, Any]]:
    headers = expand(choice.headers)
    seconds = choice.deadline_ms / 1_000
    async with (
        httpx.AsyncClient(transport=_Bounded(), headers=headers, timeout=seconds, trust_env=False) as client,
        streamable_http_client(choice.url, http_client=client) as (reading, writing, _),
    ):
        yield reading, writing


@asynccontextmanager
async def _over_stdio(choice: AgentServer) -> AsyncIterator[tuple[Any, Any]]:
    environment = get_default_environment() | expand(choice.env)
    try:
        # asyncio tidies up after a start that is cancelled, but not where it is cancelled again and again meanwhile, as
        # anyio does. A start is brief: whoever is out of time learns it just after.
        with anyio.CancelScope(shield=True):
            process = await anyio.open_process(
                list(choice.command), env=environment, stderr=subprocess.DEVNULL, start_new_session=True
            )
    except OSError as error:
        raise AgentServerFailed(f"{choice.command[0]} cannot be started: {error.strerror}") from error
    to_us, reading = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    writing, from_us = anyio.create_memory_object_stream[SessionMessage](0)

    async def read() -> None:
        assert process.stdout is not None
        left, waiting = MOST_BYTES, b""
        async with to_us:
            with suppress(anyio.EndOfStream, anyio.ClosedResourceError, anyio.BrokenResourceError):
                while left > 0:
                    chunk = await process.stdout.receive()
                    left -= len(chunk)
                    *lines, waiting = (waiting + chunk).split(b"\n") if b"\n" in chunk else (waiting + chunk,)
                    for line in lines:
                        await to_us.send(_message(line))

    async def write() -> None:
        assert process.stdin is not None
        async with from_us:
            with suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):
                async for one in from_us:
                    text = one.message.model_dump_json(by_alias=True, exclude_none=True)
                    await process.stdin.send(text.encode() + b"\n")

    patience = 0.0
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(read)
            group.start_soon(write)
            yield reading, writing
            patience = _LEAVE_S
            group.cancel_scope.cancel()
    finally:
        reading.close()
        writing.close()
        with anyio.CancelScope(shield=True):
            await _end(process, patience)


def _message(line: bytes) -> SessionMessage | Exception:
    try:
        return SessionMessage(types.JSONRPCMessage.model_validate_json(line))
    except ValueError as error:
        return error


async def _end(process: Process, patience: float) -> None:
    """Let it go by itself, then end it with all that it started (MCP revision 2025-06-18, stdio shutdown)."""
    if process.stdin is not None:
        with suppress(anyio.ClosedResourceError, anyio.BrokenResourceError, OSError):
            await process.stdin.aclose()
    with anyio.move_on_after(patience):
        await process.wait()
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.aclose()
