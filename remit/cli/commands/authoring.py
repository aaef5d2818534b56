"""Work on a unit's folder: checking and building. Needs no home."""

from __future__ import annotations

import shlex
from pathlib import Path

import click
from click.exceptions import Exit
from rich.text import Text

from remit import host
from remit.cli.render.findings import fault_list
from remit.cli.render.inspection import inspection_view
from remit.cli.session import Session, verb
from remit.cli.text import plain
from remit.errors import EXIT_ERROR, BundleInvalid

__all__ = ["build", "check", "inspect"]

_FOLDER = click.Path(path_type=Path)


@verb("check", example="remit unit check ./redact")
@click.argument("folder", metavar="DIR", type=_FOLDER)
def check(session: Session, folder: Path) -> None:
    """Check a unit's folder and show every fault.

    Exits with 1 if there is a fault. The artifact need not be built.
    """
    _need_folder(folder)
    manifest, faults = host.check_unit(folder)
    data = {
        "ok": not faults,
        "unit": manifest.id if manifest else None,
        "version": manifest.version if manifest else None,
        "faults": faults,
    }
    if faults:
        session.answer(data, *fault_list(str(folder), faults))
        raise Exit(EXIT_ERROR)
    name = f"{manifest.id}@{manifest.version}" if manifest else str(folder)
    session.answer(data, Text.assemble((plain(name), "bold"), " is in order"))


@verb("build", example="remit unit build ./redact")
@click.argument("folder", metavar="DIR", type=_FOLDER)
def build(session: Session, folder: Path) -> None:
    """Build a unit's artifact from its source.

    At once if nothing changed since the last time.
    """
    _need_folder(folder)
    with session.progress() as progress:
        artifact = host.build_unit(folder, progress)
    size = artifact.stat().st_size
    session.answer(
        {"artifact": str(artifact), "bytes": size},
        Text.assemble(("built", "green"), f" {plain(str(artifact))} ({size:,} bytes)"),
    )
    session.hint(f"Next: remit unit install {shlex.quote(str(folder))} --allow-unsigned")


@verb("inspect", example="remit unit inspect ./redact/redact.wasm")
@click.argument("file", metavar="FILE.wasm", type=_FOLDER)
def inspect(session: Session, file: Path) -> None:
    """Show what a component imports, exports and would need.

    The functions of any component are shown as the actions that could be made of them, with their JSON Schemas. The
    component is compiled, not run. Exits with 1 if it imports what no host offers.
    """
    with session.progress() as progress:
        found = host.inspect_file(file, progress)
    session.answer(found, *inspection_view(found))
    if found.refused:
        raise Exit(EXIT_ERROR)


def _need_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise BundleInvalid(f"{folder} is not a folder", remedy="name the folder that holds unit.toml")
