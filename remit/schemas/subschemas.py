"""Where schemas stand inside a JSON Schema (2020-12): the walk that admission, sensitivity and redaction share.

Keywords that hold schemas are listed here once. A property that happens to be called ``$ref``, or a ``default`` that
looks like a schema, is data and is not walked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

__all__ = ["Subschema", "at_pointer", "children", "closure", "here", "inside", "steps"]

_SINGLE_HERE = ("not", "if", "then", "else")
_LIST_HERE = ("allOf", "anyOf", "oneOf")
_MAP_HERE = ("dependentSchemas",)
_REST_OF_OBJECT = ("additionalProperties", "unevaluatedProperties")
_REST_OF_ARRAY = ("items", "unevaluatedItems")

Subschema = Any
"""A schema inside a schema: an object, ``True`` or ``False``; anything else is for the validator to refuse."""


def children(schema: Mapping[str, Any]) -> Iterator[Subschema]:
    """Every schema that stands directly inside this one."""
    singles = (*_SINGLE_HERE, *_REST_OF_OBJECT, *_REST_OF_ARRAY, "contains", "propertyNames", "contentSchema")
    for keyword in singles:
        if keyword in schema:
            yield schema[keyword]
    for keyword in (*_LIST_HERE, "prefixItems"):
        yield from _items(schema.get(keyword))
    for keyword in (*_MAP_HERE, "properties", "patternProperties", "$defs", "definitions"):
        yield from _values(schema.get(keyword))


def closure(start: list[Subschema], root: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Every schema that judges the same value as these: combinators, conditions and targets of ``$ref``, each once."""
    seen: dict[int, Mapping[str, Any]] = {}
    stack = list(start)
    while stack:
        schema = stack.pop()
        if isinstance(schema, Mapping) and id(schema) not in seen:
            seen[id(schema)] = schema
            stack.extend(here(schema, root))
    return list(seen.values())


def here(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Iterator[Subschema]:
    """The schemas that judge the same value as this one, one step away."""
    for keyword in _SINGLE_HERE:
        if keyword in schema:
            yield schema[keyword]
    for keyword in _LIST_HERE:
        yield from _items(schema.get(keyword))
    for keyword in _MAP_HERE:
        yield from _values(schema.get(keyword))
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith("#"):
        try:
            yield at_pointer(root, reference[1:])
        except LookupError:
            return


def steps(schema: Mapping[str, Any]) -> Iterator[str]:
    """The parts of a value that this schema speaks of: keys, indices, and "*" for any other part."""
    properties = schema.get("properties")
    if isinstance(properties, Mapping):
        yield from properties
    yield from (str(index) for index, _ in enumerate(_items(schema.get("prefixItems"))))
    if any(keyword in schema for keyword in (*_REST_OF_OBJECT, *_REST_OF_ARRAY, "contains", "patternProperties")):
        yield "*"


def inside(schema: Mapping[str, Any], step: str) -> Iterator[Subschema]:
    """The schemas that may judge one part of the value: rather too many than too few, as redaction needs.

    :param step: a key, an index in decimal, or "*" for a part that is not named
    """
    properties = schema.get("properties")
    named = properties if isinstance(properties, Mapping) else {}
    if step in named:
        yield named[step]
    # Whether a pattern matches is not asked: that would run a stranger's regular expression in Python's engine.
    yield from _values(schema.get("patternProperties"))
    if step not in named:
        yield from (schema[keyword] for keyword in _REST_OF_OBJECT if keyword in schema)
    prefix = schema.get("prefixItems")
    index = _index(step, len(prefix)) if isinstance(prefix, list) else None
    if isinstance(prefix, list) and index is not None:
        yield prefix[index]
    else:
        yield from (schema[keyword] for keyword in _REST_OF_ARRAY if keyword in schema)
    if "contains" in schema:
        yield schema["contains"]


def at_pointer(root: Any, fragment: str) -> Any:
    """What stands at a JSON pointer (RFC 6901), written as the fragment of a ``$ref`` without its "#".

    :raises LookupError: if nothing does
    """
    if fragment and not fragment.startswith("/"):
        raise LookupError(fragment)
    place = root
    for raw in unquote(fragment).split("/")[1:]:
        step = raw.replace("~1", "/").replace("~0", "~")
        if isinstance(place, Mapping) and step in place:
            place = place[step]
            continue
        index = _index(step, len(place)) if isinstance(place, list) else None
        if index is None:
            raise LookupError(fragment)
        place = place[index]
    return place


def _index(step: str, length: int) -> int | None:
    # The length is compared first: a step of a million digits is not worth making a number of.
    short = step.isascii() and step.isdigit() and len(step) <= len(str(length))
    return int(step) if short and int(step) < length else None


def _items(value: Any) -> Iterator[Subschema]:
    yield from value if isinstance(value, list) else ()


def _values(value: Any) -> Iterator[Subschema]:
    yield from value.values() if isinstance(value, Mapping) else ()
