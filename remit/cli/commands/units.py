"""Units as they are: installing, listing, looking at them, at generations and at documents."""

from __future__ import annotations

import shlex
from pathlib import Path

import click
import msgspec
from rich.text import Text

from remit.cli.render.units import (
    difference,
    generation_details,
    generation_table,
    slot_lines,
    unit_details,
    unit_table,
)
from remit.cli.session import Session, verb
from remit.cli.text import one_line, plain, short_digest
from remit.errors import UsageError
from remit.units import InstalledUnit

__all__ = ["diff", "gc", "history", "install", "list_units", "show", "uninstall"]


@verb("install", example="remit unit install ./redact --allow-unsigned")
@click.argument("references", metavar="REF…", nargs=-1, required=True)
@click.option("--allow-unsigned", is_flag=True, help="Admit a local folder; it is shown as unsigned for ever.")
@click.option("--override", is_flag=True, help="Insist on another signer than before, or on an older version.")
def install(session: Session, references: tuple[str, ...], *, allow_unsigned: bool, override: bool) -> None:
    """Admit units; nothing active changes.

    A REF is a folder with unit.toml, built before, a .unit file, oci://HOST/REPOSITORY@RANGE, or ID[@RANGE] in a
    registry that remit.toml names. All but folders must be signed by somebody whom the home trusts (remit trust show).
    """
    installed = []
    with session.connect() as kernel:
        for reference in references:
            # The kernel may be a process in another folder.
            where = str(Path(reference).absolute()) if Path(reference).exists() else reference
            with session.progress() as progress:
                unit = kernel.install(where, allow_unsigned=allow_unsigned, override=override, progress=progress)
            installed.append(unit)
            ref = unit.ref
            mark = ("  unsigned", "yellow")
            if ref.admission == "signed":
                mark = (f"  signed by {plain(unit.signer)}", "green")
            name = f"{ref.id}@{ref.version}"
            session.show(
                Text.assemble(
                    ("installed ", "green"), (name, "bold"), f"  {short_digest(ref.digest)}", mark, no_wrap=True
                )
            )
            session.show(*(Text(f"warning: {plain(line)}", style="yellow") for line in unit.warnings))
    session.answer({"installed": installed})
    session.hint(f"Next: remit unit plan {shlex.join(dict.fromkeys(unit.ref.id for unit in installed))}")


@verb("uninstall", example="remit unit uninstall acme/redact@1.0.0")
@click.argument("unit", metavar="ID[@RANGE]")
@click.option("--purge-state", is_flag=True, help="What the unit kept goes for good, whichever version wrote it.")
def uninstall(session: Session, unit: str, *, purge_state: bool) -> None:
    """Forget an installed version of a unit.

    The best version in RANGE goes; its state stays unless it is purged. An active version is refused.
    """
    name, _, version = unit.partition("@")
    with session.connect() as kernel:
        gone = kernel.uninstall(name, version or "*", purge_state=purge_state)
    session.answer({"uninstalled": gone}, Text(f"uninstalled {gone.ref.id}@{gone.ref.version}"))


@verb("gc", example="remit unit gc --dry-run\nremit unit gc --keep 3")
@click.option("--keep", type=click.IntRange(min=0), default=10, show_default=True, metavar="N",
              help="Generations before the active one that stay possible to go back to.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
def gc(session: Session, keep: int, *, dry_run: bool) -> None:
    """Forget superseded versions, and remove what nobody needs.

    A version goes when an earlier generation ran it and no kept one does. What is installed and never ran stays.
    """
    with session.connect() as kernel:
        garbage = kernel.gc(keep=keep, dry_run=dry_run)
    verb_ = "would remove" if dry_run else "removed"
    lines = [
        Text(f"{verb_} {one_line(unit.id)}@{one_line(unit.version)}  {short_digest(unit.digest)}")
        for unit in garbage.units
    ]
    lines.append(Text(f"{verb_} {len(garbage.blobs)} blobs, {garbage.bytes:,} bytes"))
    session.answer({"dry_run": dry_run, **msgspec.to_builtins(garbage)}, *lines)


@verb("list", example="remit unit list")
def list_units(session: Session) -> None:
    """List the installed units, and who fills the slots of the host."""
    with session.connect() as kernel:
        entries, slots = kernel.units(), kernel.slots()
    empty = Text("No unit is installed. 'remit unit install DIR --allow-unsigned' admits a local one.")
    session.answer({"units": entries, "slots": slots}, unit_table(entries) if entries else empty, *slot_lines(slots))


@verb("show", example="remit unit show acme/redact\nremit unit show 3")
@click.argument("unit", metavar="ID|GENERATION")
def show(session: Session, unit: str) -> None:
    """Show what is known of one unit, or of a generation."""
    with session.connect() as kernel:
        if unit.isascii() and unit.isdigit():
            generation = kernel.generation(int(unit))
            session.answer(generation, *generation_details(generation))
            return
        facts = kernel.unit(unit)
    session.answer(facts, *unit_details(facts))


@verb("history", example="remit unit history")
def history(session: Session) -> None:
    """List the generations."""
    with session.connect() as kernel:
        generations = kernel.history()
    rows = [
        {
            "number": generation.number,
            "origin": generation.origin,
            "at_ms": generation.at_ms,
            "author": generation.author,
            "message": generation.message,
            "units": [f"{unit.ref.id}@{unit.ref.version}" for unit in generation.units],
            "unsigned": [unit.ref.id for unit in generation.units if unit.ref.admission == "local"],
            "trials": [f"{trial.unit.ref.id}@{trial.unit.ref.version}" for trial in generation.trials],
            "active": generation is generations[-1],
        }
        for generation in generations
    ]
    session.answer({"generations": rows}, generation_table(rows))


@verb("diff", example="remit unit diff\nremit unit diff 1 3")
@click.argument("before", metavar="[BEFORE]", type=click.IntRange(min=0), required=False)
@click.argument("after", metavar="[AFTER]", type=click.IntRange(min=0), required=False)
def diff(session: Session, before: int | None, after: int | None) -> None:
    """Show what differs between two generations.

    AFTER is the active generation if it is left out, BEFORE the one before that.
    """
    with session.connect() as kernel:
        last = kernel.home().generation if after is None else after
        if before is None and last == 0:
            raise UsageError("there is only one generation yet", remedy="run 'remit unit history'")
        found = kernel.diff(last - 1 if before is None else before, last)
    session.answer(found, *difference(found))


def _installed(unit: InstalledUnit) -> Text:
    ref = unit.ref
    signed = ref.admission == "signed"
    mark = (f"  signed by {plain(unit.signer)}", "green") if signed else ("  unsigned", "yellow")
    name, digest = (f"{ref.id}@{ref.version}", "bold"), f"  {short_digest(ref.digest)}"
    return Text.assemble(("installed ", "green"), name, digest, mark, no_wrap=True)
