"""What a URL means: scheme, host, port and request target, or nothing where parsers could disagree. Pure.

Sources: RFC 3986, sections 2 and 3.2; RFC 6454, section 4; RFC 9110, section 7.1.
"""

from __future__ import annotations

import re
from ipaddress import IPv6Address
from typing import Final
from urllib.parse import quote, urljoin, urlsplit

import msgspec

__all__ = ["Target", "parse_target"]

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_MAX_URL = 8192
_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")
_KEPT = "!$%&'()*+,/:;=?@[]~"
"""What a path or query keeps as it is; everything else outside letters, digits and ``-._`` is percent-encoded."""


class Target(msgspec.Struct, frozen=True):
    """Where a request goes."""

    scheme: str
    host: str
    """Lower case, A-labels; an IPv6 address without brackets."""
    port: int
    path: str
    """Path and query, as the request line has them."""

    @property
    def authority(self) -> str:
        """``host[:port]``: brackets around IPv6, the default port dropped."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """``scheme://host[:port]``, the resource that policy is asked about."""
        return f"{self.scheme}://{self.authority}"

    def redirect(self, location: str) -> Target | None:
        """Where a ``Location`` leads from here."""
        try:
            return parse_target(urljoin(f"{self.origin}{self.path}", location[: _MAX_URL + 1]))
        except ValueError:
            return None


def parse_target(url: str) -> Target | None:
    """The target of an http or https URL, its fragment dropped; ``None`` for what is not accepted.

    A URL with a user or password, or with characters that parsers disagree about (control characters, spaces,
    backslashes), is not accepted.
    """
    if len(url) > _MAX_URL or any(char <= " " or char in "\\\x7f" for char in url):
        return None
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        path = quote(parts.path or "/", safe=_KEPT) + (f"?{quote(parts.query, safe=_KEPT)}" if parts.query else "")
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not host or "@" in parts.netloc or port == 0:
        return None
    name = _host(host)
    return Target(parts.scheme, name, port or _DEFAULT_PORTS[parts.scheme], path) if name else None


def _host(host: str) -> str | None:
    try:
        if ":" in host:
            # An address with a zone means another machine on every link.
            return None if "%" in host else str(IPv6Address(host))
        # A name outside ASCII would look like another to people; its A-label does not.
        name = host.encode("idna").decode("ascii").lower().removesuffix(".")
    except ValueError:
        return None
    return name if _NAME.fullmatch(name) else None
