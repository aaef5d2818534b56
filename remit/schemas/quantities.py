"""Sizes and durations as people write them: ``"32MiB"`` in bytes, ``"250ms"`` in milliseconds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from remit.errors import ValueInvalid

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["parse_duration", "parse_size"]

_SIZE = re.compile(r"([1-9][0-9]{0,11})(B|KiB|MiB|GiB)")
_DURATION = re.compile(r"([1-9][0-9]{0,8})(ms|s|m|h|d)")
_BYTES: Mapping[str, int] = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_MILLISECONDS: Mapping[str, int] = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def parse_size(text: str) -> int:
    """Bytes.

    :raises ValueInvalid: if it is not a positive whole number with ``B``, ``KiB``, ``MiB`` or ``GiB``
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueInvalid(f"{text[:40]!r} is not a size", remedy="write it like '32MiB' (B, KiB, MiB, GiB)")
    return int(match[1]) * _BYTES[match[2]]


def parse_duration(text: str) -> int:
    """Milliseconds.

    :raises ValueInvalid: if it is not a positive whole number with ``ms``, ``s``, ``m``, ``h`` or ``d``
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueInvalid(f"{text[:40]!r} is not a duration", remedy="write it like '250ms' (ms, s, m, h, d)")
    return int(match[1]) * _MILLISECONDS[match[2]]
