"""Keeping a registry: serving its folder, checking it, withdrawing versions, reading its log. Needs no home."""

from __future__ import annotations

from pathlib import Path

import click
from click.exceptions import Exit
from rich.text import Text

from remit import host
from remit.cli.render.registry import log_table
from remit.cli.session import Session, verb
from remit.cli.text import one_line, plain
from remit.errors import EXIT_ERROR, UsageError

__all__ = ["check_registry", "export", "log", "serve", "yank"]

_DATA = click.option(
    "--data",
    metavar="DIR",
    type=click.Path(path_type=Path),
    default="registry",
    show_default=True,
    help="The registry's folder.",
)


@verb("serve", example="remit registry serve --port 5000 --data ./registry")
@_DATA
@click.option("--port", type=click.IntRange(0, 65535), default=5000, show_default=True, help="0 takes a free one.")
@click.option("--host", "address", default="127.0.0.1", show_default=True, help="Others than loopback need --users.")
@click.option("--users", metavar="FILE", type=click.Path(path_type=Path), help="users.toml: who may write what.")
def serve(session: Session, data: Path, port: int, address: str, users: Path | None) -> None:
    """Serve a folder as an OCI registry, with pages to read.

    Any OCI client can push and pull. Versions never change once they are published. Stop it with Ctrl-C.
    """

    def ready(where: str) -> None:
        session.line({"address": where}, Text.assemble("serving ", plain(str(data)), " at ", (where, "bold")))

    host.serve_registry(data, host=address, port=port, users=users, ready=ready)


@verb("export", example="remit registry export ./public --data ./registry")
@click.argument("target", metavar="DIR", type=click.Path(path_type=Path))
@_DATA
@click.option("--keys", metavar="DIR", type=click.Path(path_type=Path), help="The keeper's keys: attest the files.")
@click.option("--days", type=click.IntRange(1, 90), default=7, show_default=True, help="How long that may be believed.")
def export(session: Session, target: Path, data: Path, keys: Path | None, days: int) -> None:
    """Write a registry as files for any web server.

    Reading from there works as from the registry itself. DIR must be empty: a copy is made whole. With --keys, TUF
    metadata beside the files lets homes that pin its root notice old copies and versions that nobody attested; the
    keys are made at first use, and belong where the files are not.
    """
    with session.progress() as progress:
        count, root = host.export_registry(data, target, progress, keys=keys, days=days)
    lines = [Text(f"exported {count} tag(s) to {plain(str(target))}")]
    if root is not None:
        lines.append(Text(f"homes pin {plain(str(root))}", no_wrap=True))
    session.answer({"target": str(target), "tags": count, "root": None if root is None else str(root)}, *lines)


@verb("check", example="remit registry check --data ./registry")
@_DATA
def check_registry(session: Session, data: Path) -> None:
    """Check a registry's folder, and mend its list.

    A publication that a crash kept out of the list is added. Exits with 1 if anything was or is wrong.
    """
    faults = host.check_registry(data)
    lines = [Text(one_line(fault)) for fault in faults] or [Text(f"{data} is in order")]
    session.answer({"ok": not faults, "faults": faults}, *lines)
    if faults:
        raise Exit(EXIT_ERROR)


@verb("yank", example="remit registry yank acme/redact@1.2.0 --reason 'leaks addresses'")
@click.argument("unit", metavar="ID@VERSION")
@_DATA
@click.option("--reason", default="", metavar="TEXT", help="Shown to whoever has it or asks for it.")
@click.option("--kill", is_flag=True, help="Give it to nobody any more, not even by its digest.")
def yank(session: Session, unit: str, data: Path, reason: str, *, kill: bool) -> None:
    """Withdraw a version.

    It stays for those who name exactly it, and no range means it any more.
    """
    name, separator, version = unit.partition("@")
    if not separator:
        raise UsageError(f"{unit!r} names no version", remedy="write ID@VERSION")
    entry = host.withdraw_unit(data, name, version, reason, kill=kill)
    session.answer(entry, Text.assemble((entry.kind, "yellow"), f" {plain(name)}@{plain(version)}"))


@verb("log", example="remit registry log --data ./registry")
@_DATA
def log(session: Session, data: Path) -> None:
    """List what was published and withdrawn."""
    entries = host.registry_log(data)
    session.answer({"entries": entries}, log_table(entries) if entries else Text("Nothing was published yet."))
