"""A home that speaks MCP, to the official SDK's client, over both transports."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import asynccontextmanager, contextmanager

import pytest
import uvicorn
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import Route

from remit.errors import RemitError
from remit.host import Caller, Kernel
from remit.plugins.http.problems import problem
from remit.plugins.mcp import remit_http_routes

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "tests", "version": "1"}},
}


class Known:
    """Stands for the authentication: the bearer token is the operator's name."""

    def __init__(self, app):
        self._app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            given = dict(scope["headers"]).get(b"authorization", b"").decode().removeprefix("Bearer ")
            if not given:
                await Response(status_code=401)(scope, receive, send)
                return
            scope.setdefault("state", {})["caller"] = Caller(principal=given, client="http")
        try:
            await self._app(scope, receive, send)
        except RemitError as error:
            await problem(error)(scope, receive, send)


@contextmanager
def listening(routes):
    """The URL of an application with these routes, served by threads of the test's process."""
    app = Starlette(
        routes=[Route(one.path, one.endpoint, methods=list(one.methods)) for one in routes],
        middleware=[Middleware(Known)],
    )
    config = uvicorn.Config(app, port=0, log_config=None, ws="none", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    listener = config.bind_socket()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@pytest.fixture
def patient(patient_home):
    """A kernel whose loop unit may take its time."""
    with Kernel.open(patient_home, program="tests") as kernel:
        yield kernel


@pytest.fixture
def url(kernel):
    """Where the home's MCP endpoint is."""
    with listening(remit_http_routes(kernel)) as base:
        yield f"{base}/mcp"


@asynccontextmanager
async def over_http(url, token="local", **options):
    """A session of the SDK's client over streamable HTTP."""
    async with (
        create_mcp_http_client(headers={"authorization": f"Bearer {token}"}) as http,
        streamable_http_client(url, http_client=http) as (reading, writing, _),
        ClientSession(reading, writing, **options) as session,
    ):
        await session.initialize()
        yield session


@asynccontextmanager
async def over_stdio(home, *words, **options):
    """A session of the SDK's client with a server that it starts."""
    program = "import sys; from remit.cli import main; sys.argv[0] = 'remit'; main()"
    parameters = StdioServerParameters(
        command=sys.executable,
        args=["-c", program, "mcp", "serve", "--home", str(home), *words],
        env={**os.environ},
    )
    async with stdio_client(parameters) as streams, ClientSession(*streams, **options) as session:
        await session.initialize()
        yield session
