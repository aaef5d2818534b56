"""What the host answers to a guest: it did it, or it refused. Data only, so that every room may speak of it."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

__all__ = ["Ok", "Refusal", "Refused"]

Refusal = Literal["denied", "exhausted", "not-found", "conflict", "invalid", "unavailable", "timed-out"]


class Ok(msgspec.Struct, frozen=True):
    """The host did it; ``value`` is the function's result in plain Python."""

    value: Any = None


class Refused(msgspec.Struct, frozen=True):
    """The host did not do it: the WIT's ``host-error``. A refusal is an answer, never a trap."""

    code: Refusal
    message: str
