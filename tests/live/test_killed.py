"""The server is killed in the middle of load, again and again: nothing that it acknowledged is lost.

``REMIT_SOAK=10`` kills it fifty times. ``tests/host/delivery/test_chaos.py`` kills a kernel without a service so.
"""

from __future__ import annotations

import os
import random
import threading

import pytest

from remit.errors import RemitError
from remit.host import Client, Home, verify_journal
from tests.live.server import Agent, RefusedError

SOAK = int(os.environ.get("REMIT_SOAK", "1"))
KILLS = 5 * SOAK
PRODUCERS = 4
REACTION = "acme/react:job.made"
PATIENCE_S = 120


class Load:
    """Producers and a worker that go on until the server is gone, and what they were told."""

    def __init__(self, server, home, tokens, name):
        self.server, self.home, self.name = server, home, name
        self.acknowledged = [{} for _ in tokens]
        self.settled = set()
        self.threads = [threading.Thread(target=self.produce, args=one) for one in enumerate(tokens)]
        self.threads.append(threading.Thread(target=self.work))

    def produce(self, number, token):
        agent, told = Agent(self.server, token), self.acknowledged[number]
        try:
            for count in range(100_000):
                word = f"x-{self.name}-{number}-{count}"
                told[agent.emit("job.made", word, key=word if count % 7 == 0 else "")] = word
        except RefusedError:
            return
        finally:
            agent.close()

    def work(self):
        try:
            with Client(Home.open(self.home)) as kernel:
                for job in kernel.jobs("worker", "job.made", after=0, lease_ms=2_000):
                    if job.ack():
                        self.settled.add(job.record["event"]["id"])
        except (RemitError, OSError):
            return

    def until_killed(self, most):
        """Load until about so many acknowledgements, then kill the server; gives what was acknowledged."""
        pause = threading.Event()
        for thread in self.threads:
            thread.start()
        while sum(map(len, self.acknowledged)) < most and any(thread.is_alive() for thread in self.threads[:-1]):
            pause.wait(0.001)
        self.server.kill()
        for thread in self.threads:
            thread.join(PATIENCE_S)
            assert not thread.is_alive(), "nothing waits for ever"
        return {one: word for told in self.acknowledged for one, word in told.items()}


def everything(kernel, prefix):
    found, after = [], 0
    while page := kernel.events(after, prefixes=[prefix], limit=10_000):
        found, after = found + page, page[-1]["seq"]
    return found


def settle(kernel):
    """Do the jobs that wait, until every durable subscription has caught up; gives them by name."""
    jobs, pause = kernel.jobs("worker", "job.made"), threading.Event()
    for _ in range(PATIENCE_S * 100):
        found = kernel.subscriptions()
        if not any(one["lag"] or one["waiting"] or one["running"] for one in found):
            return {one["name"]: one for one in found}
        if taken := jobs.take(1_000, wait_ms=0):
            jobs.settle([job.answer("ack") for job in taken])
        pause.wait(0.01)
    raise AssertionError(found)


@pytest.mark.timeout(300 * SOAK)
def test_a_server_that_is_killed_in_the_middle_of_load_loses_nothing(busy_home, server, record_property):
    home, tokens, _ = busy_home
    chance, acknowledged, done, rounds = random.Random(11), {}, set(), 0
    server.start()
    with Client(Home.open(home)) as kernel:
        kernel.jobs("worker", "job.made", after=0)
    for number in range(KILLS):
        load = Load(server, home, tokens[:PRODUCERS], number)
        acknowledged |= load.until_killed(chance.randint(20, 200))
        done |= load.settled
        verify_journal(home)
        server.start()
        with Client(Home.open(home)) as kernel:
            emitted = {one["event"]["id"]: one["event"]["data"] for one in everything(kernel, "job.made")}
            assert acknowledged.keys() <= emitted.keys(), "every acknowledged event is there"
            assert done <= emitted.keys()
            if number % 2:  # in the other rounds what was left over is left over once more
                continue
            status, rounds = settle(kernel), rounds + 1
            heard = {one["event"]["data"] for one in everything(kernel, "react.heard")}
            assert set(acknowledged.values()) <= heard, "each durable reaction has run"
            assert set(emitted.values()) == heard
            assert [status[name]["delivered"] for name in (REACTION, "worker")] == [len(emitted)] * 2, (
                "and settled once"
            )
            assert status[REACTION]["dead"] == 0
    record_property("kills of the server", KILLS)
    record_property("events acknowledged", len(acknowledged))
    record_property("rounds whose reactions were counted by id", rounds)
    assert server.stop() == 0
    verify_journal(home)
