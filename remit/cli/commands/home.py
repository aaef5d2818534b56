"""Making a home."""

from __future__ import annotations

import shlex
from pathlib import Path

import click
from rich.text import Text

from remit import host
from remit.cli.session import Session, verb
from remit.cli.text import plain

__all__ = ["init"]


@verb("init", example="remit init ./home")
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
def init(session: Session, folder: Path | None) -> None:
    """Make a home: remit.toml, policies and an empty journal.

    Without DIR, in the folder that --home names.
    """
    home = host.init(folder or session.home)
    where = plain(shlex.quote(str(folder or session.home)))
    session.answer(
        {"id": home.id, "root": str(home.root)},
        Text.assemble(("home made", "bold green"), f" at {plain(str(home.root))}", no_wrap=True),
        Text(
            f"\nNext:\n"
            f"  export REMIT_HOME={where}\n"
            f"  remit unit install FOLDER --allow-unsigned   # admit a unit; nothing runs yet\n"
            f"  remit unit plan ID     # what it would change, and what it may do\n"
            f"  remit unit apply ID    # do it; 'remit unit revert' undoes it\n"
            f"What the host runs is in remit.toml; your own policies go to policy/*.cedar.",
            no_wrap=True,
        ),
    )
