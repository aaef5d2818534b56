"""Who is told that its tools or prompts changed: sessions that listed them, whenever an apply or a policy did it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Literal, NamedTuple
from weakref import WeakKeyDictionary

import anyio
from anyio.to_thread import run_sync
from mcp.server.session import ServerSession

from remit.errors import RemitError
from remit.host import Caller, Facade, Feed
from remit.journal import GENERATION_TOPICS

__all__ = ["Lists"]

_TOPICS = (*GENERATION_TOPICS, "policy.published", "policy.rolledback")
_TURN_MS = 1_000
_TURNS = 10
"""How long it is looked for what a record changed: a commit is heard a moment before what it decides is in force."""
_PAUSE_S = 1.0
_SEND_S = 5.0


Kind = Literal["tools", "prompts"]


class _Told(NamedTuple):
    caller: Caller
    listed: list[Any]


class Lists:
    """What each session was told of its tools and its prompts, and the watch over both. For one event loop."""

    def __init__(self, facade: Facade) -> None:
        self._facade = facade
        self._told: WeakKeyDictionary[ServerSession, dict[Kind, _Told]] = WeakKeyDictionary()

    def told(self, session: ServerSession, caller: Caller, kind: Kind, listed: Sequence[Any]) -> None:
        """A session was given this list."""
        self._told.setdefault(session, {})[kind] = _Told(caller, list(listed))

    async def watch(self) -> None:
        """Compare and tell, until cancelled. A kernel that goes away is waited for."""
        while True:
            with suppress(RemitError):
                feed = await run_sync(lambda: self._facade.subscribe(*_TOPICS, sources=["kernel"]))
                try:
                    await self._follow(feed)
                finally:
                    with suppress(RemitError):  # it closed before us
                        feed.close()
            await anyio.sleep(_PAUSE_S)

    async def _follow(self, feed: Feed) -> None:
        await self._compare()  # something may have changed before there was a feed
        turns = 0
        while True:
            heard = await run_sync(lambda: feed.receive(wait_ms=_TURN_MS), abandon_on_cancel=True)
            turns = _TURNS if heard.records or heard.missed else turns - 1
            if turns > 0:
                await self._compare()

    async def _compare(self) -> None:
        for session, lists in list(self._told.items()):
            for kind, told in list(lists.items()):
                ask: Callable[..., list[Any]] = self._facade.actions if kind == "tools" else self._facade.prompts
                now = await run_sync(partial(ask, caller=told.caller))
                if now == told.listed:
                    continue
                lists[kind] = _Told(told.caller, now)
                tell = session.send_tool_list_changed if kind == "tools" else session.send_prompt_list_changed
                with anyio.move_on_after(_SEND_S), suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):
                    await tell()
