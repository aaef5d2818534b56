"""The units room as a plugin: its read models, and what the doctor looks at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from remit.journal import Fold, Progress
from remit.journal.checks import Check, Trouble
from remit.kernel.hookspecs import hookimpl
from remit.units.generations.experiments import ExperimentsFold
from remit.units.generations.generation import GenerationsFold
from remit.units.stock.installed import InstalledFold
from remit.units.stock.withdrawals import WithdrawalsFold

__all__ = ["remit_doctor_checks", "remit_read_models"]


@hookimpl
def remit_read_models() -> list[Fold[Any]]:
    """``logic_units``, ``generations``, ``withdrawals`` and ``experiments``."""
    return [InstalledFold(), GenerationsFold(), WithdrawalsFold(), ExperimentsFold()]


@hookimpl
def remit_doctor_checks() -> list[Check]:
    """The toolchains."""
    return [Check("toolchains", "the compilers for units", _toolchains)]


def _toolchains(_progress: Progress) -> Iterator[Trouble]:
    from remit.units.toolchains.build import missing_tools  # noqa: PLC0415 - only the doctor and builds want it

    for cause in missing_tools():
        # Who only runs units needs none.
        yield Trouble("note", cause)
