"""Read models as they change: what each change was, as JSON Patch (RFC 6902)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonpatch
import msgspec

from remit.host.facade.facade import Facade
from remit.kernel.model import Caller

__all__ = ["StateChange", "changes_of", "watch_state", "whole"]

_LONGEST_COMPARED = 1 << 18
_TURN_MS = 1_000


class StateChange(msgspec.Struct, frozen=True):
    """A read model at a record, as the difference to the one told before; the first is the whole, added at the root."""

    seq: int
    patch: list[dict[str, Any]]


def changes_of(before: Any, after: Any) -> list[dict[str, Any]]:
    """The JSON Patch from one value to another; for very large ones simply the new one, in the place of the old."""
    if before == after:
        return []
    if len(msgspec.json.encode(after)) > _LONGEST_COMPARED:
        return whole(after)
    return list(jsonpatch.make_patch(before, after))


def whole(value: Any) -> list[dict[str, Any]]:
    """The JSON Patch that makes anything this value."""
    return [{"op": "replace", "path": "", "value": value}]


def watch_state(facade: Facade, model: str, *, caller: Caller) -> Iterator[StateChange]:
    """A read model now, then every change of it, for ever.

    :raises ModelUnknown: if there is none with that name
    """
    known = facade.latest(model, caller=caller)
    yield StateChange(known.seq, whole(known.value))
    while True:
        if not facade.events(known.seq, limit=1, wait_ms=_TURN_MS, caller=caller):
            continue
        now = facade.latest(model, caller=caller)
        if patch := changes_of(known.value, now.value):
            yield StateChange(now.seq, patch)
        known = now
