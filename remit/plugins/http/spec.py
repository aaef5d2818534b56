"""What is served, for programs: OpenAPI 3.1, AsyncAPI 3.0 and MCP's tool list, made of the schemas that validate.

Nothing is written twice here: paths come from the table of routes, inputs and outputs from the active units.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from remit import schemas
from remit.schemas import formats
from remit.schemas.release import VERSION

__all__ = ["MAKERS", "asyncapi", "mcp_tools", "openapi", "tool_name"]

_ANY: dict[str, Any] = {}
_INFO = {
    "title": "Remit",
    "version": VERSION,
    "description": "Runs other people's logic within its remit.",
    "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
}
_PROBLEM = {
    "type": "object",
    "description": "RFC 9457, with the stable code of the error and the one thing that would help.",
    "required": ["type", "title", "status", "detail", "code", "remedy"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "pattern": "^RM-[0-9]{4}$"},
        "remedy": {"type": "string"},
        "details": {"type": "object"},
    },
}
_TOPIC = {"type": "string", "maxLength": 255}
_EVENT = {
    "type": "object",
    "required": ["type"],
    "additionalProperties": False,
    "properties": {"type": _TOPIC, "data": _ANY},
}


def tool_name(action: str) -> str:
    """MCP's name of an action: ``publisher__name__action``, for colons and slashes are not allowed there."""
    return action.replace("/", "__").replace(":", "__")


def _parameter(name: str, schema: Mapping[str, Any], words: str, where: str = "query") -> dict[str, Any]:
    return {"name": name, "in": where, "description": words, "schema": schema, "required": where == "path"}


_NUMBER = {"type": "integer", "minimum": 0, "maximum": (1 << 53) - 1}
_AFTER = _parameter("after", _NUMBER, "Only records after this sequence number.")
_PREFIX = _parameter("prefix", {"type": "array", "items": {"type": "string"}}, "Only types that begin so.")
_ID = _parameter("id", {"type": "string"}, "A correlation id, a trace id, a record's number, or `last`.", "path")
_KEY = _parameter(
    "Idempotency-Key",
    {"type": "string", "pattern": "^[\\x21-\\x7e]{1,200}$"},
    "The same key gives the outcome of the first call again.",
    "header",
)


def _operation(
    name: str, words: str, *, parameters: Sequence[Any] = (), body: Any = None, answer: Any = _ANY, status: str = "200"
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": words,
        "parameters": list(parameters),
        "responses": {
            status: {"description": "Done.", "content": {"application/json": {"schema": answer}}},
            "default": {
                "description": "Refused or failed.",
                "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
            },
        },
    }
    if body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    return operation


def openapi(actions: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """OpenAPI 3.1.0 (https://spec.openapis.org/oas/v3.1.0): the fixed routes, and one path for each action."""
    page = [_AFTER, _PREFIX]
    last = _parameter("last", {**_NUMBER, "maximum": 10_000}, "The newest so many instead.")
    limit = _parameter("limit", {**_NUMBER, "minimum": 1, "maximum": 10_000}, "At most so many.")
    names = _parameter("names", {"enum": ["topic", "none"]}, "Whether a stream's frames are named by their topic.")
    model = _parameter("model", {"type": "string", "minLength": 1}, "A read model's name.", "path")
    at = _parameter("at", _NUMBER, "As it was right after this record.")
    open_to_all: dict[str, Any] = {"security": []}
    paths: dict[str, Any] = {
        "/state": {"get": _operation("listModels", "The names of the read models.")},
        "/state/{model}": {"get": _operation("readModel", "A read model.", parameters=[model, at])},
        "/events": {
            "get": _operation(
                "readEvents", "Records; a stream for text/event-stream.", parameters=[*page, last, limit, names]
            ),
            "post": _operation("emitEvent", "Say that something happened.", body=_EVENT, status="201"),
        },
        "/state/episode/{id}/snapshot": {
            "get": _operation("readEpisode", "An episode's records and spans, and what was active.", parameters=[_ID])
        },
        "/state/episode/{id}/trace": {"get": _operation("readTrace", "The spans of an episode.", parameters=[_ID])},
        "/actions": {"get": _operation("listActions", "What the caller may invoke.")},
        "/healthz": {"get": _operation("healthy", "Whether the process answers.") | open_to_all},
        "/readyz": {"get": _operation("ready", "Whether the home's kernel answers.") | open_to_all},
    }
    for action in actions:
        paths[_path(action["name"])] = {"post": _call(action)}
    return {
        "openapi": "3.1.0",
        "info": _INFO,
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": {"Problem": _PROBLEM},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _path(action: str) -> str:
    unit, _, name = action.partition(":")
    return f"/actions/{unit}/{name}"


def _call(action: Mapping[str, Any]) -> dict[str, Any]:
    durability = _parameter(
        "durability", {"enum": ["committed", "queued"]}, "Whether to wait until the outcome is on disk."
    )
    return _operation(
        tool_name(action["name"]),
        action["title"] or action["name"],
        parameters=[_KEY, durability],
        body=action["input"] if action["input"] is not None else _ANY,
        answer=action["output"] if action["output"] is not None else _ANY,
    )


def asyncapi(_actions: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """AsyncAPI 3.0.0 (https://www.asyncapi.com/docs/reference/specification/v3.0.0): the journal as a stream."""
    return {
        "asyncapi": "3.0.0",
        "info": {"title": _INFO["title"], "version": VERSION, "description": _INFO["description"]},
        "defaultContentType": "application/json",
        "channels": {
            "events": {"address": "/events", "messages": {"record": {"$ref": "#/components/messages/record"}}}
        },
        "operations": {
            "follow": {"action": "send", "channel": {"$ref": "#/channels/events"}},
            "emit": {"action": "receive", "channel": {"$ref": "#/channels/events"}},
        },
        "components": {
            "messages": {"record": {"contentType": "application/json", "payload": schemas.schema(formats.EVENT)}}
        },
    }


def mcp_tools(actions: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The result of MCP's ``tools/list`` (revision 2025-06-18) for the actions."""
    return {"tools": [_tool(action) for action in actions]}


def _tool(action: Mapping[str, Any]) -> dict[str, Any]:
    taken = action["input"] if isinstance(action["input"], dict) else {"type": "object"}
    tool: dict[str, Any] = {
        "name": tool_name(action["name"]),
        "description": action["title"] or action["name"],
        "inputSchema": {"type": "object", **taken},
        "annotations": {"idempotentHint": bool(action["idempotent"])},
    }
    if isinstance(action["output"], dict) and action["output"].get("type") == "object":
        tool["outputSchema"] = action["output"]
    return tool


MAKERS: Mapping[str, Callable[[Sequence[Mapping[str, Any]]], dict[str, Any]]] = {
    "openapi": openapi,
    "asyncapi": asyncapi,
    "mcp": mcp_tools,
}
