"""Serving a home over the network: what a service is asked for, who may speak through it, and where one comes from.

How it is served is a plugin's business (hook ``remit_web_service``); this module holds what both sides share.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from remit.errors import ConfigInvalid, ServiceMissing
from remit.host.compose import BUILTINS
from remit.host.facade.facade import Facade
from remit.host.home.home import Home
from remit.host.offers import Panel, Route
from remit.host.plugging import Plugins
from remit.schemas.config import LOCAL_OPERATOR, load_config

__all__ = ["Offers", "ServiceOptions", "Tokens", "WebService", "new_token", "open_service"]

_SERVICES = ("remit.plugins.http", "remit.plugins.dashboard")
_TOKEN_BYTES = 32


class ServiceOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Where and how to serve. Sizes are bytes, times seconds."""

    root: Path
    host: str = "127.0.0.1"
    port: int = 8080
    """0 takes any free one."""
    token: str = ""
    """A token of this run, which speaks for the local operator; "" for none."""
    names: tuple[str, ...] = ()
    """Further names by which browsers may reach the service (``Host``)."""
    rate: float = 10_000.0
    """Requests a second of one operator, by all tokens together, with bursts of as many."""
    body: int = 4 << 20
    """The largest request."""
    patience: float = 10.0
    """How long the head of a request may take to arrive."""
    body_patience: float = 30.0
    """How long the body of a request may take to arrive."""
    drain: int = 10
    """How long requests under way may take when the service stops."""


class Offers(msgspec.Struct, frozen=True, kw_only=True):
    """What plugins add to the service, each with the plugin it comes from."""

    routes: Sequence[tuple[str, Route]] = ()
    panels: Sequence[tuple[str, Panel]] = ()
    fail: Callable[[str, str, BaseException], None] = lambda _plugin, _what, _error: None
    """Told of a plugin whose offer turned out to be no good: its name, what failed, how."""


class WebService(Protocol):
    """Something that serves a home until it is told to stop."""

    @property
    def url(self) -> str:
        """Where it listens, once :meth:`bind` was called."""
        ...

    def bind(self) -> None:
        """Listen.

        :raises AddressInUse: if that is not possible there
        """
        ...

    def run(self) -> None:
        """Serve until SIGINT, SIGTERM or :meth:`stop`, then let what is under way finish."""
        ...

    def stop(self) -> None:
        """Make :meth:`run` return. May be called from any thread."""
        ...


class Tokens:
    """Who a bearer token speaks for, as ``remit.toml`` said when it was last looked at: see :meth:`refresh`."""

    def __init__(self, root: Path, session: str = "") -> None:
        """:param session: a token of this run that speaks for the local operator; "" for none."""
        self._file = root / "remit.toml"
        self._session = {digest(session): LOCAL_OPERATOR} if session else {}
        self._stamp: tuple[int, int, int] | None = None
        self._known: Mapping[str, str] = self._session

    def known(self, token: str) -> str | None:
        """The operator that a token speaks for, or ``None``.

        The token is compared by its digest, so how long that takes says nothing about a token.
        """
        return self._known.get(digest(token))

    def refresh(self) -> None:
        """Look at the file, and read it if it is another than before. What it says is believed until the next time."""
        try:
            status = self._file.stat()
            stamp = status.st_mtime_ns, status.st_size, status.st_ino
            if stamp == self._stamp:
                return
            config = load_config(self._file.read_bytes())
        except (OSError, ConfigInvalid):
            # Fail closed: who may speak cannot be read, so nobody may but the one who started the service.
            self._known, self._stamp = self._session, None
            return
        given = {known: name for name, operator in config.operator.items() for known in operator.tokens}
        self._known, self._stamp = given | self._session, stamp


def digest(token: str) -> str:
    """What ``remit.toml`` holds of a token: it has 256 random bits, so a plain SHA-256 cannot be searched."""
    return "sha256:" + hashlib.sha256(token.encode()).hexdigest()


def new_token(root: Path) -> tuple[str, str]:
    """A fresh bearer token and its digest. Nothing is written: the digest goes to ``[operator.NAME] tokens``.

    :raises HomeMissing: if there is no home at ``root``
    """
    secret = Home.open(root).ids.random(_TOKEN_BYTES)
    token = "remit_" + base64.urlsafe_b64encode(secret).decode().rstrip("=")
    return token, digest(token)


def open_service(facade: Facade, options: ServiceOptions) -> WebService:
    """What serves the home: the latest registered plugin that offers to.

    :raises ServiceMissing: if none does
    """
    disabled = load_config((options.root / "remit.toml").read_bytes()).plugin.disable
    plugins = Plugins((*_SERVICES, *BUILTINS), disabled)
    offers = Offers(
        routes=plugins.offers("remit_http_routes", Route, kernel=facade),
        panels=plugins.offers("remit_panels", Panel, kernel=facade),
        fail=plugins.fail,
    )
    found: list[WebService] = plugins.call("remit_web_service", facade=facade, options=options, offers=offers)
    if not found:
        raise ServiceMissing("no plugin serves HTTP here")
    return found[-1]
