"""Plugins: loading them, asking them, keeping their faults their own."""

from __future__ import annotations

from remit.host.plugging.manager import BLOCKED_BY, ENTRY_POINT, Plugins
from remit.host.plugging.status import Failure, PluginStatus

__all__ = ["BLOCKED_BY", "ENTRY_POINT", "Failure", "PluginStatus", "Plugins"]
