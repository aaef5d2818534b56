"""Whoever listed the tools is told when they changed, however late the change is in force after its record."""

from __future__ import annotations

from types import SimpleNamespace

import anyio
import pytest

from remit.host import Caller
from remit.plugins.mcp.changes import Lists

CALLER = Caller()


class Session:
    """One that listed the tools."""

    def __init__(self):
        self.told = anyio.Event()

    async def send_tool_list_changed(self):
        self.told.set()


class Home:
    """A home that says at once that something was applied, and lists it only when it was asked so many times."""

    def __init__(self, late):
        self.heard = [SimpleNamespace(records=["applied"], missed=0)]
        self.asked, self.late = 0, late

    def subscribe(self, *_topics, sources):
        assert sources == ["kernel"]
        return SimpleNamespace(receive=self.receive, close=lambda: None)

    def receive(self, wait_ms):
        assert wait_ms > 0
        return self.heard.pop() if self.heard else SimpleNamespace(records=[], missed=0)

    def actions(self, caller):
        assert caller == CALLER
        self.asked += 1
        return ["old", "new"] if self.asked > self.late else ["old"]


@pytest.mark.parametrize("late", [0, 1, 2, 5])
def test_a_change_is_told_though_its_record_is_heard_first(late):
    async def main():
        lists, session = Lists(Home(late)), Session()
        lists.told(session, CALLER, "tools", ["old"])
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lists.watch)
            with anyio.move_on_after(20):
                await session.told.wait()
            tasks.cancel_scope.cancel()
        assert session.told.is_set()

    anyio.run(main)
