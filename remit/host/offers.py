"""What plugins offer, as data: services, HTTP routes, dashboard panels; and a call as middleware sees it.

Plugins make these through hooks (:mod:`remit.kernel.hookspecs`), whoever serves them reads them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from remit.kernel.model import Caller

__all__ = ["Invocation", "Panel", "Route", "Service"]


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """An action that a plugin performs: units reach it by ``action:call``, callers like any action. Policy decides."""

    name: str
    """``publisher/name:action``. The part before the colon is the plugin's own: no installed unit may have it."""
    call: Callable[[Any, Caller], Any]
    """``call(input, caller) -> output``, both plain JSON data. A :class:`remit.errors.RemitError` is an answer."""
    input: dict[str, Any] | None = None
    """JSON Schema (2020-12) of the input; ``None`` takes anything."""
    output: dict[str, Any] | None = None
    title: str = ""
    idempotent: bool = False
    deadline_ms: int = 10_000
    outside: bool = False
    """Whether it waits for somebody outside: that such a call does not end in time is no fault of the plugin's."""
    definition: str = ""
    """Digest of what it is, where that may change: it goes into the digest that the journal has of its calls."""


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP route below ``/``."""

    path: str
    """With ``{name}`` for a part that varies."""
    endpoint: Callable[..., Any]
    """As the ``http`` plugin's framework takes it: a function from request to response, or an ASGI application.

    ``request.state.caller`` is who asks (:class:`Caller`).
    """
    methods: tuple[str, ...] = ("GET",)
    summary: str = ""
    """A line for the OpenAPI document."""
    public: bool = False
    """Whether it answers without a token: what it then shows is for everybody."""


class Panel(msgspec.Struct, frozen=True, kw_only=True):
    """One panel of the dashboard."""

    id: str
    """Lower case with hyphens; unique among all panels."""
    title: str
    template: str
    """A Jinja template's text, rendered with autoescape over what ``data`` gives."""
    data: Callable[[], dict[str, Any]] = dict
    route: str = ""
    """Where the panel's own page is, or ""."""
    order: int = 100
    """Smaller comes first."""


class Invocation(msgspec.Struct, frozen=True):
    """A call that policy has let through, as middleware sees it."""

    action: str
    unit: str
    digest: str
    caller: Caller
    value: Any
    """The input, with what its schema marks as sensitive masked."""
