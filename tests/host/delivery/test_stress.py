"""Twenty producers over ten topics: every durable subscriber hears of everything, by id, whoever is slow or stuck.

``REMIT_SOAK=N`` emits N times as much: ten for a soak, a few thousand for an hour. How fast it goes is measured in
``benchmarks/bus.py``.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from pathlib import Path

import pytest

from remit.host import Kernel, verify_journal

SOAK = int(os.environ.get("REMIT_SOAK", "1"))
PRODUCERS, TOPICS, WORKERS = 20, 10, 3
EACH = 500 * SOAK
"""Events of one producer."""
MOST_GROWTH = 64 << 20
"""Bytes that the process may grow by in the second half."""
REACTION = "acme/react:job.made"
PATIENCE_S = 250 * SOAK


def topic_of(number):
    return "job.made" if number % TOPICS == 0 else f"load.t{number % TOPICS}"


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Load:
    """Producers and workers of one kernel, and what they saw."""

    def __init__(self, kernel):
        self.kernel = kernel
        self.emitted = [[] for _ in range(PRODUCERS)]
        self.worked = {name: Counter() for name in ("all", "some")}
        self.heard = Counter()
        self.errors = []
        self.done = threading.Event()
        self.sizes = []

    def produce(self, number):
        for count in range(EACH):
            record = self.kernel.emit(topic_of(number + count), f"x-{number}-{count}")
            self.emitted[number].append((record["event"]["id"], record["event"]["type"]))
            if number == 0 and count in {EACH // 2, EACH - 1}:
                self.sizes.append(resident())

    def work(self, name, *topics):
        jobs = self.kernel.jobs(name, *topics, prefixes=() if topics else ("load.", "job."), after=0, lease_ms=60_000)
        seen = self.worked[name]
        while taken := jobs.take(200, wait_ms=100) or not self.done.is_set():
            if taken is not True:
                for job in taken:
                    seen[job.record["event"]["id"]] += 1
                assert jobs.settle([job.answer("ack") for job in taken]) == []

    def listen(self, feed):
        while not self.done.is_set():
            heard = feed.receive(wait_ms=50)
            self.heard["records"] += len(heard.records)
            self.heard["missed"] += heard.missed

    def run(self, work, *arguments):
        def guarded():
            try:
                work(*arguments)
            except BaseException as error:
                self.errors.append(error)
                raise

        thread = threading.Thread(target=guarded, daemon=True)
        thread.start()
        return thread


def join(threads):
    for thread in threads:
        thread.join(PATIENCE_S)
        assert not thread.is_alive(), "nothing waits for ever"


@pytest.mark.timeout(300 * SOAK)
def test_nothing_is_lost_under_load(react_home):
    with Kernel.open(react_home, serve=False) as kernel:
        load = Load(kernel)
        with kernel.subscribe(prefixes=["load."], capacity=100_000) as quick, kernel.subscribe(capacity=10) as stuck:
            listener = load.run(load.listen, quick)
            workers = [load.run(load.work, "all") for _ in range(WORKERS)]
            workers.append(load.run(load.work, "some", "load.t3"))
            join([load.run(load.produce, number) for number in range(PRODUCERS)])
            pause = threading.Event()
            for _ in range(100 * PATIENCE_S):
                if not any(one["lag"] or one["waiting"] or one["running"] for one in kernel.subscriptions()):
                    break
                pause.wait(0.01)
            load.done.set()
            join([*workers, listener])
            assert stuck.receive(wait_ms=0).missed > 0
        emitted = dict(pair for pairs in load.emitted for pair in pairs)
        assert load.errors == []
        assert len(emitted) == PRODUCERS * EACH
        assert load.worked["all"] == Counter(emitted.keys()), "each id once: nobody was killed, no lease ran out"
        assert load.worked["some"] == Counter(one for one, topic in emitted.items() if topic == "load.t3")
        made = [one for one, topic in emitted.items() if topic == "job.made"]
        status = {one["name"]: one for one in kernel.subscriptions()}
        assert (status[REACTION]["delivered"], status[REACTION]["dead"]) == (len(made), 0)
        assert load.heard["records"] + load.heard["missed"] == len(emitted) - len(made)
        assert kernel.events(prefixes=["bus.lagged"], limit=1), "who was too slow is told"
        queues = kernel._rooms.queues.all()
        assert all(not queue._window and not queue.state.retrying for queue in queues)
        assert all(len(queue.state.done) <= 1_000 for queue in queues), "what ended out of turn is bounded"
        assert load.sizes[1] - load.sizes[0] < MOST_GROWTH
    verify_journal(react_home)
