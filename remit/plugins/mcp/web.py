"""The server over streamable HTTP (MCP revision 2025-06-18) at ``/mcp``, as one endpoint of whoever serves the home.

A session belongs to the operator who opened it; each of its requests speaks for the token that it carries.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import anyio
import msgspec
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from remit.errors import RequestInvalid
from remit.host import Caller, Facade, ServiceOptions
from remit.plugins.http.requests import body_of, headers_of
from remit.plugins.mcp.server import ToolServer
from remit.schemas.jsonvalue import MAX_DEPTH, deeper_than

__all__ = ["Endpoint"]

_NOBODY = Caller(principal="nobody", client="mcp")
_DEEPEST = MAX_DEPTH + 8
_IDLE_S = 15 * 60
_MOST_SESSIONS = 256
_BOUNDS = ServiceOptions(root=Path(), body=4 << 20)
"""What a request may have, for :func:`body_of`, which reads nothing else of it."""


class Endpoint:
    """``/mcp`` of one home. The sessions live as long as the event loop that serves them."""

    def __init__(self, facade: Facade) -> None:
        self._facade = facade
        self._loop: asyncio.AbstractEventLoop | None = None
        self._manager: asyncio.Future[StreamableHTTPSessionManager] | None = None
        self._task: asyncio.Task[None] | None = None

    async def answer(self, request: Request) -> Response:
        """The endpoint.

        :raises RequestInvalid: if what was posted is not JSON of bounded depth
        :raises RequestTooLarge: if it is too large
        """
        body = None
        if request.method == "POST":
            body = await body_of(headers_of(request.scope), request.receive, _BOUNDS)
        if body is not None:
            _check(body)
        return _Handed(await self._running(), request.state.caller, body)

    async def _running(self) -> StreamableHTTPSessionManager:
        loop = asyncio.get_running_loop()
        if self._manager is None or self._loop is not loop:
            self._loop, self._manager = loop, loop.create_future()
            self._task = loop.create_task(self._serve(self._manager))
        return await asyncio.shield(self._manager)

    async def _serve(self, started: asyncio.Future[StreamableHTTPSessionManager]) -> None:
        server = ToolServer(self._facade, _NOBODY)
        manager = StreamableHTTPSessionManager(
            server, session_idle_timeout=_IDLE_S, max_sessions=_MOST_SESSIONS, max_request_body_size=_BOUNDS.body
        )
        async with manager.run():
            started.set_result(manager)
            await server.lists.watch()


def _check(body: bytes) -> None:
    """The SDK decodes with a decoder that some texts make fail, and calls that a fault of the server."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RequestInvalid(f"the body is not JSON: {error}") from error
    if deeper_than(value, _DEEPEST):
        raise RequestInvalid(f"the body is nested more than {_DEEPEST} deep")


class _Handed(Response):
    """A response that the manager writes, with the headers that were put on this one."""

    def __init__(self, manager: StreamableHTTPSessionManager, caller: Caller, body: bytes | None) -> None:
        super().__init__()
        self._manager = manager
        self._read = body
        # The manager keeps sessions apart by this; the token itself was checked before and is none of its business.
        self._user = AuthenticatedUser(AccessToken(token="", client_id=caller.principal, scopes=[]))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on."""
        extra = [(name, value) for name, value in self.raw_headers if name != b"content-length"]

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                known = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(one for one in extra if one[0] not in known)]
            await send(message)

        async def again() -> Message:
            """What was read, once; then what the connection says."""
            body, self._read = self._read, None
            return await receive() if body is None else {"type": "http.request", "body": body, "more_body": False}

        try:
            await self._manager.handle_request({**scope, "user": self._user}, again, sent)
        except anyio.ClosedResourceError:  # the session ended under the request
            return
