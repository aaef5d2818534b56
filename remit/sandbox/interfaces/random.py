"""``random``: randomness from the kernel's Ids port, bounded per call."""

from __future__ import annotations

from typing import Final

from remit.kernel.hostcall import Ok, Refused
from remit.kernel.scope import Scope

__all__ = ["FUNCTIONS", "MAX_BYTES"]

MAX_BYTES: Final = 64 << 10
"""Random bytes of one host call."""


def _hex(scope: Scope, count: int) -> Ok | Refused:
    if count > MAX_BYTES:
        return Refused("invalid", f"{count} random bytes at once; {MAX_BYTES} is the most")
    return Ok(scope.ids.random(count).hex())


def _next(scope: Scope) -> Ok:
    return Ok(int.from_bytes(scope.ids.random(8), "big"))


FUNCTIONS: Final = {"hex": _hex, "next": _next}
