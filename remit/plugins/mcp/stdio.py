"""The server over standard input and output, for a client that starts us. Lines in are bounded, out goes only MCP."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from typing import Any, cast

import anyio
from mcp.server.stdio import stdio_server

from remit.host import Caller, Facade
from remit.plugins.mcp.server import ToolServer

__all__ = ["serve"]

_MOST_LINE = 8 << 20
_MOST_WAITING = 16
_CHUNK = 1 << 16
_INPUT, _OUTPUT = 0, 1


def serve(facade: Facade, caller: Caller) -> None:
    """Serve one client until it closes our standard input."""
    anyio.run(_serve, facade, caller)


async def _serve(facade: Facade, caller: Caller) -> None:
    server = ToolServer(facade, caller)
    # A copy, for the SDK's stream closes what it writes to.
    output = anyio.wrap_file(os.fdopen(os.dup(_OUTPUT), "w", encoding="utf-8"))
    lines = cast("Any", _lines(server))  # it takes whatever gives lines
    async with stdio_server(lines, output) as (reading, writing), anyio.create_task_group() as group:
        group.start_soon(server.lists.watch)
        await server.run(reading, writing, server.create_initialization_options())
        group.cancel_scope.cancel()


async def _lines(server: ToolServer) -> AsyncIterator[str]:
    """Lines of standard input. They are read on a thread that nobody waits for: a signal must not wait for a line."""
    lines: asyncio.Queue[str | None] = asyncio.Queue(_MOST_WAITING)
    reader = threading.Thread(
        target=_read, args=(lines, asyncio.get_running_loop()), name="remit-mcp-stdin", daemon=True
    )
    reader.start()
    while (line := await lines.get()) is not None:
        yield line
    await server.drained()  # who hung up may still read: a pipe does


def _read(lines: asyncio.Queue[str | None], loop: asyncio.AbstractEventLoop) -> None:
    def put(line: str | None) -> None:
        asyncio.run_coroutine_threadsafe(lines.put(line), loop).result()

    waiting = b""
    while chunk := os.read(_INPUT, _CHUNK):
        *whole, waiting = (waiting + chunk).split(b"\n")
        for line in whole:
            put(line[:_MOST_LINE].decode("utf-8", "replace"))
        # Cut off, a line that is too long is no JSON, and answered like any other that is none.
        waiting = waiting[: _MOST_LINE + 1]
    put(None)
