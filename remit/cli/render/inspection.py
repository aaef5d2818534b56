"""A component, seen from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.text import Text

from remit.cli.render.layout import cell, heading, table
from remit.cli.text import json_text, one_line, short_digest

if TYPE_CHECKING:
    from remit.sandbox.code.inspecting import Inspection

__all__ = ["inspection_view"]

_STYLES = {"refused": "bold red", "capability": "yellow"}


def inspection_view(found: Inspection) -> list[RenderableType]:
    """Imports by class, exports, the actions that could be made of it with their schemas, and what it would need."""
    about = f"{short_digest(found.digest)}, {found.size:,} bytes, {found.memories} memories, world {found.world}"
    view: list[RenderableType] = [Text(about, style="bold")]
    imports = table("import", "class", "functions")
    for one in found.imports:
        kind = cell(one.kind, _STYLES.get(one.kind, ""))
        imports.add_row(cell(one.name), kind, cell(", ".join(sorted(one.functions))))
    view += [imports] if found.imports else [Text("It imports nothing.")]
    view.append(heading("\nExports"))
    view += [cell(f"  {name}") for name in found.exports]
    for action in found.actions:
        view.append(heading(f"\nAction {one_line(action.name)}"))
        view.append(cell(f"  {action.export}: {action.signature}"))
        if action.schemas is None:
            view.append(cell(f"  not callable: {action.problem}", "yellow"))
            continue
        view += [Text(f"input {json_text(action.schemas.input)}"), Text(f"output {json_text(action.schemas.output)}")]
        if action.schemas.error is not None:
            view.append(Text(f"error {json_text(action.schemas.error)}"))
    needs = ", ".join(found.capabilities) or "none"
    view += [Text(), cell(f"Capabilities to declare: {needs}")]
    if found.refused:
        view.append(cell(f"No host offers: {', '.join(found.refused)}", "bold red"))
    return view
