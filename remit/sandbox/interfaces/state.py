"""``state``: the unit's own keys; writes are buffered in the call's effects, and visible to others when it commits."""

from __future__ import annotations

from typing import Final

from remit.errors import QuotaExceeded, StateConflict
from remit.kernel.hostcall import Ok, Refused
from remit.kernel.scope import Scope
from remit.sandbox.interfaces.secrets import holds_secret

__all__ = ["FUNCTIONS", "MAX_KEY", "MAX_LIST", "MAX_VALUE"]

MAX_KEY: Final = 512
"""Bytes of one key, in UTF-8."""
MAX_VALUE: Final = 1 << 20
"""Bytes of one value, in UTF-8."""
MAX_LIST: Final = 1000
"""Keys of one listing."""


def _bad_key(key: str, *, empty: bool = False) -> Refused | None:
    if not key and not empty:
        return Refused("invalid", "a key must not be empty")
    if len(key.encode()) > MAX_KEY:
        return Refused("invalid", f"a key may have {MAX_KEY} bytes")
    return None


def _get(scope: Scope, key: str) -> Ok | Refused:
    if (refused := _bad_key(key)) is not None:
        return refused
    entry = scope.effects.get(key)
    return Ok(None if entry is None else {"value": entry[0], "version": entry[1]})


def _put(scope: Scope, key: str, value: str, expected: int | None) -> Ok | Refused:
    if (refused := _bad_key(key)) is not None:
        return refused
    if len(value.encode()) > MAX_VALUE:
        return Refused("invalid", f"a value may have {MAX_VALUE} bytes")
    if (refused := holds_secret(scope, key, value)) is not None:
        return refused
    try:
        return Ok(scope.effects.put(key, value, expected))
    except StateConflict as error:
        return Refused("conflict", error.message)
    except QuotaExceeded as error:
        return Refused("exhausted", error.message)


def _delete(scope: Scope, key: str) -> Ok | Refused:
    if (refused := _bad_key(key)) is not None:
        return refused
    try:
        return Ok(scope.effects.delete(key))
    except StateConflict as error:
        return Refused("conflict", error.message)
    except QuotaExceeded as error:
        return Refused("exhausted", error.message)


def _list(scope: Scope, prefix: str, after: str, limit: int) -> Ok | Refused:
    if (refused := _bad_key(prefix, empty=True) or _bad_key(after, empty=True)) is not None:
        return refused
    if not 1 <= limit <= MAX_LIST:
        return Refused("invalid", f"a listing has 1 to {MAX_LIST} keys, not {limit}")
    return Ok(scope.effects.list(prefix, after, limit))


FUNCTIONS: Final = {"delete": _delete, "get": _get, "list": _list, "put": _put}
