from __future__ import annotations

import asyncio

import pytest

from remit.errors import KernelUnreachable
from remit.plugins.http.readiness import Readiness


class Home:
    """A kernel that answers when it is let, or with an error."""

    def __init__(self):
        self.asked = 0
        self.error = None
        self.let = asyncio.Event()

    def home(self):
        if self.error is not None:
            raise self.error

    async def run(self, work):
        self.asked += 1
        await self.let.wait()
        return work()


@pytest.fixture
def _hasty(monkeypatch):
    monkeypatch.setattr("remit.plugins.http.readiness._PATIENCE_S", 0.01)


def in_loop(asked):
    async def made():
        home = Home()
        return await asked(home, Readiness(home, home.run))

    return asyncio.run(made())


def test_who_asks_at_once_shares_one_question():
    async def asked(home, readiness):
        asking = [asyncio.create_task(readiness.ready()) for _ in range(100)]
        await asyncio.sleep(0)
        home.let.set()
        return await asyncio.gather(*asking), home.asked

    assert in_loop(asked) == ([True] * 100, 1)


@pytest.mark.usefixtures("_hasty")
def test_a_kernel_that_hangs_is_not_ready_and_takes_one_thread():
    async def asked(home, readiness):
        return [await readiness.ready() for _ in range(3)], home.asked

    assert in_loop(asked) == ([False] * 3, 1)


@pytest.mark.usefixtures("_hasty")
def test_a_kernel_that_answers_again_is_ready_again():
    async def asked(home, readiness):
        before = await readiness.ready()
        home.let.set()
        return before, await readiness.ready(), await readiness.ready()

    assert in_loop(asked) == (False, True, True)


def test_a_kernel_that_cannot_be_reached_is_not_ready():
    async def asked(home, readiness):
        home.error = KernelUnreachable("gone")
        home.let.set()
        return await readiness.ready()

    assert in_loop(asked) is False
