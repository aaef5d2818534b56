"""Calls on an event loop: the steps of a call, driven by a coroutine instead of a thread that waits.

The steps are the dispatcher's own (:mod:`remit.kernel.dispatch`); here is only how a loop waits for each of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol, runtime_checkable

from remit.journal import Receipt
from remit.kernel.dispatch import Outcome, Run, Steps
from remit.kernel.model import GuestOutcome, Program
from remit.kernel.ports import HostCalls
from remit.sandbox.running.aside import aside

__all__ = ["LoopRunner", "drive"]


@runtime_checkable
class LoopRunner(Protocol):
    """What a :class:`remit.kernel.ports.Runner` offers besides, if its guests can wait on an event loop."""

    async def arun(
        self, program: Program, export: str, arguments: tuple[Any, ...], host: HostCalls, deadline_ms: int
    ) -> GuestOutcome:
        """As :meth:`~remit.kernel.ports.Runner.run`, on the running event loop, which is never blocked for long.

        The door may be called on another thread meanwhile.

        :raises asyncio.CancelledError: if the task is cancelled; the guest is gone then
        """
        ...


async def drive(steps: Steps, runner: LoopRunner) -> Outcome:
    """Take a call through its steps on the running loop.

    :raises asyncio.CancelledError: if the task is cancelled: the guest is gone, and the journal says so
    """
    go: Callable[[Any], Any] = steps.send
    given: Any = None
    while True:
        try:
            step = go(given)
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome
        try:
            given = await _awaited(step, runner)
            go = steps.send
        except BaseException as error:  # noqa: BLE001 - the call answers it: it has to be journalled
            go, given = steps.throw, error


async def _awaited(step: Run | Receipt | Callable[[], Any], runner: LoopRunner) -> GuestOutcome | Any:
    if isinstance(step, tuple):
        return await runner.arun(*step)
    if not isinstance(step, Receipt):
        return await aside(step)
    if not step.done():
        await _answered(step)
    return step.result()


async def _answered(receipt: Receipt) -> None:
    loop, answered = asyncio.get_running_loop(), asyncio.Event()

    def tell() -> None:
        with suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits any more
            loop.call_soon_threadsafe(answered.set)

    receipt.when_done(tell)
    await answered.wait()
