"""Names what a guest did: wasmtime tells of a component's trap only in words.

The reasons that we cause ourselves (deadline, cancel, abort) never come here: the call remembers them. What is left
is told apart by phrases of wasmtime's messages, each held by a test against the installed version; an unknown phrase
is a plain trap, never a success.
"""

from __future__ import annotations

import re

from remit.errors import (
    FuelExhausted,
    GuestTextInvalid,
    GuestTrapped,
    HostFault,
    InstancesExceeded,
    MemoryExceeded,
    OutputTooLarge,
    SandboxError,
    StackExceeded,
    TablesExceeded,
)
from remit.kernel.model import Limits

__all__ = ["classify"]

_SHOWN = 500
_NUMBER = re.compile(r"^\d+: ")
"""Causes are numbered where there are several."""
_MEMORY = ("exceeds memory limits", "memory count too high", "forcing a memory growth failure")
_TABLES = ("exceeds table limits", "table count too high")
_INSTANCES = ("instance count too high",)
_GAVE_UP = "report it to the unit's publisher; if it needs more memory, raise runtime.memory in unit.toml"
_TEXT = ("invalid utf-8", "utf-16", "unpaired surrogate")


def classify(message: str, limits: Limits) -> SandboxError:
    """The error for a trap that wasmtime described with ``message``."""
    trap = _cause(message)
    low = message.lower()
    if trap.startswith("BUG: "):
        return HostFault(f"wasmtime met a fault of its own: {trap}", trap=trap)
    if "call stack exhausted" in low:
        return StackExceeded(f"the guest overflowed its stack of {limits.stack} bytes", limit=limits.stack, trap=trap)
    if "all fuel consumed" in low:
        return FuelExhausted(f"the guest used its {limits.fuel} units of fuel", limit=limits.fuel, trap=trap)
    if any(phrase in low for phrase in _MEMORY):
        return MemoryExceeded(
            f"the guest needs more than {limits.memory} bytes of memory", limit=limits.memory, trap=trap
        )
    if any(phrase in low for phrase in _TABLES):
        return TablesExceeded("the guest needs more tables, or larger ones, than one may have", trap=trap)
    if any(phrase in low for phrase in _INSTANCES):
        return InstancesExceeded("the guest needs more instances than one may have", trap=trap)
    if any(phrase in low for phrase in _TEXT):
        return GuestTextInvalid("the guest passed a string that is not UTF-8", trap=trap)
    if "fuel allocated for hostcalls" in low:
        remedy = "pass less to the host at a time: this bound is the host's own"
        return OutputTooLarge("the guest passed more in one call than the host copies", remedy=remedy, trap=trap)
    if "unreachable" in low:  # how languages end that cannot go on: without memory, among other reasons
        return GuestTrapped(f"the guest trapped: {trap}", remedy=_GAVE_UP, trap=trap, memory=limits.memory)
    return GuestTrapped(f"the guest trapped: {trap}", trap=trap, memory=limits.memory)


def _cause(message: str) -> str:
    """The first line of the innermost cause; before it comes a backtrace, after it perhaps advice."""
    innermost = message.rpartition("Caused by:")[2]
    lines = [line.strip() for line in innermost.splitlines() if line.strip()]
    return _NUMBER.sub("", lines[0]).removeprefix("wasm trap: ")[:_SHOWN] if lines else "unknown"
