"""The journal: read from its files, where no kernel is needed and none disturbed; backed up by its kernel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec
from click.exceptions import Exit
from rich.text import Text

from remit import host
from remit.cli.render.records import record_text
from remit.cli.session import Session, verb
from remit.errors import EXIT_CHANGES
from remit.journal import Record

__all__ = ["archive", "backup", "restore", "tail", "upgrade", "verify"]


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


@verb("backup", example="remit journal backup ../home.backup")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))
def backup(session: Session, path: Path) -> None:
    """Write the whole home into one file, while it works.

    Units are called meanwhile; changes of units wait. The file holds the home's keys: keep it as you keep the home.
    """
    with session.connect() as kernel, session.progress() as progress:
        made = kernel.backup(str(path.absolute()), progress=progress)
    words = f": {made.files} files, {made.bytes:,} bytes, up to record {made.seq}"
    session.answer({"path": str(path), **msgspec.to_builtins(made)}, Text.assemble(("backed up", "bold green"), words))


@verb("archive", example="remit journal archive --keep 100000")
@click.option(
    "--keep", type=click.IntRange(min=0), default=10_000, show_default=True, metavar="N",
    help="How many of the newest records stay in the database at least.",
)  # fmt: skip
def archive(session: Session, keep: int) -> None:
    """Move old records to compressed files.

    Each stretch of 5,000 is verified, written to .remit/archive and read back before it leaves the database. Reading,
    time travel, backups and 'remit journal verify' find it there.
    """
    with session.connect() as kernel, session.progress() as progress:
        done = kernel.archive(keep=keep, progress=progress)
    words = Text.assemble(
        (f"archived {done.records:,} records", "bold"),
        f": {done.freed:,} bytes less in the database, {done.size:,} in the archive",
    )
    session.answer(msgspec.to_builtins(done), words)


@verb("restore", example="remit journal restore ../home.backup --home ./home")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False, exists=True))
def restore(session: Session, path: Path) -> None:
    """Make a home from such a file.

    The folder must be empty or not there yet. Every byte is checked before the home appears. It goes on as the home
    that was backed up: where that one still lives, stop one of them.
    """
    with session.progress() as progress:
        made = host.restore(path, session.home, progress)
    words = Text.assemble(("restored", "bold green"), f": {made.files} files, up to record {made.seq}")
    session.answer({"path": str(session.home), **msgspec.to_builtins(made)}, words)
    session.hint("Next: remit doctor")


@verb("upgrade", example="remit journal upgrade --dry-run\nremit journal upgrade")
@click.option("--dry-run", is_flag=True, help="Take every step, say what it did, and leave all as it was.")
def upgrade(session: Session, *, dry_run: bool) -> None:
    """Bring a home of an older format up to date.

    A home that an older remit wrote is opened only after this. All steps are one transaction, the records stay what
    they are, and a copy of the journal as it was is kept in .remit. A dry run exits with 2 if there is anything to do.
    """
    found = host.upgrade_home(session.home, dry_run=dry_run)
    if not found.steps:
        session.answer(msgspec.to_builtins(found), Text(f"the journal has format {found.after}: nothing to do"))
        return
    head = "upgraded" if found.done else "would upgrade"
    words = Text.assemble((head, "bold green"), f": format {found.before} → {found.after}, {found.records:,} records")
    session.answer(msgspec.to_builtins(found), words, *(Text(f"  {step}") for step in found.steps))
    if not found.done:
        raise Exit(EXIT_CHANGES)
    session.hint(f"The journal as it was is in .remit/{found.copy}: 'remit doctor --fix' removes it")


def _view(record: Record) -> dict[str, Any]:
    """A record in the shape that ``remit events`` prints."""
    return {
        "seq": record.seq,
        "generation": record.generation,
        "namespace": record.namespace,
        "hash": record.hash.hex(),
        "event": msgspec.to_builtins(record.event),
    }
