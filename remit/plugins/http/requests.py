"""Reading a request within bounds: its token, its body, its numbers. What is wrong with it is a ``RemitError``."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec
from starlette.datastructures import QueryParams
from starlette.requests import Request

from remit.errors import CrossSite, RequestInvalid, RequestTooLarge, Unauthenticated
from remit.host.service import ServiceOptions, Tokens
from remit.kernel.model import Caller

__all__ = ["COOKIE", "body_of", "caller_of", "flag", "from_our_page", "headers_of", "number", "object_of"]

_KEY = re.compile(r"[\x21-\x7e]{1,200}")
_CORRELATION = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_MOST_DEADLINE_MS = 3_600_000
_MOST_NUMBER = (1 << 53) - 1
_BODY_S = 30
_SHORT_QUERY = 100
"""Bytes of a query that is remembered: most requests of a client have the same."""
_BEARER = "bearer "
_LONGEST_TOKEN = 512
COOKIE = "remit_token"
"""The cookie in which a browser keeps its token; scripts cannot read it."""


def caller_of(request: Request, headers: Mapping[str, str], tokens: Tokens) -> Caller:
    """On whose behalf a request comes, with its idempotency key, correlation and deadline.

    :param headers: the request's, as :func:`headers_of` gives them
    :raises Unauthenticated: if no known token comes with it
    :raises CrossSite: if a browser sends it on behalf of another page
    :raises RequestInvalid: if a header is not well formed
    """
    principal = tokens.principal(_token_of(request, headers))
    if principal is None:
        raise Unauthenticated("this home knows no such token")
    trace = headers.get("traceparent", "")
    return Caller(
        principal=principal,
        client="http",
        idempotency_key=_header(headers, "idempotency-key", _KEY),
        correlation=_header(headers, "remit-correlation", _CORRELATION),
        # W3C Trace Context 3.2.2.3: a traceparent that cannot be parsed is ignored.
        traceparent=trace if _TRACEPARENT.fullmatch(trace) else "",
        deadline_ms=_deadline(headers),
    )


def headers_of(request: Request) -> dict[str, str]:
    """The headers by their names in lower case; the first, where one comes twice. Read once, and looked at often."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(request.scope["headers"])}


def _token_of(request: Request, headers: Mapping[str, str]) -> str:
    """The bearer token (RFC 6750), else the one that a browser keeps in a cookie."""
    given = headers.get("authorization", "")
    if given:
        if given[: len(_BEARER)].lower() != _BEARER or len(given) > _LONGEST_TOKEN:
            raise Unauthenticated("the request carries no bearer token")
        return given[len(_BEARER) :].strip()
    token = request.cookies.get(COOKIE, "")
    if not token or len(token) > _LONGEST_TOKEN:
        raise Unauthenticated("the request carries no bearer token")
    # The cookie is SameSite=Strict. A browser that does not hold to that still says where a change comes from.
    if not from_our_page(request):
        raise CrossSite("a change that comes with a cookie has to come from a page of this service")
    return token


def from_our_page(request: Request) -> bool:
    """Whether a browser sends this from a page of ours, or only reads."""
    if request.method in {"GET", "HEAD"}:
        return True
    # No page can set either header. Pages that hide their address have the origin "null": it comes second.
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    return request.headers.get("origin") == f"{request.url.scheme}://{request.headers.get('host', '')}"


def _header(headers: Mapping[str, str], name: str, form: re.Pattern[str]) -> str:
    value = headers.get(name, "")
    if value and not form.fullmatch(value):
        raise RequestInvalid(f"the header {name} is not well formed")
    return value


def _deadline(headers: Mapping[str, str]) -> int | None:
    value = headers.get("remit-deadline-ms")
    if value is None:
        return None
    return _integer("the header remit-deadline-ms", value, 1, _MOST_DEADLINE_MS)


def number(request: Request, name: str, default: int, *, least: int = 0, most: int = _MOST_NUMBER) -> int:
    """A whole number of the query.

    :raises RequestInvalid: if it is none, or out of bounds
    """
    value = _query(request).get(name)
    return default if value is None else _integer(f"the parameter {name}", value, least, most)


def _integer(what: str, value: str, least: int, most: int) -> int:
    if not (value.isascii() and value.isdigit() and len(value) <= len(str(most)) and least <= int(value) <= most):
        raise RequestInvalid(f"{what} is a whole number from {least} to {most}")
    return int(value)


def _query(request: Request) -> QueryParams:
    text: bytes = request.scope["query_string"]
    return _short_query(text) if len(text) <= _SHORT_QUERY else request.query_params


@lru_cache(maxsize=256)
def _short_query(text: bytes) -> QueryParams:
    return QueryParams(text)


def flag(request: Request, name: str, allowed: tuple[str, ...]) -> str:
    """A word of the query, the first of ``allowed`` where it is missing.

    :raises RequestInvalid: if it is another
    """
    value = _query(request).get(name, allowed[0])
    if value not in allowed:
        raise RequestInvalid(f"the parameter {name} is one of {', '.join(allowed)}")
    return value


async def body_of(request: Request, options: ServiceOptions) -> bytes:
    """The body, never more of it than the service reads.

    :raises RequestTooLarge: if it is larger; the rest is not read
    :raises RequestInvalid: if it ended early
    """
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > options.body:
        raise _too_large(options)
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(_BODY_S):
            more = True
            while more:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise RequestInvalid("the request ended early")
                part, more = message.get("body", b""), message.get("more_body", False)
                size += len(part)
                if size > options.body:
                    raise _too_large(options)
                parts.append(part)
    except TimeoutError as error:
        raise RequestInvalid(f"the body did not arrive within {_BODY_S} seconds") from error
    return b"".join(parts)


def _too_large(options: ServiceOptions) -> RequestTooLarge:
    return RequestTooLarge(f"a request may have {options.body} bytes")


async def object_of(request: Request, options: ServiceOptions) -> dict[str, Any]:
    """The body as a JSON object.

    :raises RequestInvalid: if it is none, or not sent as JSON
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    # Browsers may send other types across origins without asking; JSON they may not (CORS is off).
    if kind not in {"application/json", "application/cloudevents+json"}:
        raise RequestInvalid("the body is sent as application/json")
    try:
        value = msgspec.json.decode(await body_of(request, options))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RequestInvalid(f"the body is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise RequestInvalid("the body is a JSON object")
    return value
