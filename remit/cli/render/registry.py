"""What registries offer: units found, one unit's versions, and what was published and withdrawn."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from remit.cli.render.layout import cell, heading, table
from remit.cli.text import one_line, short_digest
from remit.journal.event import timestamp
from remit.registry.index import Entry, Offer

__all__ = ["log_table", "offer_details", "offer_table"]


def offer_table(offers: Sequence[Offer]) -> Table:
    """Units, each with its best version."""
    shown = table("unit", "version", "license", "title")
    for offer in offers:
        shown.add_row(cell(offer.id, "bold"), cell(offer.best.version), cell(offer.license), cell(offer.title))
    return shown


def offer_details(offer: Offer) -> list[RenderableType]:
    """One unit: what it is, and every version."""
    versions = table("version", "digest", "published", "by", "state")
    for release in offer.releases:
        state = f"{release.withdrawn}: {release.reason}" if release.reason else release.withdrawn
        versions.add_row(
            cell(release.version, "bold"),
            Text(short_digest(release.digest), style="dim"),
            timestamp(release.at_ms),
            cell(release.by),
            cell(state, "yellow"),
        )
    about = " · ".join(part for part in (one_line(offer.title), one_line(offer.license)) if part)
    return [heading(one_line(offer.id)), Text(about), versions]


def log_table(entries: Sequence[Entry]) -> Table:
    """The log, oldest first."""
    shown = table("at", "what", "unit", "version", "by", "reason")
    for entry in entries:
        shown.add_row(
            timestamp(entry.at_ms),
            entry.kind,
            cell(entry.unit, "bold"),
            cell(entry.version),
            cell(entry.by),
            cell(entry.reason),
        )
    return shown
