"""Errors of plans, generations and documents: RM-60xx."""

from __future__ import annotations

from remit.errors.base import EXIT_REFUSED, RemitError


class UnitsError(RemitError, code="RM-6000"):
    """Units, plans or generations refuse."""


class UnitUnknown(UnitsError, code="RM-6001", remedy="run 'remit unit list'; install it with 'remit unit install'"):
    """No installed unit matches."""


class PlanStale(UnitsError, code="RM-6002", remedy="plan again"):
    """The plan was made against another generation, home or configuration."""


class PlanBlocked(UnitsError, code="RM-6003", remedy="resolve the blocking findings that 'remit unit plan' shows"):
    """The plan has blocking findings."""


class PlanInvalid(UnitsError, code="RM-6004", remedy="make the plan again with 'remit unit plan -o FILE'"):
    """A saved plan cannot be read or was changed after it was made."""


class GenerationUnknown(UnitsError, code="RM-6005", remedy="run 'remit unit history'"):
    """No generation has that number."""


class NothingToRevert(UnitsError, code="RM-6006"):
    """There is no earlier change to go back to."""


class DocumentUnknown(UnitsError, code="RM-6007", remedy="declare it under [document.NAME] in remit.toml"):
    """No document has that name."""


class PatchFailed(UnitsError, code="RM-6008"):
    """A patch does not apply to its document."""


class TransformFailed(UnitsError, code="RM-6009"):
    """A transform did not produce valid patches."""


class ModelUnknown(UnitsError, code="RM-6010", remedy="run 'remit state' for the list"):
    """No read model has that name."""


class SlotUnknown(UnitsError, code="RM-6012", remedy="declare it under [slot.NAME] in remit.toml"):
    """No slot has that name."""


class UnitInUse(UnitsError, code="RM-6011", remedy="remove it from the active generation first"):
    """The unit is active."""


class TrialUnknown(UnitsError, code="RM-6013", remedy="run 'remit state experiments' for what is on trial"):
    """The unit is not on trial."""


class UnitsUnresolved(UnitsError, code="RM-6020", remedy="change a range in remit.toml, or remove a unit"):
    """No choice of versions meets every range."""


class LockInvalid(
    UnitsError, code="RM-6021", remedy="restore remit.lock, or write it anew with 'remit unit sync --adopt'"
):
    """``remit.lock`` cannot be read."""


class LockBroken(UnitsError, code="RM-6022", remedy="do not trust its source; 'remit unit upgrade ID' chooses anew"):
    """What a source gives is not what ``remit.lock`` holds."""


class SignerChanged(
    UnitsError, code="RM-6023", exit_code=EXIT_REFUSED, remedy="ask the publisher, then use --allow-signer-change"
):
    """The new version is signed by somebody else than the one before."""
