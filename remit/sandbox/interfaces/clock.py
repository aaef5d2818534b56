"""``clock``: the kernel's clocks, so that a recorded run replays at its own time."""

from __future__ import annotations

from typing import Final

from remit.kernel.hostcall import Ok
from remit.kernel.scope import Scope

__all__ = ["FUNCTIONS"]


def _now_ms(scope: Scope) -> Ok:
    return Ok(scope.clock.now_ms())


def _monotonic_ns(scope: Scope) -> Ok:
    return Ok(scope.clock.monotonic_ns())


FUNCTIONS: Final = {"monotonic-ns": _monotonic_ns, "now-ms": _now_ms}
