"""Changing what is active: plan, apply, revert. One function shows and applies every plan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click.exceptions import Exit
from rich.text import Text

from remit.cli.inputs import EditsCommand, read_bounded, split_items
from remit.cli.render.plan import plan_view
from remit.cli.session import Session, verb
from remit.cli.text import json_text, plain
from remit.errors import EXIT_CHANGES, EXIT_ERROR, EXIT_REFUSED, UsageError
from remit.host import Connection
from remit.journal import translate_os_error, write_atomically
from remit.units import Plan, load_plan
from remit.units.wanted import parse_setting

__all__ = ["apply", "pin", "plan", "promote", "refresh", "revert"]

_SET = click.option("--set", "settings", multiple=True, metavar="ID.KEY=JSON", help="Set a unit's parameter.")
_BIND = click.option("--bind", "bindings", multiple=True, metavar="SLOT=ID", help="Have a unit fill a slot.")
_YES = click.option("--yes", "-y", is_flag=True, help="Consent to what the change widens, without being asked.")
_MESSAGE = click.option("--message", "-m", default="", metavar="TEXT", help="Why, for the history.")


def _save(path: Path, data: bytes) -> None:
    target = path.resolve()
    if target.exists() and not target.is_file():  # a pipe or a device: it is written to, never replaced
        target.write_bytes(data)
    else:
        write_atomically(target, data, mode=0o644)


@verb(
    "plan",
    cls=EditsCommand,
    example="remit unit plan acme/redact -acme/tone\n"
    "remit unit plan --set 'acme/redact.mask=\"[gone]\"' -o change.json\n"
    "remit unit plan          # reconcile with remit.toml",
)
@click.argument("items", metavar="[ID|+ID|-ID]…", nargs=-1)
@_SET
@_BIND
@click.option("-o", "--output", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False), help="Save the plan.")
def plan(
    session: Session,
    items: tuple[str, ...],
    settings: tuple[str, ...],
    bindings: tuple[str, ...],
    output: Path | None,
) -> None:
    """Show what would change, and change nothing.

    An ID (or +ID, with @RANGE where a version matters) is added or upgraded, -ID is removed; without any, the plan
    reconciles with remit.toml. Exits with 0 if there is nothing to do, 2 if there is, 1 on an error or a blocking
    finding.
    """
    with session.connect() as kernel, session.progress() as progress:
        added, removed = split_items(items)
        made = kernel.plan(added, removed, dict(map(parse_setting, settings)), bind=_bound(bindings), progress=progress)
    if output is not None:
        try:
            _save(output, json_text(made.as_dict()).encode())
        except OSError as error:
            raise translate_os_error(error, f"saving the plan to {output}") from error
    session.answer(made.as_dict(), *plan_view(made))
    if output is not None:
        session.hint(f"Saved to {plain(str(output))}: 'remit unit apply {plain(str(output))}' does exactly this.")
    if made.blocking:
        raise Exit(EXIT_ERROR)
    if made.changed:
        raise Exit(EXIT_CHANGES)


@verb(
    "apply",
    cls=EditsCommand,
    example="remit unit apply acme/redact -acme/tone -m 'mask before we answer'\nremit unit apply change.json --yes",
)
@click.argument("items", metavar="[ID|+ID|-ID]… | [PLANFILE]", nargs=-1)
@_SET
@_BIND
@_YES
@_MESSAGE
def apply(
    session: Session,
    items: tuple[str, ...],
    settings: tuple[str, ...],
    bindings: tuple[str, ...],
    *,
    yes: bool,
    message: str,
) -> None:
    """Make a plan's generation active, whole.

    The plan is shown first. What widens needs consent: a terminal is asked, elsewhere --yes says so, and without it
    the command exits with 3.
    """
    saved = _plan_file(items)
    if saved is not None and (settings or bindings or len(items) > 1):
        raise UsageError("a saved plan is applied as it is, without other edits", remedy="plan again with all edits")
    with session.connect() as kernel:
        if saved is not None:
            made = load_plan(read_bounded(saved))
        else:
            added, removed = split_items(items)
            made = kernel.plan(added, removed, dict(map(parse_setting, settings)), bind=_bound(bindings))
        _apply(session, kernel, made, yes=yes, message=message)


@verb("promote", example="remit unit promote acme/redact --slot guard")
@click.argument("unit", metavar="ID")
@click.option("--slot", "slot", required=True, metavar="NAME", help="The slot that it is to fill.")
@_YES
@_MESSAGE
def promote(session: Session, unit: str, slot: str, *, yes: bool, message: str) -> None:
    """Have a unit fill a slot, in the place of the one that does.

    The unit that filled an exclusive slot stays active and keeps its other work. A promotion is a plan like any other.
    """
    with session.connect() as kernel:
        made = kernel.plan(bind={slot: unit})
        _apply(session, kernel, made, yes=yes, message=message)


@verb("pin", example="remit unit pin acme/tone\nremit unit pin acme/tone@1.2.0\nremit unit pin acme/tone --release")
@click.argument("unit", metavar="ID[@RANGE]")
@click.option("--release", is_flag=True, help="Let it move again.")
@_YES
@_MESSAGE
def pin(session: Session, unit: str, *, release: bool, yes: bool, message: str) -> None:
    """Keep a unit at the version that runs, or at another.

    Nothing moves a pinned unit until it is released. A revert of one unit pins it to where it went back.
    """
    name, _, version = unit.partition("@")
    if release and version:
        raise UsageError("a release names no version", remedy=f"run 'remit unit pin {name} --release'")
    with session.connect() as kernel:
        made = kernel.plan(pin={name: "" if release else version or "="})
        _apply(session, kernel, made, yes=yes, message=message)


@verb("refresh", example="remit unit refresh")
def refresh(session: Session) -> None:
    """Plan a new run of the transforms, whose context may have changed.

    Exits with 2 if their patches or anything else would change; 'remit unit apply' does it.
    """
    with session.connect() as kernel, session.progress() as progress:
        made = kernel.plan(progress=progress)
    session.answer(made.as_dict(), *plan_view(made))
    if made.blocking:
        raise Exit(EXIT_ERROR)
    if made.changed:
        raise Exit(EXIT_CHANGES)


@verb("revert", example="remit unit revert\nremit unit revert 3 --with-state\nremit unit revert acme/tone --yes")
@click.argument("target", metavar="[GENERATION|ID]", default="last")
@click.option("--with-state", is_flag=True, help="Take the units' state back too, as new versions of their keys.")
@_YES
@_MESSAGE
def revert(session: Session, target: str, *, with_state: bool, yes: bool, message: str) -> None:
    """Go back: the last change, a generation or one unit.

    A unit's ID puts that unit alone back as it was before it last changed.

    A revert is a plan like any other: today's policies decide it, and what was revoked stays revoked.
    """
    with session.connect() as kernel:
        made = kernel.plan(revert=target, with_state=with_state)
        _apply(session, kernel, made, yes=yes, message=message)


def _bound(bindings: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for text in bindings:
        slot, separator, unit = text.partition("=")
        if not separator or not slot or "/" not in unit:
            raise UsageError(f"{text!r} is no binding", remedy="write --bind SLOT=publisher/name")
        found[slot] = unit
    return found


def _plan_file(items: tuple[str, ...]) -> Path | None:
    """The saved plan among the words, if one is: an existing file, or a name that ends like one."""
    for item in items:
        if item.endswith(".json") or Path(item).is_file():
            return Path(item)
    return None


def _apply(session: Session, kernel: Connection, made: Plan, *, yes: bool, message: str) -> None:
    session.show(*plan_view(made, applying=True))
    consent = yes
    if made.changed and made.needs_consent and not yes and not made.blocking and session.interactive:
        consent = click.confirm("Do you consent to what this widens?", default=False, err=True)
        if not consent:
            session.show(Text("nothing was changed", style="bold"))
            raise Exit(EXIT_REFUSED)
    with session.progress() as progress:
        generation = kernel.apply(made, consent=consent, message=message, progress=progress)
    data: dict[str, Any] = {"changed": made.changed, "plan": made.as_dict(), "generation": generation}
    if not made.changed:
        session.answer(data)
        return
    session.answer(
        data,
        Text.assemble(("applied", "bold green"), f": generation {generation.number} is active"),
    )
    session.hint("Undo it with: remit unit revert")
