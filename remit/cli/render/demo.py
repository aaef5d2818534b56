"""The demo's before and after, and its counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from remit.cli.render.layout import cell, columns, table

__all__ = ["counts_table", "samples"]

_SAMPLES = 4


def samples(before: Sequence[str], after: Sequence[str]) -> list[RenderableType]:
    """A few lines as they were and as they are, among them one that must not change."""
    pairs = list(zip(before, after, strict=True))
    changed = [pair for pair in pairs if pair[0] != pair[1]][:_SAMPLES]
    kept = [pair for pair in pairs if pair[0] == pair[1]][:1]
    grid = columns("fit", "wrap")
    for old, new in changed + kept:
        grid.add_row("", Text("before", style="dim"), cell(old))
        grid.add_row("", Text("after", style="green"), cell(new, "green"))
    return [grid, Text()]


def counts_table(found: Mapping[str, int], planted: Mapping[str, int]) -> Table:
    """How many of each kind were masked, and how many there were."""
    shown = table("kind", "in the text", "masked")
    for kind, count in planted.items():
        shown.add_row(kind, str(count), str(found.get(kind, 0)))
    for column in shown.columns[1:]:
        column.justify = "right"
    return shown
