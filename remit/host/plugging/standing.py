"""Which plugins the journal keeps off: those an operator disabled, and those that failed too often.

The journal is the truth; ``[plugin] disable`` in ``remit.toml`` and the environment come on top.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from remit.host.plugging.manager import FAILED_TOO_OFTEN, IN_CONFIG
from remit.host.plugging.status import Failure
from remit.journal import Draft, Folds, Journal, Record

__all__ = ["PluginsFold", "choice", "disabled_in", "failure_draft"]

_NAME = "plugins"
_decode = msgspec.json.Decoder(dict[str, str]).decode


class PluginsFold:
    """The read model ``plugins``: why each plugin is off, by name."""

    name: str = _NAME
    version: int = 1
    topics: tuple[str, ...] = ("plugin.",)

    def init(self) -> dict[str, str]:
        """Every plugin is on."""
        return {}

    def apply(self, state: dict[str, str], records: Sequence[Record], data: Callable[[Record], Any]) -> dict[str, str]:
        """After ``plugin.disabled``, ``plugin.enabled``, and the failure that was one too many."""
        state = dict(state)
        for record in records:
            if not record.from_kernel:
                continue
            plugin = record.event.subject
            if record.event.type == "plugin.enabled":
                state.pop(plugin, None)
            elif record.event.type == "plugin.disabled":
                state[plugin] = f"{data(record)['by']} disabled it"
            elif record.event.type == "plugin.failed" and data(record).get("disabled"):
                state[plugin] = f"{FAILED_TOO_OFTEN}, last in {data(record)['hook']}"
        return state

    def snapshot(self, state: dict[str, str]) -> bytes:
        """As JSON."""
        return msgspec.json.encode(state)

    def restore(self, data: bytes) -> dict[str, str]:
        """From JSON."""
        return _decode(data)

    def view(self, state: dict[str, str]) -> object:
        """Reasons by name."""
        return state


def disabled_in(journal: Journal, configured: Sequence[str]) -> Mapping[str, str]:
    """Why plugins are off in a home, by name, before any of them is imported."""
    found: dict[str, str] = dict(Folds(journal, [PluginsFold()]).state(_NAME))
    return found | dict.fromkeys(configured, IN_CONFIG)


def choice(name: str, *, on: bool, by: str) -> Draft:
    """What the journal says of an operator's choice."""
    return Draft(type="plugin.enabled" if on else "plugin.disabled", subject=name, data={"by": by})


def failure_draft(failure: Failure) -> Draft:
    """What the journal says of a failure."""
    return Draft(type="plugin.failed", subject=failure.plugin, data=msgspec.to_builtins(failure))
