"""Plugins: loading them, asking them, keeping their faults their own."""

from __future__ import annotations

from remit.host.plugging.guarding import GuardedFold
from remit.host.plugging.manager import BLOCKED_BY, ENTRY_POINT, Plugins
from remit.host.plugging.services import ServedCatalog, Services, ServingRunner
from remit.host.plugging.standing import PluginsFold, choice, disabled_in, failure_draft
from remit.host.plugging.status import Failure, PluginStatus
from remit.host.plugging.watching import Observers, around_calls

__all__ = [
    "BLOCKED_BY",
    "ENTRY_POINT",
    "Failure",
    "GuardedFold",
    "Observers",
    "PluginStatus",
    "Plugins",
    "PluginsFold",
    "ServedCatalog",
    "Services",
    "ServingRunner",
    "around_calls",
    "choice",
    "disabled_in",
    "failure_draft",
]
