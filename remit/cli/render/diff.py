"""Changes of documents as ``+``, ``-`` and ``~`` lines, each with the JSON Pointer (RFC 6901) of its place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from remit.cli.render.layout import cell, columns
from remit.cli.text import json_text
from remit.units.generations.documents import Change

__all__ = ["change_lines"]

_MOST = 200
_LONGEST = 400


def change_lines(changes: Sequence[Change]) -> Table:
    """A line for each change; at most two hundred, and then one that says how many more there are."""
    grid = columns("fit", "wrap", "wrap", indent=4)
    for change in changes[:_MOST]:
        where = cell(change.path or "(the whole)")
        match change.op:
            case "add":
                grid.add_row("", Text("+", style="green"), where, _value(change.new, "green"))
            case "remove":
                grid.add_row("", Text("-", style="red"), where, _value(change.old, "red"))
            case "replace":
                both = Text.assemble(_value(change.old, "red"), " → ", _value(change.new, "green"))
                grid.add_row("", Text("~", style="cyan"), where, both)
            case other:  # move and copy: the pointer says where to, the value where it was
                grid.add_row("", Text("~", style="cyan"), where, _value(change.old, "cyan").append(f" ({other})"))
    if len(changes) > _MOST:
        grid.add_row("", "…", Text(f"and {len(changes) - _MOST} more changes"))
    return grid


def _value(value: Any, style: str) -> Text:
    return cell(json_text(value, indent=None)[: _LONGEST + 1], style) if _short(value) else _long(value, style)


def _short(value: Any) -> bool:
    return len(json_text(value, indent=None)) <= _LONGEST


def _long(value: Any, style: str) -> Text:
    text = json_text(value, indent=None)
    return cell(f"{text[:_LONGEST]}… ({len(text)} characters)", style)
