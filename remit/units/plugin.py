"""The read models of units, as the built-in plugin that offers them."""

from __future__ import annotations

from typing import Any

from remit.journal import Fold
from remit.kernel.hookspecs import hookimpl
from remit.units.generation import GenerationsFold
from remit.units.installed import InstalledFold
from remit.units.withdrawals import WithdrawalsFold

__all__ = ["remit_read_models"]


@hookimpl
def remit_read_models() -> list[Fold[Any]]:
    """``logic_units``, ``generations`` and ``withdrawals``."""
    return [InstalledFold(), GenerationsFold(), WithdrawalsFold()]
