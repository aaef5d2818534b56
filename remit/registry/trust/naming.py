"""The parts of a trust domain by name, for those who only name them: nothing heavy loads with it."""

from __future__ import annotations

from typing import Literal, get_args

__all__ = ["ROTATABLE", "Rotatable"]

Rotatable = Literal["authority", "certificate-log", "log", "timestamps", "tokens"]
ROTATABLE: tuple[Rotatable, ...] = get_args(Rotatable)
