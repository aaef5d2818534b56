"""An author at work: every change swapped in at once, and what a call costs."""

from __future__ import annotations

import shlex
from pathlib import Path

import click
import msgspec
from rich.text import Text

from remit import host
from remit.cli.inputs import parse_json
from remit.cli.render.workshop import measured_view, swap_text, told_text
from remit.cli.session import Session, verb
from remit.cli.text import plain
from remit.errors import BundleInvalid

__all__ = ["bench", "dev"]

_FOLDER = click.Path(path_type=Path)


@verb("dev", example="remit unit dev ./redact\nremit unit dev ./redact --home ~/home --yes")
@click.argument("folder", metavar="[DIR]", default=".", type=_FOLDER)
@click.option("--yes", is_flag=True, help="Consent to what a change widens, in a home that stands.")
def dev(session: Session, folder: Path, yes: bool) -> None:
    """Build and swap in every change of a unit, and show what it does.

    Until Ctrl-C. What does not build, or may not become active, leaves the version before in its place. Calls, their
    log lines, refusals and events are shown as they happen. Where --home holds no home, one is made that is gone
    afterwards: call the unit through it from another terminal.
    """
    if not folder.is_dir():
        raise BundleInvalid(f"{folder} is not a folder", remedy="name the folder that holds unit.toml")
    with host.workshop(session.home, folder) as (home, made):
        where = home.home().root
        session.line(
            {"type": "Home", "home": where, "made": made},
            Text.assemble("in ", (plain(where), "bold"), ", which is gone afterwards" if made else ""),
        )
        if made:
            session.hint(f"Call it: remit call ACTION JSON --home {shlex.quote(where)}")
        for turn in host.develop(folder, home, consent=yes or made):
            if isinstance(turn, host.Swap):
                session.line(msgspec.to_builtins(turn), swap_text(turn))
            else:
                session.line(msgspec.to_builtins(turn), told_text(turn))


@verb("bench", example='remit unit bench ./redact redact \'{"text": "mail bob@example.com"}\' --seconds 5')
@click.argument("folder", metavar="[DIR]", default=".", type=_FOLDER)
@click.argument("action", required=False, default="")
@click.argument("value", metavar="[JSON|@FILE|-]", required=False)
@click.option("--seconds", type=click.FloatRange(0.05, 60), default=2.0, show_default=True, help="How long to call it.")
def bench(session: Session, folder: Path, action: str, value: str | None, seconds: float) -> None:
    """Measure a unit's action: time, fuel, memory.

    Calls it over and over in a home that is gone afterwards, through policy, sandbox and journal. ACTION is the
    manifest's first, and its input that of the first [[test]], if nothing else is said.
    """
    if not folder.is_dir():
        raise BundleInvalid(f"{folder} is not a folder", remedy="name the folder that holds unit.toml")
    given = None if value is None else parse_json(value)
    with session.progress() as progress:
        measured = host.measure_unit(folder, action, given, seconds=seconds, progress=progress)
    session.answer(measured, measured_view(measured))
