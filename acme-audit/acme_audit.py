"""A plugin for Remit: one service for units and callers, and one observer of calls."""

from __future__ import annotations

from typing import Any

from remit.kernel.hookspecs import hookimpl
from remit.kernel.offers import Invocation, Service

TEXT = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}}
calls: dict[str, int] = {}


def shout(value: dict[str, Any], caller: object) -> dict[str, Any]:
    """The text in capitals. A unit calls it as "acme-audit/text:shout", with an action:call capability for it."""
    del caller  # on whose behalf; policy has decided
    return {"text": value["text"].upper()}


@hookimpl
def remit_services() -> list[Service]:
    """What this plugin does for others."""
    return [Service(name="acme-audit/text:shout", call=shout, input=TEXT, output=TEXT, title="Shout")]


@hookimpl
def remit_after_call(call: Invocation) -> None:
    """Count the calls of each action."""
    calls[call.action] = calls.get(call.action, 0) + 1
