"""Whether the home's kernel answers, for everybody who asks: they need no token, so they share one question."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from remit.errors import RemitError
from remit.host import Facade

__all__ = ["Readiness"]

_PATIENCE_S = 5


class Readiness:
    """Asks the kernel, one question at a time: one that hangs costs one thread, however often is asked meanwhile."""

    def __init__(self, facade: Facade, run: Callable[..., Awaitable[Any]]) -> None:
        """:param run: performs a blocking function off the event loop."""
        self._facade = facade
        self._run = run
        self._question: asyncio.Task[bool] | None = None

    async def ready(self) -> bool:
        """Whether it answers, within five seconds."""
        if self._question is None or self._question.done():
            self._question = asyncio.get_running_loop().create_task(self._ask())
        try:
            return await asyncio.wait_for(asyncio.shield(self._question), timeout=_PATIENCE_S)
        except TimeoutError:
            return False

    async def _ask(self) -> bool:
        try:
            await self._run(self._facade.home)
        except RemitError:  # why not is for those who may read the home
            return False
        return True
