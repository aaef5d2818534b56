"""The turns of an author's loop on lines, and what a call costs."""

from __future__ import annotations

from typing import Any

from rich.table import Table
from rich.text import Text

from remit.cli.render.layout import cell, columns
from remit.cli.render.records import record_text
from remit.cli.text import one_line, short_digest

__all__ = ["measured_view", "swap_text", "told_text"]

_LEVELS = {"error": "bold red", "warn": "yellow"}


def swap_text(swap: Any) -> Text:
    """What became active, or why nothing did."""
    took = f"{swap.took_ms:,} ms"
    if swap.error is None:
        return Text.assemble(
            ("active ", "bold green"), one_line(swap.unit), f" as generation {swap.generation}, {took} ",
            (short_digest(swap.digest), "dim"),
        )  # fmt: skip
    error = swap.error
    said = Text.assemble((f"error[{error['code']}]", "bold red"), f": {one_line(error['message'])}")
    if error.get("remedy"):
        said.append(f" — {one_line(error['remedy'])}")
    stays = f"generation {swap.generation} stays" if swap.generation else "nothing is active"
    return said.append(f" ({stays}, {took})", style="dim")


def told_text(told: Any) -> Text:
    """A record, and below it what the unit logged."""
    text = record_text(told.record)
    for line in told.log:
        fields = "" if line.fields in {"", "{}"} else f"  {one_line(line.fields, 500)}"
        text.append(f"\n        {one_line(line.level)}: ", style=_LEVELS.get(line.level, "cyan"))
        text.append(one_line(line.message)).append(fields, style="dim")
    return text


def measured_view(measured: Any) -> Table:
    """A line for each figure."""
    grid = columns("fit", "wrap")
    rows = [
        ("calls", f"{measured.per_second:,.0f} a second ({measured.calls:,} of {one_line(measured.action)})"),
        ("p50", f"{measured.p50_us:,.1f} µs"),
        ("p99", f"{measured.p99_us:,.1f} µs"),
        ("first", f"{measured.first_us:,.1f} µs"),
        ("fuel", "unknown: it needs what only a real call gives" if measured.fuel is None else f"{measured.fuel:,}"),
        ("memory", "unknown" if measured.memory is None else f"{measured.memory / 1024:,.0f} KiB at least"),
    ]
    for name, said in rows:
        grid.add_row("", Text(name, style="bold"), cell(said))
    return grid
