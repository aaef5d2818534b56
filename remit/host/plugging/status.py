"""What is known of each plugin: where it comes from, whether it is off and why, what it cost, how it failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from typing import Literal

import msgspec

from remit.host.plugging.inline import Inline
from remit.host.plugging.worker import Worker

__all__ = ["Failure", "PluginStatus", "Seat", "distribution_of"]

_NS_PER_MS = 1_000_000


class Failure(msgspec.Struct, frozen=True):
    """One failing hook of one plugin."""

    plugin: str
    hook: str
    error: str
    version: str = ""
    disabled: bool = False
    """Whether this was the failure too many."""


class PluginStatus(msgspec.Struct, frozen=True):
    """A plugin as administrators see it."""

    name: str
    version: str
    origin: str
    """``built in``, ``registered`` by the embedding program, or the distribution that it comes with."""
    state: Literal["active", "off", "broken"]
    reason: str
    """Why it is off, or ""."""
    hooks: list[str]
    """What it implements; empty where it was not imported."""
    spent_ms: float
    """Wall-clock time in its hooks since the kernel started."""
    failures: list[Failure]
    inline: bool = False
    """Whether its middleware runs where it is called, as ``[plugin] inline`` says and it has not lost by being late."""


@dataclass
class Seat:
    """One plugin's place in the manager."""

    name: str
    origin: str
    version: str = ""
    builtin: bool = False
    inline: Inline | None = None
    """Runs its middleware, where the operator has it run on the caller's thread."""
    off: str = ""
    """Why it gets no hooks, or ""."""
    broken: bool = False
    failures: int = 0
    spent_ns: int = 0

    @cached_property
    def worker(self) -> Worker:
        """The plugin's own thread, made when first needed."""
        return Worker(self.name)

    def beside(self, doing: str) -> Worker:
        """A thread for one thing that the plugin's hooks must not wait for: a download, a read model."""
        return self._beside.setdefault(doing, Worker(f"{self.name}-{doing}"))

    @cached_property
    def _beside(self) -> dict[str, Worker]:
        return {}

    def close(self) -> None:
        """Let the threads end, if there are any."""
        if "worker" in vars(self):
            self.worker.close()
        for worker in self._beside.values():
            worker.close()

    def status(self, hooks: list[str], failures: Sequence[Failure]) -> PluginStatus:
        """The plugin as administrators see it."""
        return PluginStatus(
            name=self.name,
            version=self.version,
            origin=self.origin,
            state="off" if self.off else "broken" if self.broken else "active",
            reason=self.off,
            hooks=hooks,
            spent_ms=round(self.spent_ns / _NS_PER_MS, 3),
            failures=[failure for failure in failures if failure.plugin == self.name],
            inline=self.inline is not None and not self.inline.lost,
        )


def distribution_of(point: metadata.EntryPoint) -> tuple[str, str]:
    """Name and version of the distribution that an entry point comes with, from its metadata alone."""
    distribution = getattr(point, "dist", None)
    if distribution is None:
        return "", ""
    return str(distribution.name), str(distribution.version)
