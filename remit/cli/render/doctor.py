"""What the doctor found: a line for each check, its troubles below it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.text import Text

from remit.cli.render.layout import cell, columns
from remit.cli.text import one_line

if TYPE_CHECKING:
    from remit.host import Examined

__all__ = ["examined"]

_STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan"}


def examined(found: Sequence[Examined]) -> list[RenderableType]:
    """The checks in their order, then how many troubles there are."""
    grid = columns("fit", "fit", "wrap")
    for check in found:
        worst = min((list(_STYLES).index(one.severity) for one in check.ailments if not one.mended), default=None)
        word = "fine" if worst is None else list(_STYLES)[worst]
        grid.add_row(
            "", Text(word, style="green" if worst is None else _STYLES[word]), cell(check.id, "bold"), cell(check.title)
        )
        for one in check.ailments:
            mark = "✓ mended: " if one.mended else ""
            grid.add_row("", "", "", Text(f"{mark}{one_line(one.cause)}", style=_STYLES[one.severity]))
            if one.remedy and not one.mended:
                grid.add_row("", "", "", cell(f"→ {one.remedy}", "dim"))
            if one.fix and not one.mended:
                grid.add_row("", "", "", cell(f"→ --fix would {one.fix}", "dim"))
    count = sum(not one.mended for check in found for one in check.ailments)
    text = "nothing is wrong" if not count else f"{count} thing{'s' if count > 1 else ''} to look at"
    return [grid, Text(text, style="bold green" if not count else "bold")]
