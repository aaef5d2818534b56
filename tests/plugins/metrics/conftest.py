"""Routes of plugins on an application of their own, as whoever serves them hangs them up."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.routing import Route

from remit.errors import RemitError
from remit.host import Caller
from remit.plugins.http.problems import problem


class Hung:
    """A client of the application, one request at a time."""

    def __init__(self, app):
        self._app = app

    def get(self, path, **options):
        async def ask():
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                return await client.get(path, **options)

        return asyncio.run(ask())


@pytest.fixture
def hang_up():
    """Serves offered routes: ``hang_up(routes)`` gives a client that speaks for the local operator by default."""

    def make(offered, principal="local"):
        async def known(request, follow):
            request.state.caller = Caller(principal=principal, client="http")
            return await follow(request)

        async def refused(_request, error):
            return problem(error)

        return Hung(
            Starlette(
                routes=[Route(one.path, one.endpoint, methods=list(one.methods)) for one in offered],
                middleware=[Middleware(BaseHTTPMiddleware, dispatch=known)],
                exception_handlers={RemitError: refused},
            )
        )

    return make
