"""What a sync or an upgrade found: the lock's changes, what was withdrawn, and what could not be asked."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from remit.cli.render.layout import cell, table
from remit.cli.text import one_line, short_digest
from remit.units import LockChange, Supply

__all__ = ["supply_report"]

_STYLES = {"lock": "green", "move": "cyan", "drop": "red"}


def supply_report(found: Supply) -> Iterator[RenderableType]:
    """The lock's changes as a table, the rest in a line each."""
    if found.lock:
        shown = table("", "unit", "version", "digest", "from")
        for change in found.lock:
            mark = Text(change.kind, style=_STYLES[change.kind])
            shown.add_row(
                mark,
                cell(change.unit, "bold"),
                cell(_versions(change)),
                Text(short_digest(change.digest), style="dim"),
                cell(change.source.partition("@")[0]),
            )
        yield shown
    verb = "installed" if found.done else "to install"
    for entry in found.missing:
        name = f"{entry.id}@{entry.version}"
        back = " (a step back: a newer version is installed)" if name in found.lower else ""
        yield Text.assemble((verb, "green"), f" {name}", (back, "yellow"))
    verb = "uninstalled" if found.done else "to uninstall"
    for name in found.removed:
        yield Text.assemble((verb, "red"), f" {name}")
    for gone in found.withdrawn:
        style = "bold red" if gone.kind == "killed" else "yellow"
        reason = one_line(gone.reason, 200) or "no reason was given"
        yield Text.assemble((gone.kind, style), f" {gone.unit}@{gone.version}: {reason}")
    for problem in found.unasked:
        yield Text.assemble(("not asked", "yellow"), f" {one_line(problem, 300)}")
    if not found.changed:
        yield Text("The lock holds what is wanted, and all of it is installed.")


def _versions(change: LockChange) -> str:
    if change.kind == "drop":
        return change.before
    return f"{change.before} → {change.after}" if change.before else change.after
