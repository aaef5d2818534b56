"""A home of an older format, brought up to date when its operator says so. Needs no kernel: none starts on it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from remit.host.home.home import Home
from remit.journal import Draft, Journal
from remit.journal.upgrading import Upgraded, upgrade

__all__ = ["upgrade_home"]


def upgrade_home(root: Path | str, *, dry_run: bool = False) -> Upgraded:
    """Bring a home's journal to the format of this version; its journal says so. A copy of it as it was is kept.

    :param dry_run: whether to take every step, and then leave everything as it was
    :raises HomeBusy: if a process of the version that wrote it still runs it
    :raises FormatTooNew: if a later version of remit wrote it
    :raises FormatTooOld: if no steps lead from its format to ours
    :raises JournalError: if it cannot be upgraded: nothing was changed
    """
    home = Home.open(root)
    with home.locked("remit journal upgrade"):
        found = upgrade(home.private, dry_run=dry_run)
        if found.done:
            journal = Journal(home.private, home.clock, home.ids)
            try:
                journal.append([Draft(type="home.upgraded", data=msgspec.to_builtins(found))])
            finally:
                journal.close()
    return found
