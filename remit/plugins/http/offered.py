"""Routes that plugins offer, under the same authentication, bounds and headers as the service's own."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route as Served
from starlette.types import ASGIApp, Receive, Scope, Send

from remit.errors import RemitError, Unauthenticated
from remit.host import Offers
from remit.host.offers import Route
from remit.kernel.model import Caller
from remit.plugins.http.problems import problem

__all__ = ["LOGIN", "offered_routes"]

_log = logging.getLogger(__name__)
LOGIN = "/login"
"""Where a browser is sent that brings no token, if a plugin serves this address."""

Admit = Callable[[Request, bool], Caller]
Guarded = Callable[[Response], Response]


def offered_routes(offers: Offers, taken: Sequence[str], admit: Admit, guarded: Guarded) -> list[Served]:
    """The routes of the plugins; one whose address is taken is its plugin's fault, and left out.

    :param admit: who a request speaks for, refused by an error; told whether the route is open to everybody
    :param guarded: puts the service's headers on a response
    """
    known = set(taken)
    logins = any(route.path == LOGIN for _, route in offers.routes)
    served = []
    for plugin, route in offers.routes:
        if not route.path.startswith("/") or route.path in known:
            offers.fail(plugin, "remit_http_routes", ValueError(f"the address {route.path!r} is taken, or no address"))
            continue
        known.add(route.path)
        endpoint = _Endpoint(plugin, route, offers, admit, guarded, logins=logins)
        served.append(Served(route.path, endpoint, methods=list(route.methods)))
    return served


class _Endpoint:
    """One route as an ASGI application: admits, then hands on; what the plugin's code raises is told as its own."""

    def __init__(
        self, plugin: str, route: Route, offers: Offers, admit: Admit, guarded: Guarded, *, logins: bool
    ) -> None:
        self._plugin = plugin
        self._route = route
        self._offers = offers
        self._admit = admit
        self._guarded = guarded
        self._logins = logins
        function = inspect.isfunction(route.endpoint) or inspect.ismethod(route.endpoint)
        self._perform = _performer(route.endpoint) if function else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        begun = False

        async def watched(message: Any) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            request.state.caller = self._admit(request, self._route.public)
            if self._perform is None:
                app: ASGIApp = self._route.endpoint
                await app(scope, receive, watched)
                return
            response = await self._perform(request)
        except Unauthenticated as error:
            response = RedirectResponse(LOGIN, 303) if self._logins and _by_hand(request) else problem(error)
        except RemitError as error:
            response = problem(error)
        except HTTPException:
            raise
        except Exception as error:
            _log.exception("plugin %s failed to answer %s", self._plugin, self._route.path)
            self._offers.fail(self._plugin, f"route {self._route.path}", error)
            if begun:
                raise
            words = f"plugin {self._plugin} failed: {type(error).__name__}"
            response = problem(RemitError(words, remedy="look at the service's log"))
        await self._guarded(response)(scope, receive, watched)


def _performer(endpoint: Callable[..., Any]) -> Callable[[Request], Awaitable[Response]]:
    if inspect.iscoroutinefunction(endpoint):
        return endpoint

    async def aside(request: Request) -> Response:
        response: Response = await run_in_threadpool(endpoint, request)
        return response

    return aside


def _by_hand(request: Request) -> bool:
    """Whether a person at a browser asks for a page."""
    return request.method == "GET" and "text/html" in request.headers.get("accept", "")
