"""One HTTP exchange with one checked target: bounded in time, in bytes and in what decompressing may make of them.

httpcore (what httpx stands on) speaks the protocol; it follows no redirect, keeps no cookie and reads no environment.
Each exchange has a connection of its own: units share none.
"""

from __future__ import annotations

import ssl
import zlib
from collections.abc import Callable, Sequence
from typing import Any, Final

import h11
import httpcore
import msgspec

from remit.kernel.answers import Refusal
from remit.sandbox.egress.target import Target
from remit.sandbox.egress.wire import PinnedBackend, TooMuchError, WireTimeoutError

__all__ = ["MAX_BODY", "Broken", "Received", "exchange"]

MAX_BODY: Final = 4 << 20
"""Bytes of one response's body, as it comes and as it is after decompression."""
_INFLATE = 64 << 10
_DROPPED: Final = frozenset({
    b"connection", b"content-encoding", b"content-length", b"keep-alive", b"proxy-authenticate", b"te", b"trailer",
    b"transfer-encoding", b"upgrade",
})  # fmt: skip
"""About the connection, or no longer true of the body that is handed on (RFC 9110, section 7.6.1)."""


class Received(msgspec.Struct, frozen=True):
    """A whole response."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Broken(msgspec.Struct, frozen=True):
    """No whole response, and why."""

    refusal: Refusal
    reason: str


def exchange(
    target: Target,
    method: str,
    headers: Sequence[tuple[str, str]],
    body: bytes,
    *,
    backend: PinnedBackend,
    tls: ssl.SSLContext | None,
    charge: Callable[[int], Broken | None],
) -> Received | Broken:
    """Send a request and read its whole response.

    :param charge: told the size of each part before it is kept; what it gives back ends the exchange
    """
    url = httpcore.URL(
        scheme=target.scheme.encode(), host=target.host.encode(), port=target.port, target=target.path.encode()
    )
    sent: list[tuple[bytes, bytes]] = [(b"Host", target.authority.encode())]
    sent += [(name.encode(), value.encode("latin-1")) for name, value in headers]
    sent += [(b"Accept-Encoding", b"gzip, deflate"), (b"Connection", b"close")]
    if body or method in {"POST", "PUT", "PATCH"}:
        sent.append((b"Content-Length", b"%d" % len(body)))
    try:
        with (
            httpcore.ConnectionPool(
                ssl_context=tls, network_backend=backend, max_connections=1, max_keepalive_connections=0
            ) as pool,
            pool.stream(method, url, headers=sent, content=body) as response,
        ):
            return _read(response, charge)
    except (WireTimeoutError, TimeoutError, httpcore.TimeoutException):
        return Broken("timed-out", "the time for the request is over")
    except TooMuchError as error:
        return Broken("exhausted", str(error))
    except ssl.SSLError as error:
        return Broken(
            "unavailable", f"no connection to {target.host} that can be trusted: {error.reason or 'TLS failed'}"
        )
    except (OSError, httpcore.NetworkError) as error:
        return Broken("unavailable", f"no connection to {target.host}: {getattr(error, 'strerror', '') or 'it broke'}")
    except (httpcore.ProtocolError, h11.ProtocolError) as error:
        return Broken("unavailable", f"{target.host} does not speak HTTP as it should: {str(error)[:200]}")


def _read(response: httpcore.Response, charge: Callable[[int], Broken | None]) -> Received | Broken:
    headers = [(name.lower(), value) for name, value in response.headers]
    codings = b",".join(value for name, value in headers if name == b"content-encoding").lower().strip()
    if codings not in {b"", b"identity", b"gzip", b"x-gzip", b"deflate"}:
        return Broken("unavailable", f"the response comes in a coding that was not asked for: {codings[:40]!a}")
    if (stopped := charge(sum(len(name) + len(value) for name, value in headers))) is not None:
        return stopped
    inflater = None if codings in {b"", b"identity"} else zlib.decompressobj(zlib.MAX_WBITS | 32)
    body = bytearray()
    for part in response.iter_stream():
        stopped = charge(len(part)) or _append(body, part, inflater)
        if stopped is not None:
            return stopped
    if inflater is not None and body and not inflater.eof:
        return Broken("unavailable", "the response's compressed body is cut short")
    kept = [(name.decode("ascii"), value.decode("latin-1")) for name, value in headers if name not in _DROPPED]
    return Received(response.status, kept, bytes(body))


def _append(body: bytearray, part: bytes, inflater: Any) -> Broken | None:
    """Add a part, decompressed in small steps: a bomb is seen before it has room."""
    if inflater is None:
        body += part
        return _too_much() if len(body) > MAX_BODY else None
    try:
        while part and not inflater.eof:
            body += inflater.decompress(part, _INFLATE)
            if len(body) > MAX_BODY:
                return _too_much()
            part = inflater.unconsumed_tail
    except zlib.error:
        return Broken("unavailable", "the response's compressed body is damaged")
    return None


def _too_much() -> Broken:
    return Broken("exhausted", f"the response's body has more than {MAX_BODY} bytes")
