"""Twenty agents at a home that is served: ten thousand events a minute, steadily, and nothing grows or gets lost.

Ten seconds by default; ``REMIT_SOAK=10`` goes on for an hour.
"""

from __future__ import annotations

import os
import threading
import time
from array import array
from collections import Counter

import pytest

from remit.host import Client, Home, verify_journal
from tests.live.server import Agent, RefusedError

SOAK = int(os.environ.get("REMIT_SOAK", "1"))
SECONDS = 10 if SOAK == 1 else 360 * SOAK
AGENTS = 20
A_MINUTE = 10_000
EVERY_S = 60 / A_MINUTE * AGENTS
"""Between two events of one agent."""
CALL_EVERY = 10
WORKERS = 2
SAMPLES = 240
MOST_ERRORS = 0.02
MOST_P99_S = 0.2
MOST_GROWTH = 32 << 20
"""Bytes that the server may grow by in an hour, once it has run for a quarter of the time."""
PATIENCE_S = 300


class Load:
    """Agents that ask at their pace, workers that work, and what they saw."""

    def __init__(self, server, home, tokens):
        self.server, self.home = server, home
        self.agents = [Agent(server, token) for token in tokens]
        self.acknowledged = [[] for _ in tokens]
        self.waits = array("f")
        self.worked = Counter()
        self.seen = set()
        self.refused = []
        self.failed = []
        self.sizes = []
        self.ended = threading.Event()
        self.began = time.monotonic()

    def act(self, number):
        """Emit at each due moment, late or not: how long an answer took counts from when it was due."""
        agent, count = self.agents[number], 0
        due = self.began + EVERY_S * number / AGENTS
        while due < self.began + SECONDS:
            time.sleep(max(0.0, due - time.monotonic()))
            self.ask(due, self.emit, agent, number, count)
            if count % CALL_EVERY == 0:
                self.ask(time.monotonic(), agent.post, "/actions/acme/echo/echo", {"count": count})
            count, due = count + 1, due + EVERY_S
        agent.close()

    def ask(self, since, work, *arguments):
        try:
            work(*arguments)
        except RefusedError as error:
            self.refused.append(str(error))
        self.waits.append(time.monotonic() - since)

    def emit(self, agent, number, count):
        turn = number + count
        topic = "job.made" if turn % 10 == 0 else f"load.t{turn % 10}"
        self.acknowledged[number].append((agent.emit(topic, f"x-{number}-{count}"), topic))

    def work(self):
        with Client(Home.open(self.home)) as kernel:
            jobs = kernel.jobs("soak", prefixes=["load.", "job."], after=0, lease_ms=60_000)
            while (taken := jobs.take(100, wait_ms=200)) or not self.ended.is_set():
                for job in taken:
                    self.worked[job.record["event"]["id"]] += 1
                if taken:
                    assert jobs.settle([job.answer("ack") for job in taken]) == []

    def look_on(self, onlooker):
        for record in onlooker.follow("load."):
            self.seen.add(record["event"]["id"])

    def see(self, wanted):
        """Wait until who looks on has seen all of these."""
        pause = threading.Event()
        for _ in range(PATIENCE_S * 10):
            if self.seen >= wanted:
                return
            pause.wait(0.1)
        raise AssertionError(f"{len(wanted - self.seen)} were not seen")

    def watch(self):
        while not self.ended.wait(SECONDS / SAMPLES):
            self.sizes.append((time.monotonic() - self.began, self.server.resident()))

    def run(self, work, *arguments):
        def guarded():
            try:
                work(*arguments)
            except BaseException as error:
                self.failed.append(error)
                raise

        thread = threading.Thread(target=guarded, daemon=True)
        thread.start()
        return thread


def growth_an_hour(sizes):
    """Bytes an hour by least squares, without the first quarter of the samples."""
    rest = sizes[len(sizes) // 4 :]
    middle = sum(when for when, _ in rest) / len(rest)
    mean = sum(size for _, size in rest) / len(rest)
    spread = sum((when - middle) ** 2 for when, _ in rest)
    return 3600 * sum((when - middle) * (size - mean) for when, size in rest) / spread


def settled(kernel):
    """Wait until every durable subscription has caught up; gives them by name."""
    pause = threading.Event()
    for _ in range(PATIENCE_S * 10):
        found = kernel.subscriptions()
        if not any(one["lag"] or one["waiting"] or one["running"] for one in found):
            return {one["name"]: one for one in found}
        pause.wait(0.1)
    raise AssertionError(found)


def ended(threads, patience=PATIENCE_S):
    for thread in threads:
        thread.join(patience)
        assert not thread.is_alive(), "nothing waits for ever"


@pytest.mark.timeout(SECONDS + 2 * PATIENCE_S)
def test_a_served_home_holds_the_pace_of_twenty_agents(busy_home, server, record_property):
    home, tokens, looking = busy_home
    server.start()
    load = Load(server, home, tokens)
    workers = [load.run(load.work) for _ in range(WORKERS)]
    workers += [load.run(load.watch), load.run(load.look_on, Agent(server, looking))]
    ended([load.run(load.act, number) for number in range(AGENTS)], SECONDS + PATIENCE_S)
    took = time.monotonic() - load.began
    with Client(Home.open(home)) as kernel:
        subscriptions = settled(kernel)
    emitted = dict(pair for pairs in load.acknowledged for pair in pairs)
    load.see({one for one, topic in emitted.items() if topic.startswith("load.")})
    load.ended.set()
    waits = sorted(load.waits)
    p99 = waits[int(len(waits) * 0.99)]
    growth = growth_an_hour(load.sizes)
    record_property("events acknowledged", len(emitted))
    record_property("seconds of load", round(took))
    record_property("requests refused", len(load.refused))
    record_property("p50 / p99 / longest answer, ms", " / ".join(
        f"{1000 * wait:.0f}" for wait in (waits[len(waits) // 2], p99, waits[-1])
    ))  # fmt: skip
    record_property("server's memory in MiB at a quarter and at the end", " / ".join(
        f"{size / 2**20:.0f}" for _, size in (load.sizes[len(load.sizes) // 4], load.sizes[-1])
    ))  # fmt: skip
    record_property("slope of it, MiB an hour", f"{growth / 2**20:.1f}")
    ended(workers[:WORKERS])
    assert server.stop() == 0
    ended(workers)
    assert load.failed == []
    assert len(load.refused) < MOST_ERRORS * len(waits), load.refused[:5]
    assert len(emitted) >= (1 - MOST_ERRORS) * A_MINUTE / 60 * SECONDS
    assert load.worked.keys() >= emitted.keys(), "whatever was acknowledged was worked on"
    assert subscriptions["soak"]["dead"] == 0
    reaction = subscriptions["acme/react:job.made"]
    assert reaction["delivered"] >= sum(topic == "job.made" for topic in emitted.values())
    assert reaction["dead"] == 0
    if SOAK > 1:  # a figure of ten seconds says something about the machine
        assert p99 < MOST_P99_S
        assert growth < MOST_GROWTH
    verify_journal(home)
