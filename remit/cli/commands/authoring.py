"""Work on a unit's folder: making, checking, building and testing it. Needs no home."""

from __future__ import annotations

import shlex
from pathlib import Path

import click
import msgspec
from click.exceptions import Exit
from rich.text import Text

from remit import host
from remit.cli.render.authoring import built_view, mend_text, tried_view
from remit.cli.render.findings import fault_list
from remit.cli.render.inspection import inspection_view
from remit.cli.session import Session, verb
from remit.cli.text import plain
from remit.errors import EXIT_ERROR, BundleInvalid

__all__ = ["build", "check", "inspect", "new", "test"]

_FOLDER = click.Path(path_type=Path)


@verb("new", example="remit unit new acme/greeter --lang python\nremit unit new acme/tone --kind config")
@click.argument("unit", metavar="PUBLISHER/NAME")
@click.option(
    "--lang", type=click.Choice(["python", "ts", "c", "wat"]), default="python", show_default=True, help="The language."
)
@click.option(
    "--kind",
    type=click.Choice(["tool", "transform", "config", "native"]),
    default="tool",
    show_default=True,
    help="What it does.",
)
@click.option("--dir", "folder", type=_FOLDER, default=".", help="Where its folder goes.")
def new(session: Session, unit: str, lang: str, kind: str, folder: Path) -> None:
    """Make a unit's project that passes its own tests.

    A config unit changes documents and has no code; its language does not matter. A native unit is Python in the
    kernel's own process: a home runs it only where a policy names its publisher.
    """
    target, files = host.new_unit(unit, lang, kind, folder)
    made = Text.assemble(("made ", "green"), plain(str(target)), f" ({len(files)} files)", no_wrap=True)
    session.answer({"folder": str(target), "files": files}, made)
    session.hint(f"Next: cd {shlex.quote(str(target))} && remit unit test")


@verb("check", example="remit unit check ./redact\nremit unit check --fix")
@click.argument("folder", metavar="[DIR]", default=".", type=_FOLDER)
@click.option("--fix", is_flag=True, help="Put right what has only one meaning.")
def check(session: Session, folder: Path, fix: bool) -> None:
    """Check a unit's folder and show every fault.

    Exits with 1 if there is a fault. The artifact need not be built. With --fix, slips of the pen in unit.toml are put
    right first, and each change is shown; what the unit asks for is never guessed.
    """
    _need_folder(folder)
    mends = host.mend_unit(folder) if fix else []
    session.show(*map(mend_text, mends))
    manifest, faults = host.check_unit(folder)
    data = {
        "fixed": mends,
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
@click.argument("folder", metavar="[DIR]", default=".", type=_FOLDER)
def build(session: Session, folder: Path) -> None:
    """Build a unit's artifact from its source, and compile it.

    At once if nothing changed since the last time. What the component imports and exports is checked against the
    manifest; the machine code goes to a cache of yours, for 'remit unit test', 'dev' and 'bench'.
    """
    _need_folder(folder)
    with session.progress() as progress:
        built = host.built_unit(folder, progress)
    session.answer(built, *built_view(built))
    session.hint(f"Next: remit unit test {shlex.quote(str(folder))}")


@verb("test", example="remit unit test ./redact")
@click.argument("folder", metavar="[DIR]", default=".", type=_FOLDER)
def test(session: Session, folder: Path) -> None:
    """Run a unit's own tests: the manifest's, and pytest.

    Builds it first. Each [[test]] of the manifest is called in the sandbox, in order, in a home that is gone
    afterwards; then pytest runs on the folder 'tests', with Remit's fixtures, and Node's runner on tests/*.test.ts.
    Exits with 1 if anything fails.
    """
    _need_folder(folder)
    with session.progress() as progress:
        tried = host.try_unit(folder, progress)
    session.answer({"passed": tried.passed, **msgspec.to_builtins(tried)}, *tried_view(tried))
    if not tried.passed:
        raise Exit(EXIT_ERROR)


@verb("inspect", example="remit unit inspect ./redact/redact.wasm\nremit unit inspect calc.wasm --manifest > unit.toml")
@click.argument("file", metavar="FILE.wasm", type=_FOLDER)
@click.option("--manifest", is_flag=True, help="Print a unit.toml for it instead.")
def inspect(session: Session, file: Path, manifest: bool) -> None:
    """Show what a component imports, exports and would need.

    The functions of any component are shown as the actions that could be made of them, with their JSON Schemas. The
    component is compiled, not run. Exits with 1 if it imports what no host offers.
    """
    if manifest:
        with session.progress() as progress:
            text = host.draft_manifest(file, progress)
        session.answer({"manifest": text}, plain(text.removesuffix("\n")))
        return
    with session.progress() as progress:
        found = host.inspect_file(file, progress)
    session.answer(found, *inspection_view(found))
    if found.refused:
        raise Exit(EXIT_ERROR)


def _need_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise BundleInvalid(f"{folder} is not a folder", remedy="name the folder that holds unit.toml")
