"""Blocking work of a task, beside its event loop: when the task is cancelled, the work is stopped and waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

__all__ = ["aside"]

T = TypeVar("T")


def _let_it() -> None:
    """The work ends by itself."""


async def aside(work: Callable[[], T], *, pool: Executor | None = None, cancel: Callable[[], None] = _let_it) -> T:
    """What ``work`` gives on a thread, the loop's own pool where none is named.

    :param cancel: has the work end soon
    :raises asyncio.CancelledError: if the task is cancelled, once the work has ended
    """
    future = asyncio.get_running_loop().run_in_executor(pool, work)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        cancel()
        await asyncio.wait([future])
        if not future.cancelled():
            future.exception()  # heard: the task was cancelled, whatever it is
        raise
