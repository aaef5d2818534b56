"""Models that are no folds: what the journal holds, looked at from this machine and with ``remit.toml`` as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from remit.units.planning.runtimes import runtime_matrix

if TYPE_CHECKING:
    from remit.host.compose import Rooms

__all__ = ["PRESENT", "present"]

PRESENT = ("runtime_matrix",)
"""Their names."""


def present(rooms: Rooms, at: int | None) -> list[dict[str, Any]]:
    """``runtime_matrix``: what was installed as of a record, against this runtime."""
    folds, lifecycle = rooms.folds, rooms.lifecycle
    installed = lifecycle.installed if at is None else folds.at("logic_units", at)
    return runtime_matrix(installed, lifecycle.library, lifecycle.runtime, rooms.home.reload().incompatible)
