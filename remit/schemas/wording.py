"""What a JSON Schema keyword that refused a value says to people.

One vocabulary for both validators. It speaks of the schema only, never of the value (unless asked to), because a value
may be a secret.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["nearest", "say", "suggested", "unknown_key"]

_MAX_SHOWN = 160
_MAX_COMPARED = 64

_SUGGESTED = re.compile(r"\(did you mean '([^'\\]+)'\?\)")

_PLAIN: Mapping[str, str] = {
    "falseSchema": "is not allowed here",
    "uniqueItems": "must not list anything twice",
    "not": "has a shape that is excluded",
    "contains": "lacks an item that it must contain",
    "anyOf": "matches none of the allowed shapes",
    "oneOf": "must match exactly one of the allowed shapes",
    "unevaluatedItems": "has items that are not allowed",
    "additionalItems": "has items that are not allowed",
    "propertyNames": "has a key that is not allowed",
}
_BOUNDS: Mapping[str, str] = {
    "minimum": "must be at least {}",
    "maximum": "must be at most {}",
    "exclusiveMinimum": "must be more than {}",
    "exclusiveMaximum": "must be less than {}",
    "multipleOf": "must be a multiple of {}",
    "minLength": "must have at least {} characters",
    "maxLength": "must have at most {} characters",
    "minItems": "must have at least {} items",
    "maxItems": "must have at most {} items",
    "minProperties": "must have at least {} keys",
    "maxProperties": "must have at most {} keys",
    "format": "must be a valid {}",
}


def say(keyword: str, expected: Any, *, noun: str = "", value: Any = msgspec.UNSET) -> str:
    """The message of one refusal.

    :param keyword: the JSON Schema keyword that refused
    :param expected: the keyword's value in the schema
    :param noun: what the schema's author calls a right value ("a size like …"); it replaces a pattern
    :param value: the refused value, only where it may be shown
    """
    if keyword == "type":
        kinds = expected if isinstance(expected, list) else [expected]
        return f"must be {' or '.join(_article(str(kind)) for kind in kinds)}"
    if keyword == "const":
        return f"must be {_show(expected)}"
    if keyword == "enum":
        return f"must be one of {', '.join(map(_show, expected))}{nearest(value, expected)}"[: 2 * _MAX_SHOWN]
    if keyword == "pattern":
        subject = "" if value is msgspec.UNSET else f"{_show(value)} "
        return f"{subject}is not {noun}" if noun else f"{subject}does not match the pattern {_clip(str(expected))}"
    if keyword in _BOUNDS:
        return _BOUNDS[keyword].format(_clip(str(expected)))
    return _PLAIN.get(keyword, f"does not follow the schema's {keyword!r}")


def unknown_key(key: str, known: Iterable[str]) -> str:
    """The message for a key that nobody declared, with the nearest declared one."""
    return f"unknown key{nearest(key, known)}"


def nearest(word: Any, known: Iterable[Any]) -> str:
    """`` (did you mean 'x'?)``, or "" where nothing is near."""
    words = [item for item in known if isinstance(item, str)]
    if not isinstance(word, str) or len(word) > _MAX_COMPARED:
        return ""
    close = difflib.get_close_matches(word, words[: _MAX_COMPARED * 4], n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def suggested(message: str) -> str:
    """The word that :func:`nearest` put into a message, or ""."""
    found = _SUGGESTED.search(message)
    return found[1] if found else ""


def _article(kind: str) -> str:
    if kind == "null":
        return "null"
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _show(value: Any) -> str:
    try:
        return _clip(msgspec.json.encode(value).decode())
    except (TypeError, ValueError, RecursionError):  # not JSON (a date of TOML), or a lone surrogate
        return f"this {type(value).__name__}"


def _clip(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"
