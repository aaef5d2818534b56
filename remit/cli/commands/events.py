"""What happened: emitting, showing and following events, and read models."""

from __future__ import annotations

from typing import Any

import click
import msgspec
from rich.text import Text

from remit.cli.inputs import DURATION, parse_json
from remit.cli.render.records import change_text, letter_text, record_text, timer_text
from remit.cli.session import Session, verb
from remit.cli.text import one_line
from remit.errors import UsageError
from remit.host import Connection, watch_state
from remit.kernel.model import Caller

__all__ = ["emit", "events", "state"]

_PAGE = 1_000
_SHOWN = 20


@verb(
    "emit",
    example="remit emit ticket.created '{\"id\": 7}'\n"
    "remit emit report.due --timer weekly --cron '0 9 * * 1' --zone Europe/Berlin",
)
@click.argument("topic", metavar="TOPIC")
@click.argument("value", metavar="[JSON|@FILE|-]", required=False)
@click.option("--timer", metavar="NAME", help="Say it later, by a timer of this name.")
@click.option("--after", "after_ms", type=DURATION, metavar="DURATION", help="With --timer: once, after so long.")
@click.option("--cron", metavar="EXPR", help="With --timer: each time that these five fields name.")
@click.option("--zone", metavar="ZONE", help="The time zone that --cron means; UTC by default.")
@click.option("--cancel", is_flag=True, help="With --timer: end it instead.")
def emit(
    session: Session,
    topic: str,
    value: str | None,
    timer: str | None,
    after_ms: int | None,
    cron: str | None,
    zone: str | None,
    *,
    cancel: bool,
) -> None:
    """Say that something happened.

    Topics are lower-case words joined by dots; those of the kernel, like lease.denied, are refused. A timer survives
    restarts; what was due while no kernel ran is said once, at the next start. 'remit state timers' lists them.
    """
    if timer is None and (cancel or zone or after_ms is not None or cron is not None):
        raise UsageError("--after, --cron, --zone and --cancel go with --timer", remedy="name the timer with --timer")
    if cancel and (value is not None or zone or after_ms is not None or cron is not None):
        raise UsageError("--cancel stands alone with --timer", remedy="leave the other options out")
    data = None if value is None else parse_json(value)
    with session.connect() as kernel:
        if timer is None:
            record = kernel.emit(topic, data)
            session.answer(record, Text(f"emitted {one_line(topic)} as record {record['seq']}"))
        elif cancel:
            kernel.cancel_timer(timer)
            session.answer({"cancelled": timer}, Text(f"cancelled {one_line(timer)}"))
        else:
            made = kernel.set_timer(timer, topic, data, after_ms=after_ms, cron=cron or "", zone=zone or "UTC")
            session.answer(msgspec.to_builtins(made), timer_text(made))


@verb(
    "events",
    example="remit events --last 50\nremit events --prefix lease. --follow --json\nremit events --dead",
)
@click.option("--after", type=click.IntRange(min=0), metavar="N", help="Everything after record N.")
@click.option("--last", type=click.IntRange(1, 10_000), metavar="N", help=f"The newest N; {_SHOWN} by default.")
@click.option("--prefix", "prefixes", multiple=True, metavar="P", help="Only types that begin so; may be repeated.")
@click.option("--follow", is_flag=True, help="Go on as things happen, until Ctrl-C.")
@click.option("--dead", is_flag=True, help="Instead: the dead letters, events that could not be delivered.")
@click.option("--replay", metavar="NAME", help="Instead: deliver a subscription's dead letters again.")
@click.option("--only", multiple=True, type=click.IntRange(min=1), metavar="N", help="With --replay: record N alone.")
def events(
    session: Session,
    after: int | None,
    last: int | None,
    prefixes: tuple[str, ...],
    replay: str | None,
    only: tuple[int, ...],
    *,
    follow: bool,
    dead: bool,
) -> None:
    """Show what happened, and follow it.

    Oldest first; without --after or --last, the newest twenty. A refusal shows the policies that decided.

    An event that a durable subscription could not deliver becomes a dead letter: --dead lists them with the reason,
    --replay delivers them again, with all their attempts before them.
    """
    if dead or replay is not None:
        _letters(session, replay, only, alone=not (after or last or prefixes or follow or (dead and replay)))
        return
    if only:
        raise UsageError("--only goes with --replay", remedy="name the subscription with --replay")
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


def _letters(session: Session, replay: str | None, only: tuple[int, ...], *, alone: bool) -> None:
    if not alone:
        raise UsageError("--dead and --replay stand alone", remedy="leave the other options out")
    with session.connect() as kernel:
        if replay is None:
            letters = kernel.dead_letters()
            session.answer({"letters": letters}, *(letter_text(letter) for letter in letters))
            if letters:
                session.hint(f"deliver them again: remit events --replay {letters[0]['subscription']}")
        else:
            count = kernel.replay(replay, only)
            session.answer({"replayed": count}, Text(f"{count} delivered again: {one_line(replay)}"))


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
