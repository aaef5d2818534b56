"""The service: starlette routes under one guard, on uvicorn, with bounds for clients that are slow or too many."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as Served

from remit.errors import AddressInUse, RemitError, RouteUnknown
from remit.host import Facade, Offers, ServiceOptions
from remit.kernel.model import Caller
from remit.plugins.http.admission import Admission
from remit.plugins.http.front import Front, busy, fault, guarded
from remit.plugins.http.offered import offered_routes
from remit.plugins.http.problems import problem
from remit.plugins.http.readiness import Readiness
from remit.plugins.http.requests import headers_of
from remit.plugins.http.routes import TABLE, Context, Route
from remit.plugins.http.streams import Watcher
from remit.registry.patience import patient

__all__ = ["HttpService", "application"]

_THREADS = 16
_MOST_CONNECTIONS = 1_000
_IDLE_S = 20
_PROXIES = ["127.0.0.1", "::1"]
"""Who is believed that a request came by TLS, which marks cookies ``Secure`` and tells our pages from others."""
_BACKLOG = 1_024


def application(facade: Facade, options: ServiceOptions, offers: Offers) -> tuple[Front, Watcher]:
    """The ASGI application of a home, and who tells its streams of events."""
    pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="remit-http")
    waiting = ThreadPoolExecutor(1, thread_name_prefix="remit-http-watch")  # waits most of the time, for events

    async def run(work: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(pool, work)

    async def wait(work: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(waiting, work)

    watcher = Watcher(facade, wait)
    context = Context(facade, options, watcher, Readiness(facade, run), run)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        asyncio.get_running_loop().set_default_executor(pool)  # what guests and calls have to block for
        app.state.run = run
        app.state.panels = offers.panels
        task = asyncio.create_task(watcher.watch())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            pool.shutdown(wait=False)
            waiting.shutdown(wait=False)

    admission = Admission(options)

    def admit(request: Request, public: bool) -> Caller:
        return admission.admit(request.scope, headers_of(request.scope), public=public)

    ours = [_served(route, context, admission) for route in TABLE]
    framework = Starlette(
        routes=[*ours, *offered_routes(offers, [route.path for route in TABLE], admit, guarded)],
        lifespan=lifespan,
        exception_handlers={HTTPException: _unserved, Exception: _fault},
    )
    return Front(framework, context, admission), watcher


def _served(route: Route, context: Context, admission: Admission) -> Served:
    async def endpoint(request: Request) -> Response:
        try:
            caller = admission.admit(request.scope, headers_of(request.scope), public=route.public)
            response = await route.handler(context, request, caller)
        except RemitError as error:
            response = problem(error)
        return guarded(response)

    return Served(route.path, endpoint, methods=[route.method])


async def _unserved(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    headers = dict(getattr(error, "headers", None) or {})
    words = "nothing is served with this method here" if status == 405 else "nothing is served here"  # noqa: PLR2004 - RFC 9110, 15.5.6
    return guarded(problem(RouteUnknown(words), status=status, headers=headers))


async def _fault(request: Request, error: Exception) -> Response:
    return fault(request.scope, error)


class HttpService:
    """Serves a home over HTTP/1.1. Make one with ``remit.host.open_service``."""

    def __init__(self, facade: Facade, options: ServiceOptions, offers: Offers) -> None:
        self._app, self._watcher = application(facade, options, offers)
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
            http=patient(self._options.patience, most=_MOST_CONNECTIONS, busy=busy),
            ws="none",
            proxy_headers=True,
            forwarded_allow_ips=_PROXIES,
            timeout_keep_alive=_IDLE_S,
            timeout_graceful_shutdown=self._options.drain,
        )
        assert self._socket is not None
        self._server = _Server(config, self._watcher)
        self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        """Make :meth:`run` return, as a signal would. May be called from any thread."""
        if self._server is not None:
            self._server.should_exit = True


class _Server(uvicorn.Server):
    """uvicorn, which lets streams end before it waits for them: they would never end by themselves."""

    def __init__(self, config: uvicorn.Config, watcher: Watcher) -> None:
        super().__init__(config)
        self._watcher = watcher

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._watcher.stop()
        await super().shutdown(sockets)
