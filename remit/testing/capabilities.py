"""Simulated capabilities: what a unit reaches outside, without an outside. Grants and leases are the kernel's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from remit.kernel.answers import Ok, Refused
from remit.kernel.hookspecs import hookimpl
from remit.kernel.scope import HostFunction, HostInterface, Scope

__all__ = ["FakeHttp", "Reply"]


class Reply(msgspec.Struct, frozen=True):
    """What a simulated server answers."""

    body: str = ""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()


class FakeHttp:
    """An internet of the given URLs, as a plugin: it serves the interface ``http`` in place of the real one.

    :attr:`requests` holds what units sent, in order. A URL that was not given is ``unavailable``, as a dead server is.
    """

    def __init__(self, replies: Mapping[str, Reply | str]) -> None:
        """:param replies: by ``"GET https://host/path"``, or by URL for any method"""
        self._replies = {url: Reply(reply) if isinstance(reply, str) else reply for url, reply in replies.items()}
        self.requests: list[dict[str, Any]] = []
        self.functions: Mapping[str, HostFunction] = {"fetch": self._fetch}

    @hookimpl
    def remit_host_interfaces(self) -> Mapping[str, HostInterface]:
        """Take the place of ``http``."""
        return {"http": self}

    def _fetch(self, scope: Scope, request: dict[str, Any]) -> Ok | Refused:
        url = urlsplit(request["url"])
        method = request["method"].upper()
        grant = scope.require(
            "net:http", f"{url.scheme}://{url.netloc}", method=method, nbytes=len(request["body"].encode())
        )
        if isinstance(grant, Refused):
            return grant
        self.requests.append(request)
        reply = self._replies.get(f"{method} {request['url']}") or self._replies.get(request["url"])
        if reply is None:
            return Refused("unavailable", f"nobody answers at {request['url']}")
        headers = [list(header) for header in reply.headers]
        return Ok({"status": reply.status, "headers": headers, "body": reply.body, "body-encoding": "utf8"})
