"""Requests of units: what one would meet, and those that were made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType
from rich.text import Text

from remit.cli.render.layout import cell, table
from remit.cli.text import one_line

if TYPE_CHECKING:
    from remit.sandbox.egress.gate import EgressPreview

__all__ = ["destination_lines", "egress_lines", "preview_lines"]


def preview_lines(previews: Sequence[EgressPreview]) -> list[RenderableType]:
    """A line for each unit: the outcome, then what decided it and where the name leads."""
    lines: list[RenderableType] = []
    for found in previews:
        style = "green" if found.outcome == "allowed" else "bold red"
        what = one_line(f"  {found.unit}: {found.method} {found.origin or 'nowhere'}")
        lines.append(Text.assemble((found.outcome, style), what))
        details = [
            found.reason,
            f"grant {found.grant}" if found.grant else "",
            f"decided by {', '.join(found.policies)}" if found.policies else "",
            *(f"leads to {address}" + (f" ({kind})" if kind else "") for address, kind in found.addresses.items()),
        ]
        lines += [Text(f"  {one_line(detail, 1_000)}", style="dim") for detail in details if detail]
    return lines


def egress_lines(records: Sequence[Mapping[str, Any]]) -> list[RenderableType]:
    """A row for each attempt."""
    shown = table("record", "unit", "what", "outcome", "bytes")
    for record in records:
        event = record["event"]
        data = event.get("data") or {}
        what = data.get("path") or data.get("resource") or _request(data)
        outcome = data.get("code") or data.get("status") or event["type"].partition(".")[2]
        tries = f", {data['tries']} times" if data.get("tries", 1) > 1 else ""
        size = data.get("bytes", data.get("sent", 0) + data.get("received", 0))
        style = "red" if event["type"].endswith((".denied", ".failed")) else ""
        shown.add_row(
            cell(str(record["seq"])), cell(str(data.get("unit", ""))), cell(str(what)),
            cell(f"{outcome}{tries}", style), cell(str(size)),
        )  # fmt: skip
    return [shown]


def destination_lines(places: Sequence[Mapping[str, Any]]) -> list[RenderableType]:
    """A row for each place that a unit reached, or tried to."""
    shown = table("unit", "where", "outcome", "times", "sent", "received", "codes")
    for place in places:
        style = "" if place["outcome"] == "allowed" else "red"
        shown.add_row(
            cell(place["unit"]), cell(place["where"]), cell(place["outcome"], style), cell(str(place["attempts"])),
            cell(str(place["sent"])), cell(str(place["received"])), cell(" ".join(place["codes"][-3:])),
        )  # fmt: skip
    return [shown]


def _request(data: Mapping[str, Any]) -> str:
    return f"{data.get('method')} {data.get('scheme')}://{data.get('host')}:{data.get('port')}"
