"""The demo's command; its script is in :mod:`remit.cli.demo`."""

from __future__ import annotations

from pathlib import Path

import click

from remit.cli.demo import play
from remit.cli.session import Session, verb

__all__ = ["demo"]

_FOLDER = click.Path(path_type=Path)


@verb("demo", example="remit demo\nremit demo --keep ./demo-home")
@click.option("--keep", type=_FOLDER, metavar="DIR", help="Leave the home there, to look at.")
@click.option("--units", type=_FOLDER, metavar="DIR", help="The first-party units, if not beside the source tree.")
def demo(session: Session, keep: Path | None, units: Path | None) -> None:
    """Show the main job in a home of its own, checking every step.

    Builds, installs, plans and applies units; masks 240 support tickets; shows a denial and the policy that decided;
    reverts one unit; verifies the journal. Exits with an error if anything promised does not happen.
    """
    play(session, keep, units)
