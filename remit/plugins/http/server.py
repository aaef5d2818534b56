"""The service: starlette routes under one guard, on uvicorn, with bounds for clients that are slow or too many."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from functools import lru_cache
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as Served

from remit.errors import AddressInUse, CrossSite, RemitError, RequestInvalid, RouteUnknown
from remit.host import Facade, Offers, ServiceOptions
from remit.host.service import Tokens
from remit.kernel.model import Caller
from remit.plugins.http.limits import Rates
from remit.plugins.http.offered import offered_routes
from remit.plugins.http.problems import problem
from remit.plugins.http.requests import caller_of, from_our_page, headers_of
from remit.plugins.http.routes import TABLE, Context, Route
from remit.plugins.http.streams import Watcher
from remit.registry.patience import patient

__all__ = ["HttpService", "application"]

_log = logging.getLogger(__name__)
_THREADS = 16
_MOST_CONNECTIONS = 1_000
_IDLE_S = 20
_BACKLOG = 1_024
_LONGEST_HOST = 300
"""A name of DNS has 253 characters at most, and a port five."""
_NOBODY = Caller(principal="nobody", client="http")
_HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"referrer-policy": b"no-referrer",
    b"cache-control": b"no-store",
}


def application(facade: Facade, options: ServiceOptions, offers: Offers) -> Starlette:
    """The ASGI application of a home."""
    pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="remit-http")
    waiting = ThreadPoolExecutor(1, thread_name_prefix="remit-http-watch")  # waits most of the time, for events

    async def run(work: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(pool, work)

    async def wait(work: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(waiting, work)

    watcher = Watcher(facade, wait)
    context = Context(facade, options, watcher, run)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        asyncio.get_running_loop().set_default_executor(pool)  # what guests and calls have to block for
        app.state.watcher = watcher
        app.state.run = run
        app.state.panels = offers.panels
        app.state.rates = Rates(options.rate, asyncio.get_running_loop().time)
        task = asyncio.create_task(watcher.watch())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            pool.shutdown(wait=False)
            waiting.shutdown(wait=False)

    tokens = Tokens(options.root, options.token)

    def admit(request: Request, public: bool) -> Caller:
        return _admitted(request, options, tokens, public=public)

    ours = [_served(route, context, tokens) for route in TABLE]
    return Starlette(
        routes=[*ours, *offered_routes(offers, [route.path for route in TABLE], admit, _guarded)],
        lifespan=lifespan,
        exception_handlers={HTTPException: _unserved, Exception: _fault},
    )


def _refuse_strange_names(headers: Mapping[str, str], options: ServiceOptions) -> None:
    """A page of elsewhere that got its name to lead here (DNS rebinding) sends that name; an address is no name."""
    host = headers.get("host")
    if host is None:
        raise RequestInvalid("the request names no host")  # RFC 9112, 3.2
    if len(host) > _LONGEST_HOST or not _is_ours(host, options.host, options.names):
        raise RequestInvalid("the service is not known by this name", remedy="serve with --name HOST")


@lru_cache(maxsize=256)
def _is_ours(host: str, own: str, names: tuple[str, ...]) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""  # ValueError: a bracket that is not closed
        if name not in {"localhost", own, *names}:
            ip_address(name)
    except ValueError:
        return False
    return True


def _served(route: Route, context: Context, tokens: Tokens) -> Served:
    async def endpoint(request: Request) -> Response:
        try:
            response = await _answer(route, context, tokens, request)
        except RemitError as error:
            response = problem(error)
        return _guarded(response)

    return Served(route.path, endpoint, methods=[route.method])


def _guarded(response: Response) -> Response:
    said = {name for name, _ in response.raw_headers}
    response.raw_headers += [header for header in _HEADERS.items() if header[0] not in said]
    return response


async def _answer(route: Route, context: Context, tokens: Tokens, request: Request) -> Response:
    caller = _admitted(request, context.options, tokens, public=route.public)
    return await route.handler(context, request, caller)


def _admitted(request: Request, options: ServiceOptions, tokens: Tokens, *, public: bool) -> Caller:
    """Who a request speaks for, once it may be answered at all."""
    headers = headers_of(request)
    _refuse_strange_names(headers, options)
    if public:
        if not from_our_page(request):
            raise CrossSite("another page may not send this")
        return _NOBODY
    caller = caller_of(request, headers, tokens)
    request.app.state.rates.take(caller.principal)
    return caller


async def _unserved(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    headers = dict(getattr(error, "headers", None) or {})
    words = "nothing is served with this method here" if status == 405 else "nothing is served here"  # noqa: PLR2004 - RFC 9110, 15.5.6
    return _guarded(problem(RouteUnknown(words), status=status, headers=headers))


async def _fault(request: Request, error: Exception) -> Response:
    _log.error("a request failed: %s %r", request.method, request.url.path, exc_info=error)
    return _guarded(problem(RemitError(f"the service failed: {type(error).__name__}", remedy="look at its log")))


class HttpService:
    """Serves a home over HTTP/1.1. Make one with ``remit.host.open_service``."""

    def __init__(self, facade: Facade, options: ServiceOptions, offers: Offers) -> None:
        self._app = application(facade, options, offers)
        self._options = options
        self._socket: socket.socket | None = None
        self._server: _Server | None = None

    @property
    def url(self) -> str:
        """``http://HOST:PORT``, with the port that was given where any was asked for."""
        port = self._socket.getsockname()[1] if self._socket is not None else self._options.port
        host = f"[{self._options.host}]" if ":" in self._options.host else self._options.host
        return f"http://{host}:{port}"

    def bind(self) -> None:
        """Listen.

        :raises AddressInUse: if that is not possible there
        """
        family = socket.AF_INET6 if ":" in self._options.host else socket.AF_INET
        # Named, or asyncio does not see that it is TCP, and leaves Nagle's delay on.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((self._options.host, self._options.port))
            listener.listen(_BACKLOG)
        except (OSError, OverflowError) as error:
            listener.close()
            name = errno.errorcode.get(error.errno or 0, "") if isinstance(error, OSError) else "EINVAL"
            raise AddressInUse(f"cannot listen at {self._options.host}:{self._options.port} ({name})") from error
        self._socket = listener

    def run(self) -> None:
        """Serve until SIGINT or SIGTERM, then let what is under way finish, for as long as ``drain`` says."""
        if self._socket is None:
            self.bind()
        config = uvicorn.Config(
            self._app,
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            lifespan="on",
            http=patient(self._options.patience),
            ws="none",
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_keep_alive=_IDLE_S,
            timeout_graceful_shutdown=self._options.drain,
        )
        assert self._socket is not None
        self._server = _Server(config, self._app)
        self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        """Make :meth:`run` return, as a signal would. May be called from any thread."""
        if self._server is not None:
            self._server.should_exit = True


class _Server(uvicorn.Server):
    """uvicorn, which lets streams end before it waits for them: they would never end by themselves."""

    def __init__(self, config: uvicorn.Config, app: Starlette) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        watcher: Watcher = self._app.state.watcher
        await watcher.stop()
        await super().shutdown(sockets)
