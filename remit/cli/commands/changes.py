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
from remit.cli.trials import Tried, trial_options, tried
from remit.errors import EXIT_CHANGES, EXIT_ERROR, EXIT_REFUSED, UsageError
from remit.host import Connection
from remit.journal import Progress, no_progress, translate_os_error, write_atomically
from remit.units import Plan, load_plan
from remit.units.generations.wanted import parse_setting

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
@trial_options
@click.option("-o", "--output", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False), help="Save the plan.")
def plan(
    session: Session,
    items: tuple[str, ...],
    settings: tuple[str, ...],
    bindings: tuple[str, ...],
    output: Path | None,
    **trial: Any,
) -> None:
    """Show what would change, and change nothing.

    An ID (or +ID, with @RANGE where a version matters) is added or upgraded, -ID is removed; without any, the plan
    reconciles with remit.toml. Exits with 0 if there is nothing to do, 2 if there is, 1 on an error or a blocking
    finding.
    """
    with session.connect() as kernel, session.progress() as progress:
        made = _planned(kernel, items, settings, bindings, tried(trial), progress)
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
@trial_options
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
    **trial: Any,
) -> None:
    """Make a plan's generation active, whole.

    The plan is shown first. What widens needs consent: a terminal is asked, elsewhere --yes says so, and without it
    the command exits with 3.

    With --trial, the versions named run beside the active ones: for a share of the calls, on a branch of their state,
    until they are promoted or reverted. Of a unit that is on trial, it changes the terms.
    """
    saved, terms = _plan_file(items), tried(trial)
    if saved is not None and (settings or bindings or terms or len(items) > 1):
        raise UsageError("a saved plan is applied as it is, without other edits", remedy="plan again with all edits")
    with session.connect() as kernel:
        if saved is not None:
            made = load_plan(read_bounded(saved))
        else:
            made = _planned(kernel, items, settings, bindings, terms, no_progress)
        _apply(session, kernel, made, yes=yes, message=message)


@verb(
    "promote",
    example="remit unit promote acme/redact\nremit unit promote acme/redact --keep-state\n"
    "remit unit promote acme/redact --slot guard",
)
@click.argument("unit", metavar="ID")
@click.option("--slot", "slot", metavar="NAME", help="The slot that it is to fill.")
@click.option("--keep-state/--drop-state", default=None, help="Whether what it wrote on trial becomes its state; "
              "dropped by default.")  # fmt: skip
@click.option("--override", metavar="REASON", help="Promote without the evidence; the reason is journalled.")
@_YES
@_MESSAGE
def promote(
    session: Session,
    unit: str,
    slot: str | None,
    *,
    keep_state: bool | None,
    override: str | None,
    yes: bool,
    message: str,
) -> None:
    """Make a version on trial the active one, or fill a slot.

    A version on trial is promoted when it has had its calls, its tests pass, it was denied nothing new, and it is not
    slower than its bound. The state that the others wrote goes on unless its own is kept.

    With --slot, the unit that filled an exclusive slot stays active and keeps its other work. Either is a plan like any
    other.
    """
    if slot is not None and (keep_state is not None or override is not None):
        raise UsageError("--slot goes with no option of a trial", remedy="promote the version on trial without --slot")
    if override is not None and not override.strip():
        raise UsageError("an override says why", remedy="write --override 'REASON'")
    with session.connect() as kernel:
        if slot is not None:
            made = kernel.plan(bind={slot: unit})
        else:
            made = kernel.plan(promote=[unit], keep_state=bool(keep_state), override=override or "")
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

    A unit's ID puts that unit alone back as it was before it last changed; of a unit on trial, it ends the trial.

    A revert is a plan like any other: today's policies decide it, and what was revoked stays revoked.
    """
    with session.connect() as kernel:
        made = kernel.plan(revert=target, with_state=with_state)
        _apply(session, kernel, made, yes=yes, message=message)


def _planned(
    kernel: Connection,
    items: tuple[str, ...],
    settings: tuple[str, ...],
    bindings: tuple[str, ...],
    terms: Tried | None,
    progress: Progress,
) -> Plan:
    """The plan of what a command line says."""
    added, removed = split_items(items)
    if terms is None:
        return kernel.plan(added, removed, dict(map(parse_setting, settings)), bind=_bound(bindings), progress=progress)
    if removed or settings or bindings or not added:
        raise UsageError("--trial takes the units to try, and no other edits", remedy="apply the rest by itself")
    return kernel.plan(trial=added, terms=terms.terms, progress=progress)


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
