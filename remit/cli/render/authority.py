"""Grants as administrators see them: what they allow, by which policy, and what is left."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from remit.cli.render.layout import cell, table
from remit.host.views import LeaseView
from remit.journal.event import timestamp

__all__ = ["lease_table"]


def lease_table(leases: Sequence[LeaseView]) -> Table:
    """A row for each grant."""
    shown = table("grant", "unit", "may", "by", "state")
    for lease in leases:
        by = ", ".join(lease.policies) + (f"; consent of {lease.consent}" if lease.consent else "")
        may = f"{lease.action} on {lease.resource}"
        shown.add_row(cell(lease.id), cell(lease.unit), cell(may), cell(by), _state(lease))
    shown.columns[0].no_wrap = True
    return shown


def _state(lease: LeaseView) -> Text:
    if lease.state == "revoked":
        return Text("revoked", style="bold red")
    parts = ["standing"]
    if lease.lease_until_ms is not None:
        parts.append(f"leased until {timestamp(lease.lease_until_ms)[11:19]} UTC")
    if lease.calls_left is not None:
        parts.append(f"{lease.calls_left} calls left")
    if lease.bytes_left is not None:
        parts.append(f"{lease.bytes_left} bytes left")
    return Text(", ".join(parts), style="green" if lease.lease_until_ms is not None else "")
