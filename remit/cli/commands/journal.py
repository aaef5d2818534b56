"""The journal, read from its files: no kernel is needed, and none is disturbed."""

from __future__ import annotations

from typing import Any

import click
import msgspec
from rich.text import Text

from remit import host
from remit.cli.render.records import record_text
from remit.cli.session import Session, verb
from remit.journal import Record

__all__ = ["tail", "verify"]


@verb("verify", example="remit journal verify --home ./home")
def verify(session: Session) -> None:
    """Check every record's place in the chain."""
    with session.progress() as progress:
        report = host.verify_journal(session.home, progress)
    session.answer(
        {"ok": True, "records": report.records, "payloads": report.payloads, "head": report.head},
        Text.assemble(
            ("the chain is whole", "bold green"),
            f": {report.records} records and {report.payloads} payloads, head {report.head[:12]}",
        ),
    )


@verb("tail", example="remit journal tail --last 5")
@click.option("--last", type=click.IntRange(1, 10_000), default=20, show_default=True, metavar="N", help="How many.")
@click.option("--prefix", "prefixes", multiple=True, metavar="P", help="Only types that begin so; may be repeated.")
def tail(session: Session, last: int, prefixes: tuple[str, ...]) -> None:
    """Show the newest records."""
    journal = host.read_journal(session.home)
    try:
        records = [_view(record) for record in journal.last(last, prefixes=prefixes or ("",))]
    finally:
        journal.close()
    for record in records:
        session.line(record, record_text(record))


def _view(record: Record) -> dict[str, Any]:
    """A record in the shape that ``remit events`` prints."""
    return {
        "seq": record.seq,
        "generation": record.generation,
        "namespace": record.namespace,
        "hash": record.hash.hex(),
        "event": msgspec.to_builtins(record.event),
    }
