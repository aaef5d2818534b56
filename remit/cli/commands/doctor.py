"""The doctor: looking at a home from all sides, and putting right what may be put right."""

from __future__ import annotations

from collections.abc import Sequence

import click
from click.exceptions import Exit
from rich.text import Text

from remit import host
from remit.cli.render.doctor import examined
from remit.cli.session import Session, verb
from remit.errors import EXIT_ERROR, EXIT_REFUSED, HomeBusy, HomeError, RemitError, UsageError
from remit.host import Examined

__all__ = ["doctor"]


@verb("doctor", example="remit doctor\nremit doctor --fix --dry-run\nremit doctor --fix --yes")
@click.option("--fix", is_flag=True, help="Put right what may be put right, after asking.")
@click.option("--dry-run", is_flag=True, help="With --fix: only say what would be done.")
@click.option("--yes", "-y", is_flag=True, help="With --fix: do it without being asked.")
def doctor(session: Session, *, fix: bool, dry_run: bool, yes: bool) -> None:
    """Look at everything about a home that can go wrong.

    Exits with 1 if there is an error. A home whose kernel does not start is looked at too, as far as its files go.
    """
    if (dry_run or yes) and not fix:
        raise UsageError("--dry-run and --yes go with --fix", remedy="run 'remit doctor --fix'")
    try:
        with session.connect() as kernel, session.progress() as progress:
            found = kernel.doctor(progress=progress)
            fixable = [check.id for check in found if any(ailment.fix for ailment in check.ailments)]
            if fix and not dry_run and fixable:
                session.show(*examined(found))
                if not yes:
                    _confirm(session)
                found = kernel.mend(fixable, progress=progress)
    except HomeBusy:
        raise
    except RemitError as error:
        found = _from_outside(session, error)
    session.answer({"checks": found, "ok": not _errors(found)}, *examined(found))
    if _errors(found):
        raise Exit(EXIT_ERROR)


def _confirm(session: Session) -> None:
    if not session.interactive:
        session.show(Text("nothing was changed: --yes says that it may be", style="bold"))
        raise Exit(EXIT_REFUSED)
    if not click.confirm("Put this right?", default=False, err=True):
        session.show(Text("nothing was changed", style="bold"))
        raise Exit(EXIT_REFUSED)


def _from_outside(session: Session, error: RemitError) -> list[Examined]:
    """What can be seen of a home whose kernel does not start, the reason first.

    :raises RemitError: the reason, if there is no home to look at
    """
    with session.progress() as progress:
        try:
            return host.examine_files(session.home, error, progress)
        except HomeError:
            raise error from None


def _errors(found: Sequence[Examined]) -> bool:
    return any(one.severity == "error" and not one.mended for check in found for one in check.ailments)
