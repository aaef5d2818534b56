"""Whether a JSON Patch (RFC 6902) is well formed, and safe to apply to a document that others change too.

An array index says nothing about what stands there once another unit has patched the array: so an index needs a
``test`` before it, at or below the same element. Application is elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from remit.schemas import Fault

__all__ = ["patch_faults"]

_POINTER = re.compile(r"(/([^~/]|~[01])*)*")
_INDEX = re.compile(r"0|[1-9][0-9]*")
_NEEDS: dict[str, tuple[str, ...]] = {
    "add": ("value",),
    "replace": ("value",),
    "test": ("value",),
    "remove": (),
    "move": ("from",),
    "copy": ("from",),
}


def patch_faults(operations: Any, path: str) -> Iterator[Fault]:
    """The faults of a list of operations.

    :param path: where the list stands, for the faults
    """
    if not isinstance(operations, list):
        yield Fault(path, "must be an array of operations (RFC 6902)")
        return
    tested: list[str] = []
    for index, operation in enumerate(operations):
        place = f"{path}[{index}]"
        if not isinstance(operation, dict):
            yield Fault(place, "must be an operation, like { op = 'add', path = '/a', value = 1 }")
            continue
        verb = operation.get("op")
        if not isinstance(verb, str) or verb not in _NEEDS:
            yield Fault(f"{place}.op", f"must be one of {', '.join(_NEEDS)}")
            continue
        yield from _shape(operation, _NEEDS[verb], place)
        pointers = [(key, operation.get(key)) for key in ("path", *_NEEDS[verb]) if key in ("path", "from")]
        for key, pointer in pointers:
            if not isinstance(pointer, str) or not _POINTER.fullmatch(pointer):
                yield Fault(f"{place}.{key}", "must be a JSON pointer like '/guards/redact' (RFC 6901)")
            elif verb == "test":
                tested.append(pointer)
            elif untested := _untested(pointer, tested):
                yield Fault(f"{place}.{key}", f"needs a preceding test of {untested!r}, or of something inside it")


def _shape(operation: dict[str, Any], needs: tuple[str, ...], place: str) -> Iterator[Fault]:
    for key in needs:
        if key == "value" and key not in operation:
            yield Fault(f"{place}.{key}", "is missing")
    for key in operation:
        if key not in ("op", "path", *needs):
            yield Fault(place, f"unknown key {key[:40]!r} of this operation")


def _untested(pointer: str, tested: list[str]) -> str:
    """The first element that the pointer names by index and no test has looked at, or ""."""
    steps = pointer.split("/")
    for end in range(2, len(steps) + 1):
        element = "/".join(steps[:end])
        seen = any(done == element or done.startswith(f"{element}/") for done in tested)
        if _INDEX.fullmatch(steps[end - 1]) and not seen:
            return element
    return ""
