"""The values of a document with who set them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import RenderableType

from remit.cli.render.layout import cell, table
from remit.cli.text import json_text

if TYPE_CHECKING:
    from remit.units import Blame

__all__ = ["blame_table"]

_LONGEST = 60


def blame_table(values: Sequence[Blame]) -> RenderableType:
    """A row for each value."""
    shown = table("since", "unit", "pointer", "value")
    for one in values:
        text = json_text(one.value, indent=None)
        value = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
        shown.add_row(cell(str(one.generation)), cell(one.unit or "base"), cell(one.path or "(whole)"), cell(value))
    return shown
