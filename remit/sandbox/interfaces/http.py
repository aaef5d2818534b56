"""``http``: requests to the origins that grants cover, to checked addresses, each attempt in the ledger.

A request goes through :mod:`remit.sandbox.egress.gate` before it connects, and so does every redirect. What is not
idempotent is journalled durably before it is sent; every attempt is journalled with its outcome, whatever becomes of
the call. Paths, queries, headers and bodies are not journalled: they hold people's data and keys.
"""

from __future__ import annotations

import base64
import binascii
import re
import ssl
from functools import cached_property
from typing import Any, Final

import msgspec

from remit.journal.event import Draft
from remit.kernel.hostcall import Ok, Refused
from remit.kernel.model import Grant
from remit.kernel.scope import HostFunction, Scope
from remit.sandbox.egress.gate import Passage, Stopped, check_addresses
from remit.sandbox.egress.names import Names, Resolver
from remit.sandbox.egress.target import Target, parse_target

__all__ = ["MAX_HEADERS", "MAX_HEADER_BYTES", "MAX_REDIRECTS", "MAX_REQUEST", "Http"]

MAX_REQUEST: Final = 4 << 20
"""Bytes of a request's body."""
MAX_HEADERS: Final = 64
"""Headers of a request."""
MAX_HEADER_BYTES: Final = 16 << 10
"""Bytes of a request's headers together."""
MAX_REDIRECTS: Final = 5
"""Redirects that one fetch follows."""

_METHOD = re.compile(r"[A-Z]{1,20}")
_REFUSED_METHODS: Final = frozenset({"CONNECT", "TRACE"})
_IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})  # RFC 9110, 9.2.2
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")  # RFC 9110, 5.6.2
_VALUE = re.compile(r"(?:[\x21-\x7e\x80-\xff](?:[\t \x21-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?")  # RFC 9110, 5.5
_OURS: Final = frozenset({
    "accept-encoding", "connection", "content-length", "expect", "host", "http2-settings", "keep-alive", "te",
    "trailer", "transfer-encoding", "upgrade",
})  # fmt: skip
"""Headers that frame the message or choose its destination: a second opinion about those is smuggling."""
_TRAVELS: Final = frozenset({"accept", "accept-language", "content-type", "user-agent"})
"""Headers that follow a redirect to another origin; keys do not."""
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_AS_GET: Final = frozenset({301, 302, 303})
_NS_PER_MS = 1_000_000


class _Request(msgspec.Struct, frozen=True):
    """A request, checked."""

    method: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def size(self, target: Target) -> int:
        """Bytes that the unit chose: all of them can carry something out."""
        return len(target.path) + len(self.body) + sum(len(name) + len(value) for name, value in self.headers)

    def following(self, status: int, *, same_origin: bool) -> _Request:
        """The request after a redirect: a GET where browsers make it one, without keys where the origin changes."""
        headers, method, body = self.headers, self.method, self.body
        if status in _AS_GET and method not in {"GET", "HEAD"}:
            method, body = "GET", b""
            headers = tuple(pair for pair in headers if pair[0].lower() != "content-type")
        if not same_origin:
            headers = tuple(pair for pair in headers if pair[0].lower() in _TRAVELS)
        return _Request(method, headers, body)


class Http:
    """The interface of one home.

    :param resolver: looks names up
    """

    def __init__(self, resolver: Resolver | None = None) -> None:
        self._resolver = resolver or Names()

    @property
    def functions(self) -> dict[str, HostFunction]:
        """By the WIT's name."""
        return {"fetch": self._fetch}

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """The system's trusted authorities; ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` name others, as OpenSSL has it."""
        context = ssl.create_default_context()
        context.set_alpn_protocols(["http/1.1"])
        return context

    def _fetch(self, scope: Scope, asked: dict[str, Any]) -> Ok | Refused:
        if scope.record is None:
            return Refused("unavailable", "units make no requests here")
        target = parse_target(asked["url"])
        if target is None:
            return Refused("invalid", "the URL is not an http or https URL without user and password")
        request = _checked(asked)
        if isinstance(request, Refused):
            return request
        ends_ns = scope.deadline_ns
        if asked["timeout-ms"]:
            ends_ns = min(ends_ns, scope.clock.monotonic_ns() + asked["timeout-ms"] * _NS_PER_MS)
        for _ in range(MAX_REDIRECTS + 1):
            answer = _Attempt(scope, target, request, ends_ns).make(
                self._resolver, self._tls if target.scheme == "https" else None
            )
            if isinstance(answer, Refused):
                return answer
            location = dict(answer.headers).get("location")
            if answer.status not in _REDIRECTS or location is None:
                return Ok(_shown(answer))
            following = target.redirect(location)
            if following is None:
                return Refused("denied", "the redirect leads to what is no http or https URL")
            request = request.following(answer.status, same_origin=following.origin == target.origin)
            target = following
        return Refused("exhausted", f"more than {MAX_REDIRECTS} redirects")


class _Attempt:
    """One request to one target: gate, ledger, exchange."""

    def __init__(self, scope: Scope, target: Target, request: _Request, ends_ns: int) -> None:
        self._scope = scope
        self._target = target
        self._request = request
        self._ends_ns = ends_ns
        self._began_ns = scope.clock.monotonic_ns()

    def _remaining(self) -> float:
        """Seconds that are left; none for a call that nobody waits for any more."""
        if self._scope.cancelled():
            return 0.0
        ends_ns = min(self._ends_ns, self._scope.deadline_ns)  # the grant may have less host time than the call
        return (ends_ns - self._scope.clock.monotonic_ns()) / 1e9

    def make(self, resolver: Resolver, tls: ssl.SSLContext | None) -> Any:
        """Make it; the response, or the refusal that the guest sees."""
        scope, target, request = self._scope, self._target, self._request
        grant = scope.require("net:http", target.origin, method=request.method, nbytes=request.size(target))
        if isinstance(grant, Refused):
            return self._denied(Stopped(grant.code, grant.message))
        way = check_addresses(scope.authority, grant, target, resolver, self._remaining())
        if isinstance(way, Stopped):
            return self._denied(way)
        intent = "" if request.method in _IDEMPOTENT else self._intend(grant, way)
        return self._send(grant, way, intent, tls)

    def _denied(self, why: Stopped) -> Refused:
        self._scope.note("egress.denied", "net:http", self._target.origin, why.refusal, why.reason, why.policies)
        return Refused(why.refusal, why.reason)

    def _facts(self, grant: Grant, way: Passage) -> dict[str, Any]:
        unit, target = self._scope.program.unit, self._target
        return {
            "unit": unit.id,
            "digest": unit.digest,
            "action": "net:http",
            "method": self._request.method,
            "scheme": target.scheme,
            "host": target.host,
            "port": target.port,
            "grant": grant.id,
            "policies": sorted({*grant.policies, *way.policies}),
        }

    def _intend(self, grant: Grant, way: Passage) -> str:
        """Journal that something is about to happen outside; give the event's id."""
        intent = self._scope.ids.new()
        data = self._facts(grant, way) | {"bytes": len(self._request.body)}
        self._record(
            Draft(type="egress.intended", id=intent, subject=self._scope.program.unit.id, data=data), wait=True
        )
        return intent

    def _record(self, draft: Draft, *, wait: bool) -> None:
        assert self._scope.record is not None
        self._scope.record(draft, wait)

    def _send(self, grant: Grant, way: Passage, intent: str, tls: ssl.SSLContext | None) -> Any:
        # httpcore loads when the first request is made: most units make none.
        from remit.sandbox.egress.exchange import Broken, exchange  # noqa: PLC0415
        from remit.sandbox.egress.wire import PinnedBackend  # noqa: PLC0415

        scope, target, request = self._scope, self._target, self._request

        def charge(nbytes: int) -> Broken | None:
            # Asking again for every part is what ends a download when its grant is revoked or its budget is used up.
            more = scope.require("net:http", target.origin, method=request.method, calls=0, nbytes=nbytes)
            return Broken(more.code, more.message) if isinstance(more, Refused) else None

        backend = PinnedBackend(way.addresses, self._remaining)
        answer = exchange(
            target, request.method, request.headers, request.body, backend=backend, tls=tls, charge=charge
        )
        outcome: dict[str, Any] = {
            "address": backend.address,
            "sent": backend.sent,
            "received": backend.received,
            "duration_us": (scope.clock.monotonic_ns() - self._began_ns) // 1_000,
        }
        if intent:
            outcome["intent"] = intent
        if isinstance(answer, Broken):
            outcome |= {"code": answer.refusal, "reason": scope.masked(answer.reason)}
        else:
            outcome["status"] = answer.status
        data = self._facts(grant, way) | outcome
        self._record(Draft(type="egress.allowed", subject=scope.program.unit.id, data=data), wait=False)
        return Refused(answer.refusal, answer.reason) if isinstance(answer, Broken) else answer


def _checked(asked: dict[str, Any]) -> _Request | Refused:
    method = asked["method"].upper()
    if not _METHOD.fullmatch(method) or method in _REFUSED_METHODS:
        return Refused("invalid", f"{asked['method'][:20]!a} is not a method that units use")
    headers = tuple((str(name), str(value)) for name, value in asked["headers"])
    size = sum(len(name) + len(value) for name, value in headers)
    if len(headers) > MAX_HEADERS or size > MAX_HEADER_BYTES:
        return Refused("invalid", f"a request has at most {MAX_HEADERS} headers of {MAX_HEADER_BYTES} bytes together")
    for name, value in headers:
        if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
            return Refused("invalid", f"the header {name[:40]!a} is not one (RFC 9110, section 5)")
        if name.lower() in _OURS or name.lower().startswith("proxy-"):
            return Refused("invalid", f"the header {name.lower()!a} is the host's to set")
    try:
        base64_body = asked["body-encoding"] == "base64"
        body = base64.b64decode(asked["body"], validate=True) if base64_body else asked["body"].encode()
    except (binascii.Error, ValueError):
        return Refused("invalid", "the body is not base64")
    if len(body) > MAX_REQUEST:
        return Refused("invalid", f"a request's body has at most {MAX_REQUEST} bytes")
    return _Request(method, headers, body)


def _shown(answer: Any) -> dict[str, Any]:
    try:
        body, encoding = answer.body.decode(), "utf8"
    except UnicodeDecodeError:
        body, encoding = base64.b64encode(answer.body).decode(), "base64"
    return {"status": answer.status, "headers": answer.headers, "body": body, "body-encoding": encoding}
