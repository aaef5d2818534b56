"""``http``: asks for the lease of a request's origin; the request itself cannot be made yet and is answered so."""

from __future__ import annotations

import re
from ipaddress import IPv6Address
from typing import Any, Final
from urllib.parse import urlsplit

from remit.kernel.hostcall import Ok, Refused
from remit.kernel.scope import Scope

__all__ = ["FUNCTIONS", "origin"]

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_MAX_URL = 8192
_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")


def origin(url: str) -> str | None:
    """``scheme://host[:port]`` of a URL, lower case, default port dropped; ``None`` if it has none that we accept.

    A URL with a user or password, or with characters that parsers disagree about (control characters, spaces,
    backslashes), is not accepted. Source: RFC 3986, section 3.2; RFC 6454, section 4.
    """
    if len(url) > _MAX_URL or any(char <= " " or char in "\\\x7f" for char in url):
        return None
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not host or "@" in parts.netloc:
        return None
    name = _host(host)
    shown = "" if port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{port}"
    return f"{parts.scheme}://{name}{shown}" if name else None


def _host(host: str) -> str | None:
    try:
        if ":" in host:
            return f"[{IPv6Address(host)}]"
        # A name outside ASCII would look like another to people; its A-label does not.
        name = host.encode("idna").decode("ascii").lower().removesuffix(".")
    except ValueError:
        return None
    return name if _NAME.fullmatch(name) else None


def _fetch(scope: Scope, request: dict[str, Any]) -> Ok | Refused:
    where = origin(request["url"])
    if where is None:
        return Refused("invalid", "the URL is not an http or https URL without user and password")
    method = request["method"].upper()
    if not method.isascii() or not method.isalpha():
        return Refused("invalid", f"{method[:20]!r} is not an HTTP method")
    grant = scope.require("net:http", where, method=method, nbytes=len(request["body"].encode()))
    if isinstance(grant, Refused):
        return grant
    return Refused("unavailable", "this version of remit makes no HTTP requests")


FUNCTIONS: Final = {"fetch": _fetch}
