"""What happened: emitting, showing and following events, and read models."""

from __future__ import annotations

from typing import Any

import click
from rich.text import Text

from remit.cli.inputs import parse_json
from remit.cli.render.records import change_text, record_text
from remit.cli.session import Session, verb
from remit.cli.text import one_line
from remit.errors import UsageError
from remit.host import Connection, watch_state
from remit.kernel.model import Caller

__all__ = ["emit", "events", "state"]

_PAGE = 1_000
_SHOWN = 20


@verb("emit", example="remit emit ticket.created '{\"id\": 7}'")
@click.argument("topic", metavar="TOPIC")
@click.argument("value", metavar="[JSON|@FILE|-]", required=False)
def emit(session: Session, topic: str, value: str | None) -> None:
    """Say that something happened.

    Topics are lower-case words joined by dots; those of the kernel, like lease.denied, are refused.
    """
    data = None if value is None else parse_json(value)
    with session.connect() as kernel:
        record = kernel.emit(topic, data)
    session.answer(record, Text(f"emitted {one_line(topic)} as record {record['seq']}"))


@verb("events", example="remit events --last 50\nremit events --prefix lease. --prefix egress. --follow --json")
@click.option("--after", type=click.IntRange(min=0), metavar="N", help="Everything after record N.")
@click.option("--last", type=click.IntRange(1, 10_000), metavar="N", help=f"The newest N; {_SHOWN} if nothing is said.")
@click.option("--prefix", "prefixes", multiple=True, metavar="P", help="Only types that begin so; may be repeated.")
@click.option("--follow", is_flag=True, help="Go on as things happen, until Ctrl-C.")
def events(session: Session, after: int | None, last: int | None, prefixes: tuple[str, ...], *, follow: bool) -> None:
    """Show what happened, and follow it.

    Oldest first; without --after or --last, the newest twenty. A refusal shows the policies that decided.
    """
    if after is not None and last is not None:
        raise UsageError("--after and --last exclude each other", remedy="choose one")
    wanted = prefixes or ("",)
    with session.connect() as kernel:
        # Taken before reading: what is committed in between is followed, not lost.
        seen = kernel.home().head
        if after is None:
            for record in kernel.events(prefixes=wanted, last=last or _SHOWN):
                _print(session, record)
                seen = max(seen, record["seq"])
        else:
            seen = _pages(session, kernel, after, wanted)
        if follow:
            for record in kernel.follow(seen, prefixes=wanted):
                _print(session, record)


def _pages(session: Session, kernel: Connection, after: int, prefixes: tuple[str, ...]) -> int:
    while page := kernel.events(after, prefixes=prefixes, limit=_PAGE):
        for record in page:
            _print(session, record)
        after = page[-1]["seq"]
    return after


def _print(session: Session, record: dict[str, Any]) -> None:
    session.line(record, record_text(record))


@verb("state", example="remit state\nremit state leases --at 42\nremit state health --watch")
@click.argument("model", metavar="[MODEL]", required=False)
@click.option("--at", type=click.IntRange(min=0), metavar="SEQ", help="As it was right after this record.")
@click.option("--watch", is_flag=True, help="Go on with each change as JSON Patch (RFC 6902), until Ctrl-C.")
def state(session: Session, model: str | None, at: int | None, *, watch: bool) -> None:
    """Show a read model, now or as of a record.

    Without MODEL, list the models.
    """
    if model is None and (at is not None or watch):
        raise UsageError("--at and --watch need a MODEL", remedy="run 'remit state' for the list")
    if watch and at is not None:
        raise UsageError("--at and --watch exclude each other", remedy="choose one")
    with session.connect() as kernel:
        if model is not None and watch:
            for change in watch_state(kernel, model, caller=Caller()):
                session.line(change, change_text(change))
        if model is None:
            names = kernel.models()
            session.answer({"models": names}, *(Text(one_line(name)) for name in names))
        else:
            session.document(kernel.state(model, at=at))
