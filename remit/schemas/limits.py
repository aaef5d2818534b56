"""Every bound of one call, as data: a manifest asks for some, ``[limits]`` of ``remit.toml`` caps them."""

from __future__ import annotations

import msgspec

__all__ = ["MIB", "Limits"]

MIB = 1 << 20


class Limits(msgspec.Struct, frozen=True, omit_defaults=True):
    """Every bound of one call. Sizes are bytes, times milliseconds."""

    memory: int = 32 * MIB
    deadline_ms: int = 1_000
    fuel: int | None = None
    stack: int = 512 << 10
    input: int = 4 * MIB
    output: int = 4 * MIB
    host_calls: int = 10_000
    log_lines: int = 1_000
    effects: int = 1_000
    """Buffered writes and events of one call together."""
    effect_bytes: int = 8 * MIB
    """Size of those together."""
    state: int = 16 * MIB
    """Quota of one unit's live state in a namespace, keys and values together."""
