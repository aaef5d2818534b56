"""The commands that plugins bring, asked without a home: a command decides by itself which home it is about."""

from __future__ import annotations

from typing import Any

from remit.host.plugging.manager import Plugins
from remit.host.plugging.status import Failure

__all__ = ["plugin_commands"]


def plugin_commands(kind: type[Any]) -> tuple[list[tuple[str, Any]], list[Failure]]:
    """Every third party's commands, each with its plugin, and what failed. The environment's block holds here too."""
    plugins = Plugins(())
    return plugins.offers("remit_commands", kind), plugins.failures
