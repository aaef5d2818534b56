"""Looking into what ran: the trace of an episode, and what units logged."""

from __future__ import annotations

import click

from remit.cli.render.traces import log_text, waterfall
from remit.cli.session import Session, verb
from remit.errors import UsageError

__all__ = ["logs", "trace"]

_SHOWN = 20
_LEVELS = ("trace", "debug", "info", "warn", "error")


@verb("trace", example="remit trace last\nremit trace 1207\nremit state episodes --json | jq '.[0].id'")
@click.argument("episode", metavar="[ID]", default="last")
def trace(session: Session, episode: str) -> None:
    """Draw the trace of an episode: calls, requests, refusals, events.

    ID is the episode's correlation id, a W3C trace id, or the number of a record; without one, it is the newest.
    """
    with session.connect() as kernel:
        found = kernel.trace(episode)
    session.answer(found, *waterfall(found, session.out.width))


@verb("logs", example="remit logs --last 50\nremit logs --unit acme/redact --level warn --follow --json")
@click.option("--last", type=click.IntRange(1, 10_000), metavar="N", help=f"The newest N lines; {_SHOWN} if unsaid.")
@click.option("--after", type=click.IntRange(min=0), metavar="SEQ", help="Everything after this record.")
@click.option("--unit", default="", metavar="ID", help="Only of this unit.")
@click.option("--episode", default="", metavar="ID", help="Only of this episode.")
@click.option("--level", type=click.Choice(_LEVELS), default="trace", help="Only of this level or a graver one.")
@click.option("--follow", is_flag=True, help="Go on as things happen, until Ctrl-C.")
def logs(
    session: Session, last: int | None, after: int | None, unit: str, episode: str, level: str, *, follow: bool
) -> None:
    """Show what units logged, with what failed or was refused.

    A call's lines are there when it has ended. What a unit's schema marks as sensitive is masked.
    """
    if after is not None and last is not None:
        raise UsageError("--after and --last exclude each other", remedy="choose one")
    least = _LEVELS.index(level)
    with session.connect() as kernel:
        seen = kernel.home().head
        amount = 0 if after is not None else last or _SHOWN
        for line in kernel.logs(after or 0, unit=unit, episode=episode, last=amount, until=seen):
            if _grave(line.level) >= least:
                session.line(line, log_text(line))
        while follow:
            for record in kernel.follow(seen):
                for line in kernel.logs(record["seq"] - 1, unit=unit, episode=episode, until=record["seq"]):
                    if _grave(line.level) >= least:
                        session.line(line, log_text(line))


def _grave(level: str) -> int:
    return _LEVELS.index(level) if level in _LEVELS else len(_LEVELS)
