"""``x-remit-sensitive: true``: which parts of a value must never be shown or journalled, and their removal.

Secrets, which no schema marks, are removed wherever they appear (:func:`mask`).

Where it is unclear whether a schema applies (a branch of ``anyOf``, a pattern of keys), it is taken to apply.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from remit.schemas.subschemas import Subschema, closure, inside, steps

__all__ = ["KEYWORD", "MASK", "mask", "redact", "sensitive_pointers"]

KEYWORD = "x-remit-sensitive"
MASK = "•••"
_MAX_POINTER = 32
_MAX_POINTERS = 4096


def redact(schema: Subschema, value: Any) -> Any:
    """A copy of ``value`` with every sensitive part replaced by :data:`MASK`, however deep."""
    return _redact([schema], schema, value) if isinstance(schema, Mapping) else value


def _redact(start: list[Subschema], root: Mapping[str, Any], value: Any) -> Any:
    applying = closure(start, root)
    if any(schema.get(KEYWORD) is True for schema in applying):
        return MASK
    if not applying:
        return value
    if isinstance(value, Mapping):
        return {key: _redact(_part(applying, str(key)), root, inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_redact(_part(applying, str(index)), root, inner) for index, inner in enumerate(value)]
    return value


def _part(applying: list[Mapping[str, Any]], step: str) -> list[Subschema]:
    return [inner for schema in applying for inner in inside(schema, step)]


def sensitive_pointers(schema: Subschema) -> set[str]:
    """JSON pointers (RFC 6901) into values that the schema marks; ``*`` stands for any key or index.

    A recursive schema is unrolled until it repeats itself; :func:`redact` follows it all the way.
    """
    found: set[str] = set()
    if isinstance(schema, Mapping):
        _collect([schema], schema, (), frozenset(), found)
    return found


def _collect(
    start: list[Subschema], root: Mapping[str, Any], path: tuple[str, ...], above: frozenset[int], found: set[str]
) -> None:
    applying = closure(start, root)
    if any(schema.get(KEYWORD) is True for schema in applying):
        found.add("".join(f"/{step.replace('~', '~0').replace('/', '~1')}" for step in path))
        return
    fresh = [schema for schema in applying if id(schema) not in above]
    if len(path) >= _MAX_POINTER or len(found) >= _MAX_POINTERS:
        return
    below = above | {id(schema) for schema in fresh}
    for step in sorted({step for schema in fresh for step in steps(schema)}):
        _collect(_part(fresh, step), root, (*path, step), below, found)


def mask(value: Any, secrets: Mapping[str, str]) -> Any:
    """A JSON-able value with every secret in its texts, plain or as JSON has it, replaced by its name in brackets."""
    forms: dict[str, str] = {}
    for name, secret in secrets.items():
        written = (secret, json.dumps(secret, ensure_ascii=False)[1:-1], json.dumps(secret)[1:-1])
        forms |= dict.fromkeys(written, f"[{name}]")
    return _mask(value, list(forms.items()))


def _mask(value: Any, forms: list[tuple[str, str]]) -> Any:
    if isinstance(value, str):
        for written, shown in forms:
            value = value.replace(written, shown)
        return value
    if isinstance(value, dict):
        return {_mask(key, forms): _mask(inner, forms) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_mask(inner, forms) for inner in value]
    return value
