"""The façade's part for keeping a home supplied: the lock, syncing with it, upgrading."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from remit.journal import Progress, no_progress
from remit.kernel.model import Caller
from remit.units import Supply

__all__ = ["Supplying"]

T = TypeVar("T")
_LOCAL = Caller()


class Supplying(ABC):
    """Mixed into the façade."""

    @abstractmethod
    def perform(
        self, operation: str, arguments: Mapping[str, Any], result: type[T], *, caller: Caller, progress: Progress
    ) -> T:
        """Do one operation by name; the typed methods below are its callers."""

    def sync(
        self,
        *,
        prune: bool = False,
        allow_unsigned: bool = False,
        caller: Caller = _LOCAL,
        progress: Progress = no_progress,
    ) -> Supply:
        """Lock what ``remit.toml`` wants and all that it needs, admit what is missing, and follow what was withdrawn.

        What is locked stays where it can. Nothing becomes active; killed versions end at once.

        :param prune: uninstall what neither the lock nor the last two generations need
        :raises UnitsUnresolved: if no versions fit
        :raises LockBroken: if a source gives other contents than are locked
        """
        arguments = {"prune": prune, "allow_unsigned": allow_unsigned}
        return self.perform("sync", arguments, Supply, caller=caller, progress=progress)

    def sync_check(self, *, prune: bool = False, caller: Caller = _LOCAL, progress: Progress = no_progress) -> Supply:
        """What :meth:`sync` would do; nothing is changed."""
        return self.perform("sync_check", {"prune": prune}, Supply, caller=caller, progress=progress)

    def adopt(self, *, caller: Caller = _LOCAL) -> Supply:
        """Lock what is active, asking no registry."""
        return self.perform("adopt", {}, Supply, caller=caller, progress=no_progress)

    def upgrade(
        self,
        units: Sequence[str] = (),
        *,
        allow_unsigned: bool = False,
        allow_signer_change: bool = False,
        caller: Caller = _LOCAL,
        progress: Progress = no_progress,
    ) -> Supply:
        """Lock and admit the best versions that the ranges allow, of these units or of all. Nothing becomes active.

        :raises UnitUnknown: if a unit is neither wanted nor locked
        :raises SignerChanged: if somebody else signed the new version, and that is not allowed
        """
        arguments = {
            "units": tuple(units),
            "allow_unsigned": allow_unsigned,
            "allow_signer_change": allow_signer_change,
        }
        return self.perform("upgrade", arguments, Supply, caller=caller, progress=progress)

    def upgrade_preview(
        self, units: Sequence[str] = (), *, caller: Caller = _LOCAL, progress: Progress = no_progress
    ) -> Supply:
        """What :meth:`upgrade` would do; nothing is changed."""
        return self.perform("upgrade_preview", {"units": tuple(units)}, Supply, caller=caller, progress=progress)
