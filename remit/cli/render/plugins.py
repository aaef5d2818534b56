"""The plugins of a kernel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from remit.cli.render.layout import cell, table

__all__ = ["plugin_list"]

_STYLES = {"active": "green", "off": "yellow", "broken": "red"}


def plugin_list(plugins: Sequence[Any]) -> Iterator[RenderableType]:
    """A row for each plugin, and a line for each one's last failure."""
    shown = table("plugin", "version", "from", "state", "hooks", "ms", "failures")
    for plugin in plugins:
        inline = ", inline" if plugin.inline and plugin.state == "active" else ""
        state = Text(plugin.state + inline, style=_STYLES[plugin.state])
        known = [cell(text) for text in (plugin.name, plugin.version, plugin.origin)]
        shown.add_row(*known, state, str(len(plugin.hooks)), f"{plugin.spent_ms:.1f}", str(len(plugin.failures)))
    yield shown
    for plugin in plugins:
        if plugin.reason:
            yield cell(f"{plugin.name} is off: {plugin.reason}", "yellow")
        for failure in plugin.failures[-1:]:
            yield cell(f"{plugin.name} failed in {failure.hook}: {failure.error}", "red")
