"""The cache of compiled code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.filesize import decimal
from rich.table import Table

from remit.cli.render.layout import cell, table
from remit.cli.text import short_digest

__all__ = ["cache_table"]


def cache_table(entries: Sequence[Mapping[str, Any]]) -> Table:
    """A row for each compilation."""
    shown = table("artifact", "size", "engine")
    shown.columns[1].justify = "right"
    for entry in entries:
        shown.add_row(short_digest(entry["artifact"]), decimal(int(entry["size"])), cell(entry["engine"]))
    return shown
