"""Events as they happen, as server-sent events (WHATWG HTML 9.2): each follower at its own pace, from where it was.

One watcher waits for the journal and wakes the followers; each reads by its own cursor, so a slow one delays nobody and
loses nothing. A follower that stops reading is cut off, and goes on with ``Last-Event-ID``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import msgspec

from remit.errors import RemitError
from remit.host import Facade, StateAt, StateChange, changes_of, whole
from remit.kernel.model import Caller

__all__ = ["Watcher", "deltas", "frames"]

Run = Callable[..., Awaitable[Any]]
_PAGE = 1_000
_WAIT_MS = 250
"""How long is waited for one record: who asks meanwhile for an earlier one may have to wait as long."""
_PAUSE_S = 0.5
_SETTLE_S = 0.1


class Watcher:
    """Tells followers that the journal has grown. Where nobody follows, nothing is done."""

    def __init__(self, facade: Facade, run: Run) -> None:
        """:param run: performs a blocking function off the event loop."""
        self._facade = facade
        self._run = run
        self._grown = asyncio.Condition()
        self._asked: list[int] = []
        """After which records those who wait want to hear of one."""
        self._wanted = asyncio.Event()
        self._head = 0
        """A record that there is, for sure."""
        self.stopping = False

    async def watch(self) -> None:
        """Wait for records until cancelled."""
        while True:
            await self._wanted.wait()
            if not self._asked:
                self._wanted.clear()
                continue
            after = min(self._asked)
            try:
                found = await self._run(partial(self._facade.events, after, limit=1, wait_ms=_WAIT_MS))
            except RemitError:  # the kernel is closing or moving: followers wait, the next turn asks again
                await asyncio.sleep(_PAUSE_S)
                continue
            if found:
                async with self._grown:
                    self._head = max(self._head, found[0]["seq"])
                    self._grown.notify_all()

    async def beyond(self, seq: int) -> None:
        """Return when there is a record after ``seq``, or the service stops."""
        self._asked.append(seq)
        self._wanted.set()
        try:
            async with self._grown:
                await self._grown.wait_for(lambda: self._head > seq or self.stopping)
        finally:
            self._asked.remove(seq)

    async def stop(self) -> None:
        """Let every follower end."""
        async with self._grown:
            self.stopping = True
            self._grown.notify_all()


async def frames(
    watcher: Watcher, facade: Facade, run: Run, after: int, prefixes: tuple[str, ...], caller: Caller, *, named: bool
) -> AsyncIterator[bytes]:
    """Records after ``after`` for ever, as frames of an event stream, a page at a time.

    Each page is asked for on the caller's behalf: who loses the right to read is cut off at the next record.

    :param named: whether a frame's event is its topic; a browser's ``EventSource`` hears all of those without a name
    """
    yield b": remit\n\n"
    while not watcher.stopping:
        page = await run(lambda: facade.events(after, limit=_PAGE, caller=caller))  # noqa: B023 - awaited at once
        if not page:
            await watcher.beyond(after)
            continue
        after = page[-1]["seq"]
        wanted = [record for record in page if record["event"]["type"].startswith(prefixes)]
        if wanted:
            yield b"".join(_frame(record, named=named) for record in wanted)


def _frame(record: dict[str, Any], *, named: bool) -> bytes:
    # msgspec's JSON has no line breaks in it, so one data line holds it whole.
    name = f"event: {record['event']['type']}\n" if named else ""
    return f"id: {record['seq']}\n{name}data: ".encode() + msgspec.json.encode(record) + b"\n\n"


async def deltas(
    watcher: Watcher, facade: Facade, run: Run, model: str, known: StateAt | None, caller: Caller
) -> AsyncIterator[bytes]:
    """A read model's changes for ever, as frames of an event stream: each a JSON Patch to the value told before.

    :param known: what the client has; ``None`` makes the first frame tell the whole
    """
    if known is None:
        known = await run(lambda: facade.latest(model, caller=caller))
        yield _change(StateChange(known.seq, whole(known.value)))
    while not watcher.stopping:
        await watcher.beyond(known.seq)
        before, known = known, await run(lambda: facade.latest(model, caller=caller))
        if patch := await run(partial(changes_of, before.value, known.value)):
            yield _change(StateChange(known.seq, patch))
        await asyncio.sleep(_SETTLE_S)  # a busy journal changes a model many times a second: they are told together


def _change(change: StateChange) -> bytes:
    return f"id: {change.seq}\nevent: state\ndata: ".encode() + msgspec.json.encode(change) + b"\n\n"
