"""What is served at which address: a table, and a handler for each of its rows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, TypeVar

import msgspec
from sse_starlette import EventSourceResponse
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope

from remit.errors import RequestInvalid, RouteUnknown
from remit.host import Facade, ServiceOptions, StateAt
from remit.kernel.model import Caller
from remit.plugins.http import spec
from remit.plugins.http.readiness import Readiness
from remit.plugins.http.requests import Headers, body_of, flag, headers_of, number, object_of
from remit.plugins.http.streams import Watcher, deltas, frames

__all__ = ["TABLE", "Context", "Route", "perform"]

T = TypeVar("T")
_MOST_EVENTS = 10_000
_FEWEST = 100
_PING_S = 15
_STALLED_S = 30
_RETRY_MS = 1_000


class Context(NamedTuple):
    """What every handler has."""

    facade: Facade
    options: ServiceOptions
    watcher: Watcher
    readiness: Readiness
    run: Callable[..., Awaitable[Any]]
    """Performs a blocking function on a thread, never on the event loop."""


Handler = Callable[[Context, Request, Caller], Awaitable[Response]]


class Route(NamedTuple):
    """One row: method, path as OpenAPI writes it, handler, and whether it is open to everybody."""

    method: str
    path: str
    handler: Handler
    public: bool = False


def _json(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value, enc_hook=str), status_code=status, media_type="application/json")


# ---- state ----


async def models(context: Context, _request: Request, caller: Caller) -> Response:
    """The names of the read models."""
    return _json({"models": await context.run(lambda: context.facade.models(caller=caller))})


async def state(context: Context, request: Request, caller: Caller) -> Response:
    """A read model, or the part of it that the rest of the path names; as a stream, the model and its changes."""
    if "text/event-stream" in request.headers.get("accept", ""):
        return await _changes(context, request, caller)
    at = number(request, "at", -1)
    name, *path = request.path_params["model"].split("/")
    value = await context.run(lambda: context.facade.state(name, at=None if at < 0 else at, caller=caller))
    for step in path:
        value = _part(value, step)
    return _json(value)


async def _changes(context: Context, request: Request, caller: Caller) -> Response:
    name = request.path_params["model"]
    resumed = _resumed(request)
    # Asked for here, so that what is refused is refused before the stream begins.
    value = await context.run(lambda: context.facade.state(name, at=resumed, caller=caller))
    known = None if resumed is None else StateAt(resumed, value)
    stream = deltas(context.watcher, context.facade, context.run, name, known, caller)
    return EventSourceResponse(stream, ping=_PING_S, send_timeout=_STALLED_S, headers={"cache-control": "no-store"})


async def episode(context: Context, request: Request, caller: Caller) -> Response:
    """Everything of one episode: its records and spans, and what was active when it began."""
    name = request.path_params["id"]
    return _json(await context.run(lambda: context.facade.episode(name, caller=caller)))


async def trace(context: Context, request: Request, caller: Caller) -> Response:
    """The spans of one episode."""
    name = request.path_params["id"]
    return _json(await context.run(lambda: context.facade.trace(name, caller=caller)))


def _part(value: Any, step: str) -> Any:
    if isinstance(value, dict) and step in value:
        return value[step]
    if isinstance(value, list) and step.isascii() and step.isdigit() and len(step) < 10 and int(step) < len(value):  # noqa: PLR2004 - digits of an index
        return value[int(step)]
    raise RouteUnknown(f"the read model has no part {step[:200]!r}")


# ---- events ----


async def events(context: Context, request: Request, caller: Caller) -> Response:
    """Records: as a stream where the client accepts one, else a page of them."""
    prefixes = tuple(request.query_params.getlist("prefix")) or ("",)
    resumed = _resumed(request)
    after = resumed if resumed is not None else number(request, "after", 0)
    if "text/event-stream" not in request.headers.get("accept", ""):
        last = number(request, "last", 0, most=_MOST_EVENTS)
        limit = number(request, "limit", _FEWEST, least=1, most=_MOST_EVENTS)
        page = await context.run(
            lambda: context.facade.events(after, prefixes=prefixes, limit=limit, last=last, caller=caller)
        )
        return _json({"events": page})
    await context.run(lambda: context.facade.events(after, limit=1, caller=caller))  # refused before it is begun
    named = flag(request.scope, "names", ("topic", "none")) == "topic"
    stream = frames(context.watcher, context.facade, context.run, after, prefixes, caller, named=named)
    return EventSourceResponse(stream, ping=_PING_S, send_timeout=_STALLED_S, headers={"cache-control": "no-store"})


def _resumed(request: Request) -> int | None:
    """The record after which a client that was cut off goes on."""
    resumed = request.headers.get("last-event-id")
    if resumed is None:
        return None
    if not (resumed.isascii() and resumed.isdigit() and len(resumed) <= 15):  # noqa: PLR2004 - digits of a sequence number
        raise RequestInvalid("Last-Event-ID is the sequence number of a record")
    return int(resumed)


async def emit(context: Context, request: Request, caller: Caller) -> Response:
    """Journal an event: ``{"type": TOPIC, "data": …}``, or a CloudEvent of which those two are taken."""
    event = await object_of(request, context.options)
    topic = event.get("type")
    if not isinstance(topic, str):
        raise RequestInvalid("the event has no type")
    unknown = set(event) - {"type", "data", "specversion", "id", "source", "datacontenttype", "time", "subject"}
    if unknown:
        raise RequestInvalid(f"an event has no {min(unknown)[:100]!r}")
    record = await context.run(lambda: context.facade.emit(topic, event.get("data"), caller=caller))
    return _json(record, 201)


# ---- actions ----


async def actions(context: Context, _request: Request, caller: Caller) -> Response:
    """The actions that the caller may invoke, with their schemas."""
    return _json({"actions": await context.run(lambda: context.facade.actions(caller=caller))})


async def call(context: Context, request: Request, caller: Caller) -> Response:
    """Call an action; the body is its input, the answer its output."""
    part = request.path_params
    name = f"{part['publisher']}/{part['name']}:{part['action']}"
    headers = headers_of(request.scope)
    body, said = await perform(context, name, request.scope, headers, request.receive, caller)
    response = Response(body, media_type="application/json")
    response.raw_headers += said
    return response


async def perform(
    context: Context, action: str, scope: Scope, headers: Headers, receive: Receive, caller: Caller
) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """Call an action with the body of a request; its output as JSON, and the headers that tell of the outcome."""
    queued = flag(scope, "durability", ("committed", "queued")) == "queued"
    body = await body_of(headers, receive, context.options)
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise RequestInvalid("the body is not UTF-8") from error
    outcome = await context.facade.acall_text(
        action, text or "null", durability="queued" if queued else "committed", caller=caller
    )
    said = [
        (b"remit-seq", b"%d" % outcome.seq),
        (b"remit-unit", outcome.digest.encode()),
        (b"idempotency-replayed", b"true" if outcome.replayed else b"false"),
    ]
    return msgspec.json.encode(outcome.output, enc_hook=str), said


# ---- the service itself ----


async def healthy(_context: Context, _request: Request, _caller: Caller) -> Response:
    """The process answers."""
    return _json({"status": "ok"})


async def ready(context: Context, _request: Request, _caller: Caller) -> Response:
    """The home's kernel answers, and the service is not stopping."""
    if context.watcher.stopping:
        return _json({"status": "stopping"}, 503)
    found = await context.readiness.ready()
    return _json({"status": "ready"}) if found else _json({"status": "unready"}, 503)


async def specification(context: Context, request: Request, caller: Caller) -> Response:
    """What is served here, for programs: OpenAPI, AsyncAPI, or MCP's tools."""
    make = spec.MAKERS.get(request.path_params["kind"])
    if make is None:
        raise RouteUnknown(f"there is no such specification; there are {', '.join(sorted(spec.MAKERS))}")
    found = await context.run(lambda: context.facade.actions(caller=caller))
    return _json(make(found))


TABLE: tuple[Route, ...] = (
    Route("POST", "/actions/{publisher}/{name}/{action}", call),  # asked most, and they are looked at in turn
    Route("GET", "/state", models),
    Route("GET", "/state/episode/{id}/snapshot", episode),
    Route("GET", "/state/episode/{id}/trace", trace),
    Route("GET", "/state/{model:path}", state),
    Route("GET", "/events", events),
    Route("POST", "/events", emit),
    Route("GET", "/actions", actions),
    Route("GET", "/spec/{kind}", specification),
    Route("GET", "/healthz", healthy, public=True),
    Route("GET", "/readyz", ready, public=True),
)
