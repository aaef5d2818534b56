"""Where units may reach: what a request would meet, and what they did."""

from __future__ import annotations

import click
from rich.text import Text

from remit.cli.render.egress import destination_lines, egress_lines, preview_lines
from remit.cli.session import Session, verb

__all__ = ["list_egress", "preview"]

_SHOWN = 20
_KINDS = ("egress.", "file.")


@verb(
    "preview",
    example="remit egress preview https://api.example.com/v1 --unit acme/redact\n"
    "remit egress preview http://169.254.169.254/ --method POST",
)
@click.argument("url", metavar="URL")
@click.option("--unit", default="", metavar="ID", help="The unit that would ask; else every active unit with net:http.")
@click.option("--method", default="GET", metavar="METHOD", help="The request's method; GET if nothing is said.")
def preview(session: Session, url: str, unit: str, method: str) -> None:
    """Show what an HTTP request of a unit would meet, without connecting.

    The name is looked up and every address checked; nothing is sent and no budget charged.
    """
    with session.connect() as kernel:
        found = kernel.egress_preview(url, unit=unit, method=method)
    empty = Text("No active unit declares net:http.")
    session.answer({"previews": found}, *(preview_lines(found) if found else [empty]))


@verb("list", example="remit egress list --last 50\nremit egress list --by-destination")
@click.option("--last", default=_SHOWN, type=click.IntRange(1, 10_000), metavar="N", help="The newest N attempts.")
@click.option("--by-destination", is_flag=True, help="Count by unit and place instead.")
def list_egress(session: Session, last: int, *, by_destination: bool) -> None:
    """List what units did outside: requests and file writes, allowed and denied."""
    empty = Text("No unit reached outside yet.")
    if by_destination:
        with session.connect() as kernel:
            ledger = kernel.state("egress")
        places = ledger["destinations"][:last]
        session.answer({"destinations": places}, *(destination_lines(places) if places else [empty]))
        return
    with session.connect() as kernel:
        records = kernel.events(prefixes=_KINDS, last=last)
    session.answer({"attempts": records}, *(egress_lines(records) if records else [empty]))
