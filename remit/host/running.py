"""Joins the runners of a home: components go to the sandbox, native code to its own runner, as the manifest says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any

from remit.host.looping import LoopRunner
from remit.journal import Progress, no_progress
from remit.kernel.model import Exported, GuestOutcome, Program
from remit.kernel.ports import HostCalls, Runner
from remit.sandbox.running.aside import aside

__all__ = ["JoinedRunner"]


class JoinedRunner:
    """One :class:`remit.kernel.ports.Runner` before two."""

    def __init__(self, components: Runner, natives: Runner) -> None:
        self._components = components
        self._natives = natives
        self._looping = components if isinstance(components, LoopRunner) else None
        self.entries = components.entries
        self.clear = components.clear

    def _of(self, native: str) -> Runner:
        return self._natives if native else self._components

    def interfaces(
        self, component: bytes, progress: Progress = no_progress, *, native: str = ""
    ) -> tuple[frozenset[str], frozenset[str]]:
        """See :class:`remit.kernel.ports.Runner`, here and below."""
        return self._of(native).interfaces(component, progress, native=native)

    def functions(self, component: bytes, progress: Progress = no_progress) -> Mapping[str, Exported]:
        """Of components: native code speaks our world."""
        return self._components.functions(component, progress)

    def prepare(
        self, artifact: str, load: Callable[[], bytes], progress: Progress = no_progress, *,
        metered: bool = False, native: str = "",
    ) -> None:  # fmt: skip
        """Have the runner in charge prepare."""
        self._of(native).prepare(artifact, load, progress, metered=metered, native=native)

    def run(
        self, program: Program, export: str, arguments: tuple[Any, ...], host: HostCalls, deadline_ms: int
    ) -> GuestOutcome:
        """Have the runner in charge run it."""
        return self._of(program.native).run(program, export, arguments, host, deadline_ms)

    async def arun(
        self, program: Program, export: str, arguments: tuple[Any, ...], host: HostCalls, deadline_ms: int
    ) -> GuestOutcome:
        """See :class:`remit.host.looping.LoopRunner`: what cannot wait on a loop has a thread wait."""
        if self._looping is not None and not program.native:
            return await self._looping.arun(program, export, arguments, host, deadline_ms)
        run = partial(self.run, program, export, arguments, host, deadline_ms)
        return await aside(run, cancel=partial(self.cancel, host))

    def cancel(self, host: HostCalls) -> None:
        """Stop the call with this door, wherever it runs or will."""
        self._components.cancel(host)
        self._natives.cancel(host)

    def close(self) -> None:
        """Release everything."""
        with ExitStack() as closing:
            closing.callback(self._components.close)
            closing.callback(self._natives.close)
