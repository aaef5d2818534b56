"""Tools as data: what MCP's clients are shown of our actions, and the digest that pins any tool's definition. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from mcp import types

from remit.errors import ActionUnknown
from remit.host import PromptView
from remit.journal import digest_of
from remit.plugins.http.spec import mcp_tools

__all__ = ["DIGEST", "UNIT", "action_of", "definition_digest", "prompts_of", "tools_of"]

DIGEST = "remit/digest"
"""In a tool's ``_meta``: the digest of everything that a model is told of it."""
UNIT = "remit/unit"
_PINNED = ("name", "title", "description", "inputSchema", "outputSchema", "annotations")
_NAME = re.compile(r"([a-z0-9-]{1,64})__([a-z0-9-]{1,64})__([A-Za-z0-9_.-]{1,128})")
_encode = msgspec.json.Encoder(order="deterministic").encode


def definition_digest(tool: Mapping[str, Any]) -> str:
    """The digest of a tool's definition (MCP revision 2025-06-18, ``Tool``): all of it that can steer a model."""
    told = {name: tool[name] for name in _PINNED if tool.get(name) is not None}
    return digest_of(b"remit/mcp/tool/1\n" + _encode(told))


def tools_of(actions: Sequence[Mapping[str, Any]]) -> list[types.Tool]:
    """Our actions, as :meth:`remit.host.Facade.actions` gives them, as tools."""
    return [
        types.Tool.model_validate(
            tool | {"_meta": {DIGEST: definition_digest(tool), UNIT: f"{action['unit']}@{action['version']}"}}
        )
        for action, tool in zip(actions, mcp_tools(actions)["tools"], strict=True)
    ]


def prompts_of(found: Sequence[PromptView]) -> list[types.Prompt]:
    """Our prompts, as :meth:`remit.host.Facade.prompts` gives them, as MCP has them."""
    return [
        types.Prompt.model_validate(
            {
                "name": one.name.replace("/", "__").replace(":", "__"),
                "title": one.title or None,
                "description": one.description or None,
                "arguments": [_argument(argument) for argument in one.arguments],
                "_meta": {DIGEST: one.digest, UNIT: f"{one.unit}@{one.version}"},
            }
        )
        for one in found
    ]


def _argument(one: Mapping[str, Any]) -> dict[str, Any]:
    words = ": ".join(filter(None, (one.get("title"), one.get("description"))))
    return {"name": one["name"], "description": words or None, "required": one.get("required", True)}


def action_of(tool: str) -> str:
    """The action behind a tool's name, ``publisher__name__action``; a prompt's name is made alike.

    :raises ActionUnknown: if no tool of ours could have the name
    """
    parts = _NAME.fullmatch(tool)
    if parts is None:
        raise ActionUnknown(f"there is no tool or prompt {tool[:200]!r}", remedy="list the tools and the prompts")
    return f"{parts[1]}/{parts[2]}:{parts[3]}"
