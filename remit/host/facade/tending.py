"""The façade's part for keeping a home in order: the doctor, backups, and collecting what nobody needs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from remit.host.facade.views import BackupView, Examined
from remit.journal import Archived, Progress, no_progress
from remit.kernel.model import Caller
from remit.units import Garbage

__all__ = ["Tending"]

T = TypeVar("T")
_LOCAL = Caller()


class Tending(ABC):
    """Mixed into the façade."""

    @abstractmethod
    def perform(
        self, operation: str, arguments: Mapping[str, Any], result: type[T], *, caller: Caller, progress: Progress
    ) -> T:
        """Do one operation by name; the typed methods below are its callers."""

    def doctor(self, *, caller: Caller = _LOCAL, progress: Progress = no_progress) -> list[Examined]:
        """Every check of the home and what it found. Nothing is changed."""
        return self.perform("doctor", {}, list[Examined], caller=caller, progress=progress)

    def mend(
        self, checks: Sequence[str], *, caller: Caller = _LOCAL, progress: Progress = no_progress
    ) -> list[Examined]:
        """:meth:`doctor`, putting right what these checks find and may be put right; that is journalled.

        :param checks: their ids
        :raises UsageError: if there is no such check
        :raises Denied: if policy does not let the caller uninstall units, which is about the same power
        """
        return self.perform("mend", {"checks": tuple(checks)}, list[Examined], caller=caller, progress=progress)

    def backup(self, path: str, *, caller: Caller = _LOCAL, progress: Progress = no_progress) -> BackupView:
        """Write the whole home into one file, as of now; calls go on meanwhile. It holds the home's keys.

        :param path: absolute; a file that is there is replaced
        :raises Denied: if policy does not let the caller change what the home trusts, which the keys would let them
        """
        return self.perform("backup", {"path": path}, BackupView, caller=caller, progress=progress)

    def archive(self, *, keep: int = 10_000, caller: Caller = _LOCAL, progress: Progress = no_progress) -> Archived:
        """Move old, verified records of the journal to compressed files, 5,000 at a time.

        Reading, time travel and verifying find them there; reading them is slower.

        :param keep: how many of the newest records stay in the database at least
        :raises ChainBroken: if the chain is not whole: what is broken is not moved
        :raises Denied: if policy does not let the caller uninstall units, which is about the same power
        """
        return self.perform("archive", {"keep": keep}, Archived, caller=caller, progress=progress)

    def gc(self, *, keep: int = 10, dry_run: bool = False, caller: Caller = _LOCAL) -> Garbage:
        """Forget superseded versions and remove the blobs that nobody needs.

        :param keep: how many generations before the active one stay possible to go back to
        :param dry_run: only say what would go
        """
        arguments = {"keep": keep, "dry_run": dry_run}
        return self.perform("gc", arguments, Garbage, caller=caller, progress=no_progress)
