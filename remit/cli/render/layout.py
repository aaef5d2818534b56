"""Columns and headings that all renderers share."""

from __future__ import annotations

from typing import Literal

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from remit.cli.text import one_line

__all__ = ["cell", "columns", "heading", "table", "unsigned"]


def heading(words: str, style: str = "bold") -> Text:
    """A section's heading."""
    return Text(words, style=style)


def cell(text: str, style: str = "") -> Text:
    """Text from anywhere, safe to show."""
    return Text(one_line(text), style=style, overflow="fold")


def unsigned(admission: str) -> Text:
    """The mark that a local unit carries for ever."""
    return Text("unsigned", style="yellow") if admission == "local" else Text("signed", style="green")


def columns(*kinds: Literal["fit", "wrap"], indent: int = 2) -> Table:
    """Columns without lines: one for each argument, which keeps its width or wraps."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(width=max(0, indent - 2))
    for kind in kinds:
        grid.add_column(no_wrap=kind == "fit", overflow="fold")
    return grid


def table(*titles: str) -> Table:
    """A table with a heading line, as wide as it must be."""
    made = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for title in titles:
        made.add_column(title, overflow="fold")
    return made
