"""Keeping a home supplied: the lock, and the versions that it holds."""

from __future__ import annotations

import click
from click.exceptions import Exit

from remit.cli.render.supply import supply_report
from remit.cli.session import Session, verb
from remit.errors import EXIT_CHANGES, UsageError
from remit.units import Supply

__all__ = ["sync", "upgrade"]

_UNSIGNED = click.option(
    "--allow-unsigned", is_flag=True, help="Admit local folders that are locked; they are shown as unsigned for ever."
)


@verb("sync", example="remit unit sync\nremit unit sync --check")
@click.option("--check", is_flag=True, help="Change nothing; exit with 2 if there is anything to do.")
@click.option("--adopt", is_flag=True, help="Lock what is active now, asking no registry.")
@click.option("--prune", is_flag=True, help="Uninstall what neither the lock nor the last two generations need.")
@_UNSIGNED
def sync(session: Session, *, check: bool, adopt: bool, prune: bool, allow_unsigned: bool) -> None:
    """Lock and admit what is wanted, and follow what was withdrawn.

    remit.lock then says which version each [[unit]] of remit.toml means, and everything that it needs; what is locked
    stays where it can. Nothing becomes active until an apply; a version that its registry killed ends at once.
    """
    if adopt and (check or prune):
        raise UsageError("--adopt goes with no other option", remedy="adopt first, then sync")
    with session.connect() as kernel, session.progress() as progress:
        if adopt:
            found = kernel.adopt()
        elif check:
            found = kernel.sync_check(prune=prune, progress=progress)
        else:
            found = kernel.sync(prune=prune, allow_unsigned=allow_unsigned, progress=progress)
    _answer(session, found)


@verb("upgrade", example="remit unit upgrade --preview\nremit unit upgrade acme/redact")
@click.argument("units", metavar="[ID…]", nargs=-1)
@click.option("--preview", is_flag=True, help="Change nothing; exit with 2 if there is anything to do.")
@click.option("--allow-signer-change", is_flag=True, help="Take a version that somebody else signed than the last.")
@_UNSIGNED
def upgrade(
    session: Session, units: tuple[str, ...], *, preview: bool, allow_signer_change: bool, allow_unsigned: bool
) -> None:
    """Lock and admit the best versions that the ranges allow.

    Of these units, or of all. Ranges stand in remit.toml and in what units require. Nothing becomes active until an
    apply.
    """
    with session.connect() as kernel, session.progress() as progress:
        if preview:
            found = kernel.upgrade_preview(units, progress=progress)
        else:
            found = kernel.upgrade(
                units, allow_unsigned=allow_unsigned, allow_signer_change=allow_signer_change, progress=progress
            )
    _answer(session, found)


def _answer(session: Session, found: Supply) -> None:
    session.answer(found, *supply_report(found))
    if found.done and found.drift:
        session.hint("Next: remit unit plan")
    if not found.done and found.changed:
        raise Exit(EXIT_CHANGES)
