"""JSON Schemas (2020-12) of actions, from type hints and docstrings. What has no schema is an error, not a guess."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

__all__ = ["input_schema", "output_schema", "schema_of"]

_PLAIN = {str: "string", bool: "boolean", int: "integer", float: "number", NoneType: "null"}


def schema_of(kind: Any) -> dict[str, Any]:
    """The schema of a type: JSON's own, ``list``, ``dict[str, T]``, ``Literal``, unions and ``TypedDict``.

    :raises TypeError: if JSON has nothing like it
    """
    if kind in {Any, object}:
        return {}
    if kind is None or (isinstance(kind, type) and kind in _PLAIN):
        return {"type": _PLAIN[NoneType if kind is None else kind]}
    if is_typeddict(kind):
        members = {name: schema_of(hint) for name, hint in get_type_hints(kind).items()}
        return _object(members, sorted(kind.__required_keys__))
    origin, arguments = get_origin(kind) or kind, get_args(kind)
    if origin is list:
        return {"type": "array"} | ({"items": schema_of(arguments[0])} if arguments else {})
    if origin is dict and (not arguments or arguments[0] is str):
        return {"type": "object"} | ({"additionalProperties": schema_of(arguments[1])} if arguments else {})
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in {Union, UnionType}:
        return {"anyOf": [schema_of(one) for one in arguments]}
    raise TypeError(f"{kind!r} has no JSON Schema: use str, int, float, bool, None, list, dict, Literal or TypedDict")


def input_schema(function: Callable[..., Any]) -> dict[str, Any]:
    """The schema of an action's input: an object with a member for each argument, those without a default required."""
    hints = get_type_hints(function)
    arguments = inspect.signature(function).parameters.values()
    members = {one.name: schema_of(hints.get(one.name, object)) for one in arguments}
    required = [one.name for one in arguments if one.default is inspect.Parameter.empty]
    title = (inspect.getdoc(function) or "").partition("\n")[0]
    return ({"title": title} if title else {}) | _object(members, required)


def output_schema(function: Callable[..., Any]) -> dict[str, Any]:
    """The schema of what an action returns."""
    return schema_of(get_type_hints(function).get("return", object))


def _object(members: dict[str, Any], required: list[str]) -> dict[str, Any]:
    made = {"type": "object", "additionalProperties": False, "properties": members}
    return made | ({"required": required} if required else {})
