"""Actions that can be called, and their schemas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from remit.cli.render.layout import cell, heading, table
from remit.cli.text import json_text, one_line

__all__ = ["action_schemas", "action_table"]


def action_table(actions: Sequence[Mapping[str, Any]]) -> Table:
    """A row for each action."""
    shown = table("action", "version", "slots", "title")
    for action in actions:
        slots = cell(", ".join(action["slots"]))
        shown.add_row(cell(action["name"], "bold"), cell(action["version"]), slots, cell(action["title"]))
    return shown


def action_schemas(action: Mapping[str, Any]) -> list[RenderableType]:
    """One action with its input and output schema."""
    facts = f"version {action['version']}" + (", idempotent" if action["idempotent"] else "")
    view: list[RenderableType] = [Text.assemble((one_line(action["name"]), "bold"), f"  {one_line(facts)}")]
    if action["title"]:
        view.append(cell(action["title"]))
    for side in ("input", "output"):
        schema = action[side]
        text = "any JSON" if schema is None else json_text(schema)
        view += [heading(f"\n{side.capitalize()}"), Text(text)]
    return view
