"""This release of Remit, for units that require one and peers that must match. ``pyproject.toml`` says the same."""

from __future__ import annotations

from typing import Final

__all__ = ["VERSION"]

VERSION: Final = "0.1.0"
