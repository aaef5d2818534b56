"""Reading a request within bounds: its token, its body, its numbers. What is wrong with it is a ``RemitError``."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine, Generator, Mapping
from functools import lru_cache
from types import coroutine
from typing import Any

import msgspec
from starlette.datastructures import QueryParams
from starlette.requests import Request, cookie_parser
from starlette.types import Receive, Scope

from remit.errors import CrossSite, RequestInvalid, RequestSlow, RequestTooLarge, Unauthenticated
from remit.host.service import ServiceOptions
from remit.kernel.model import Caller

__all__ = [
    "COOKIE",
    "Headers",
    "body_of",
    "caller_of",
    "flag",
    "from_our_page",
    "headers_of",
    "number",
    "object_of",
    "token_of",
]

Headers = Mapping[bytes, bytes]
"""By their names in lower case."""

_KEY = re.compile(r"[\x21-\x7e]{1,200}")
_CORRELATION = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_MOST_DEADLINE_MS = 3_600_000
_MOST_NUMBER = (1 << 53) - 1
_SHORT_QUERY = 100
"""Bytes of a query that is remembered: most requests of a client have the same."""
_BEARER = "bearer "
_LONGEST_TOKEN = 512
COOKIE = "remit_token"
"""The cookie in which a browser keeps its token; scripts cannot read it."""


def headers_of(scope: Scope) -> Headers:
    """The headers of a request; the first, where one comes twice.

    :raises RequestInvalid: if it names two hosts, of which another server may have believed the other (RFC 9112, 3.2)
    """
    given = scope["headers"]
    found: dict[bytes, bytes] = dict(reversed(given))
    if len(found) < len(given) and sum(name == b"host" for name, _ in given) > 1:
        raise RequestInvalid("the request names two hosts")
    return found


def caller_of(headers: Headers, principal: str) -> Caller:
    """On whose behalf a request comes, with its idempotency key, correlation and deadline.

    :param principal: whose token came with it
    :raises RequestInvalid: if a header is not well formed
    """
    trace = headers.get(b"traceparent", b"").decode("latin-1")
    return Caller(
        principal=principal,
        client="http",
        idempotency_key=_header(headers, b"idempotency-key", _KEY),
        correlation=_header(headers, b"remit-correlation", _CORRELATION),
        # W3C Trace Context 3.2.2.3: a traceparent that cannot be parsed is ignored.
        traceparent=trace if _TRACEPARENT.fullmatch(trace) else "",
        deadline_ms=_deadline(headers),
    )


def token_of(scope: Scope, headers: Headers) -> str:
    """The bearer token (RFC 6750), else the one that a browser keeps in a cookie.

    :raises Unauthenticated: if there is none
    :raises CrossSite: if a browser sends it on behalf of another page
    """
    given = headers.get(b"authorization", b"").decode("latin-1")
    if given:
        if given[: len(_BEARER)].lower() != _BEARER or len(given) > _LONGEST_TOKEN:
            raise Unauthenticated("the request carries no bearer token")
        return given[len(_BEARER) :].strip()
    token = cookie_parser(headers.get(b"cookie", b"").decode("latin-1")).get(COOKIE, "")
    if not token or len(token) > _LONGEST_TOKEN:
        raise Unauthenticated("the request carries no bearer token")
    # The cookie is SameSite=Strict. A browser that does not hold to that still says where a change comes from.
    if not from_our_page(scope, headers):
        raise CrossSite("a change that comes with a cookie has to come from a page of this service")
    return token


def from_our_page(scope: Scope, headers: Headers) -> bool:
    """Whether a browser sends this from a page of ours, or only reads."""
    if scope["method"] in {"GET", "HEAD"}:
        return True
    # No page can set either header. Pages that hide their address have the origin "null": it comes second.
    site = headers.get(b"sec-fetch-site")
    if site is not None:
        return site == b"same-origin"
    ours: bytes = scope["scheme"].encode() + b"://" + headers.get(b"host", b"")
    return headers.get(b"origin") == ours


def _header(headers: Headers, name: bytes, form: re.Pattern[str]) -> str:
    value = headers.get(name, b"").decode("latin-1")
    if value and not form.fullmatch(value):
        raise RequestInvalid(f"the header {name.decode()} is not well formed")
    return value


def _deadline(headers: Headers) -> int | None:
    value = headers.get(b"remit-deadline-ms")
    if value is None:
        return None
    return _integer("the header remit-deadline-ms", value.decode("latin-1"), 1, _MOST_DEADLINE_MS)


def number(request: Request, name: str, default: int, *, least: int = 0, most: int = _MOST_NUMBER) -> int:
    """A whole number of the query.

    :raises RequestInvalid: if it is none, or out of bounds
    """
    value = _query(request.scope).get(name)
    return default if value is None else _integer(f"the parameter {name}", value, least, most)


def _integer(what: str, value: str, least: int, most: int) -> int:
    if not (value.isascii() and value.isdigit() and len(value) <= len(str(most)) and least <= int(value) <= most):
        raise RequestInvalid(f"{what} is a whole number from {least} to {most}")
    return int(value)


def _query(scope: Scope) -> QueryParams:
    text: bytes = scope["query_string"]
    return _short_query(text) if len(text) <= _SHORT_QUERY else QueryParams(text)


@lru_cache(maxsize=256)
def _short_query(text: bytes) -> QueryParams:
    return QueryParams(text)


def flag(scope: Scope, name: str, allowed: tuple[str, ...]) -> str:
    """A word of the query, the first of ``allowed`` where it is missing.

    :raises RequestInvalid: if it is another
    """
    value = _query(scope).get(name, allowed[0])
    if value not in allowed:
        raise RequestInvalid(f"the parameter {name} is one of {', '.join(allowed)}")
    return value


async def body_of(headers: Headers, receive: Receive, options: ServiceOptions) -> bytes:
    """The body, never more of it than the service reads.

    :raises RequestTooLarge: if it is larger; the rest is not read
    :raises RequestSlow: if it does not arrive in time
    :raises RequestInvalid: if it ended early
    """
    length = headers.get(b"content-length", b"")
    if length.isdigit() and int(length) > options.body:
        raise _too_large(options)
    reading = _read(receive, options)
    try:
        waited = reading.send(None)
    except StopIteration as end:  # most bodies come with their heads, whole, and need no timer
        return end.value  # type: ignore[no-any-return] # what the coroutine returned
    try:
        async with asyncio.timeout(options.body_patience):
            return await _go_on(reading, waited)
    except TimeoutError as error:
        raise RequestSlow(f"the body did not arrive within {options.body_patience:g} seconds") from error


async def _read(receive: Receive, options: ServiceOptions) -> bytes:
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RequestInvalid("the request ended early")
        part, more = message.get("body", b""), message.get("more_body", False)
        size += len(part)
        if size > options.body:
            raise _too_large(options)
        parts.append(part)
    return b"".join(parts)


@coroutine
def _go_on(begun: Coroutine[Any, Any, bytes], waited: Any) -> Generator[Any, Any, bytes]:
    """Await a coroutine that was begun by hand.

    :param waited: what it waits for
    """
    go: Callable[[Any], Any]
    while True:
        try:
            given = yield waited
        except BaseException as error:  # noqa: BLE001 - the coroutine's to answer: a timeout cancels it
            go, given = begun.throw, error
        else:
            go = begun.send
        try:
            waited = go(given)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return] # what the coroutine returned


def _too_large(options: ServiceOptions) -> RequestTooLarge:
    return RequestTooLarge(f"a request may have {options.body} bytes")


async def object_of(request: Request, options: ServiceOptions) -> dict[str, Any]:
    """The body as a JSON object.

    :raises RequestInvalid: if it is none, or not sent as JSON
    """
    headers = headers_of(request.scope)
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    # Browsers may send other types across origins without asking; JSON they may not (CORS is off).
    if kind not in {b"application/json", b"application/cloudevents+json"}:
        raise RequestInvalid("the body is sent as application/json")
    try:
        value = msgspec.json.decode(await body_of(headers, request.receive, options))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RequestInvalid(f"the body is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise RequestInvalid("the body is a JSON object")
    return value
