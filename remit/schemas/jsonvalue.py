"""Whether a Python value is JSON within bounds, and how large it is: asked before any recursive code sees it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from remit.schemas.fault import MAX_FAULTS, Fault, show_path

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MAX_DEPTH", "beyond", "deeper_than", "not_json"]

MAX_DEPTH = 64
"""Nesting of objects and arrays together."""

_Parts = tuple[str | int, ...]


def not_json(value: Any) -> list[Fault]:
    """What in a value cannot be JSON: dates of TOML, infinities, keys that are no text, nesting beyond the bound."""
    found: list[Fault] = []
    stack: list[tuple[_Parts, Any]] = [((), value)]
    while stack and len(found) <= MAX_FAULTS:
        parts, item = stack.pop()
        if isinstance(item, dict | list | tuple) and len(parts) >= MAX_DEPTH:
            found.append(Fault(show_path(parts[:3]), f"is nested more than {MAX_DEPTH} deep"))
        elif isinstance(item, dict):
            if not all(isinstance(key, str) and _encodable(key) for key in item):
                found.append(Fault(show_path(parts), "has a key that is not text"))
            stack.extend(((*parts, str(key)), inner) for key, inner in item.items())
        elif isinstance(item, list | tuple):
            stack.extend(((*parts, index), inner) for index, inner in enumerate(item))
        else:
            found.extend(Fault(show_path(parts), message) for message in _scalar(item))
    return found


def _scalar(item: Any) -> Iterator[str]:
    if isinstance(item, float) and not math.isfinite(item):
        yield "must be a finite number"
    elif isinstance(item, str) and not _encodable(item):
        yield "is not valid Unicode text"
    elif item is not None and not isinstance(item, str | int | float | bool):
        yield f"is a {type(item).__name__}, which JSON does not have: write it as text"


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def deeper_than(value: Any, limit: int) -> bool:
    """Whether objects and arrays nest beyond ``limit``. Ends on cyclic values as well, level by level."""
    level = [value] if isinstance(value, dict | list | tuple) else []
    for _ in range(limit):
        level = [
            inner
            for item in {id(item): item for item in level}.values()
            for inner in (item.values() if isinstance(item, dict) else item)
            if isinstance(inner, dict | list | tuple)
        ]
        if not level:
            return False
    return True


def beyond(value: Any, *, nodes: int, text: int) -> bool:
    """Whether a value has more than so many parts, or so many characters in its keys and strings together."""
    stack = [value]
    while stack and nodes >= 0 and text >= 0:
        item = stack.pop()
        nodes -= 1
        if isinstance(item, str):
            text -= len(item)
        elif isinstance(item, dict):
            text -= sum(len(key) for key in item if isinstance(key, str))
            stack.extend(item.values())
        elif isinstance(item, list | tuple):
            stack.extend(item)
    return nodes < 0 or text < 0
