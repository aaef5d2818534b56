"""What a browser sends back: a form's fields within bounds, and an action's input made from its schema's fields."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from remit.errors import RequestInvalid, RequestTooLarge

__all__ = ["Fields", "fields_of", "posted", "value_from"]

_MOST_BYTES = 1 << 20
_MOST_FIELDS = 1_000
BODY_S = 30.0
"""Seconds for a form to arrive: signing in is open to everybody."""
Fields = Mapping[str, str]
_SIMPLE = {"string", "integer", "number", "boolean"}


def posted(handler: Callable[[Request, Fields], Response]) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint that reads the form (``application/x-www-form-urlencoded``) and performs the handler on a thread."""

    async def endpoint(request: Request) -> Response:
        data = b""
        try:
            async with asyncio.timeout(BODY_S):
                async for part in request.stream():
                    data += part
                    if len(data) > _MOST_BYTES:
                        raise RequestTooLarge(f"a form may have {_MOST_BYTES} bytes")
        except TimeoutError as error:
            raise RequestInvalid(f"the form did not arrive within {BODY_S:g} seconds") from error
        except ClientDisconnect as error:
            raise RequestInvalid("the form was cut off") from error
        try:
            pairs = parse_qsl(
                data.decode(), keep_blank_values=True, strict_parsing=bool(data), max_num_fields=_MOST_FIELDS
            )
        except ValueError as error:
            raise RequestInvalid("the form cannot be read") from error
        return await run_in_threadpool(handler, request, dict(pairs))

    return endpoint


def fields_of(schema: Any) -> list[dict[str, Any]] | None:
    """Fields for the properties of an object schema; ``None`` where only JSON will do."""
    if not isinstance(schema, dict) or schema.get("type") != "object" or not isinstance(schema.get("properties"), dict):
        return None
    required = schema.get("required", ())
    fields = []
    for name, inner in schema["properties"].items():
        kind = inner.get("type") if isinstance(inner, dict) else None
        options = inner.get("enum") if isinstance(inner, dict) else None
        # What a unit's schema holds is valid, and may be anything that is: several types, options of any kind.
        words = isinstance(options, list) and all(isinstance(one, str) for one in options)
        simple = words if options is not None else isinstance(kind, str) and kind in _SIMPLE
        fields.append(
            {
                "name": name,
                "kind": "choice" if simple and options else kind if simple else "json",
                "options": options if simple else None,
                "required": name in required,
                "title": str(inner.get("title") or inner.get("description") or "") if isinstance(inner, dict) else "",
                "default": inner.get("default", "") if isinstance(inner, dict) else "",
            }
        )
    return fields


def value_from(schema: Any, form: Fields) -> Any:
    """The input that a form means.

    :raises RequestInvalid: naming the field that cannot be read
    """
    fields = fields_of(schema)
    if fields is None:
        return _json("the input", form.get("json", "") or "null")
    value = {}
    for field in fields:
        text = form.get(f"field.{field['name']}")
        if field["kind"] == "boolean":
            value[field["name"]] = text is not None
        elif text or (text == "" and field["required"] and field["kind"] == "string"):
            value[field["name"]] = _read(field, text)
    return value


def _read(field: Mapping[str, Any], text: str) -> Any:
    try:
        match field["kind"]:
            case "integer":
                return int(text)
            case "number":
                return float(text)
            case "json":
                return _json(field["name"], text)
            case _:
                return text
    except ValueError as error:
        raise RequestInvalid(f"{field['name']} is no {field['kind']}") from error


def _json(what: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RequestInvalid(f"{what} is not JSON: {error}") from error
