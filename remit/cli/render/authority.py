"""Grants as administrators see them: what they allow, by which policy, and what is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from rich.table import Table
from rich.text import Text

from remit.cli.render.layout import cell, columns, table
from remit.cli.text import one_line
from remit.host.facade.views import LeaseView
from remit.journal.event import timestamp

__all__ = ["explanation", "facts", "lease_table", "left", "question"]


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
    parts += [f"{amount} {noun} left" for noun, amount in left(msgspec.structs.asdict(lease)).items() if amount]
    return Text(", ".join(parts), style="green" if lease.lease_until_ms is not None else "")


def left(status: Mapping[str, Any]) -> dict[str, str]:
    """What a grant's window still holds, by noun; "" where it is unbounded."""
    amounts = {noun: status[f"{noun}_left"] for noun in ("calls", "bytes", "fuel")}
    words = {noun: "" if amount is None else str(amount) for noun, amount in amounts.items()}
    host_us = status["host_us_left"]
    return words | {"host time": "" if host_us is None else f"{host_us / 1_000_000:.3f} s"}


def question(consent: Mapping[str, Any]) -> Text:
    """A question to a person, in a line, with its answer if it has one."""
    answer = "" if consent["state"] == "pending" else f"  {consent['state']} by {consent['by']}"
    who = f"  for {', '.join(consent['approvers'])}" if consent["approvers"] else ""
    return Text.assemble((f"{consent['id']}  ", "bold"), one_line(consent["prompt"]), (f"{who}{answer}", "dim"))


def explanation(said: Mapping[str, Any]) -> list[Text]:
    """Why a decision came out as it did."""
    style = {"allow": "bold green", "ask": "bold yellow"}.get(said["outcome"], "bold red")
    lines = [Text.assemble((said["outcome"], style), f"  {one_line(said['reason'])}")]
    lines += [cell(f"  {one['effect']} {one['policy']}: {one['why']}") for one in said["decided"]]
    for miss in said["near"]:
        lines.append(cell(f"  close: {miss['policy']} would allow it, but for"))
        lines += [cell(f"    {condition}", "yellow") for condition in miss["failed"]]
    if said["change"]:
        lines.append(cell(f"  → {said['change']}", "dim"))
    return lines


def facts(about: Mapping[str, Any]) -> Table:
    """Names and values, a line each."""
    grid = columns("fit", "wrap")
    for name, value in about.items():
        grid.add_row("", cell(name.replace("_", " "), "dim"), cell(str(value)))
    return grid
