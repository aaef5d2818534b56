"""Twenty producers, each a thousand events a second, twenty thousand in total: every durable subscriber has every one.

Three seconds by default, a minute with ``REMIT_SOAK=10``. Each producer emits one event every millisecond. It does not
wait for the disk before the next: twenty who did would write twenty events in the time of one sync, and no more. It may
have ``WINDOW`` events on their way, and an event counts as emitted once its record is back from the disk.
``test_stress.py`` waits for each event, as fast as that goes.
"""

from __future__ import annotations

import os
import threading
import time
from array import array
from collections import deque
from pathlib import Path

import pytest

from remit.host import Kernel, verify_journal

SOAK = int(os.environ.get("REMIT_SOAK", "1"))
SECONDS = 3 if SOAK == 1 else 6 * SOAK
PRODUCERS, EACH_S, TOPICS, WORKERS = 20, 1_000, 10, 2
WINDOW = 200
"""Events of one producer that may be on their way: a fifth of a second of them."""
LINGER_MS = 50
"""How long a worker gathers jobs: twenty times a second it takes a thousand."""
REACTED_EVERY = 200
"""One of so many events is one that a unit reacts to."""
EVERY_S = 1 / EACH_S
EACH = SECONDS * EACH_S
MOST_GROWTH = 64 << 20
"""Bytes that the process may grow by in the second half, what the test itself writes down not counted."""
HELD = 0.95
REACTION = "acme/react:job.made"
PATIENCE_S = 120 + 10 * SECONDS


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def short(record):
    """An id as a number: a million of them are to fit."""
    return hash(record["event"]["id"])


class Load:
    """Producers and workers of one kernel, and what they saw."""

    def __init__(self, kernel):
        self.kernel = kernel
        self.emitted = [array("q") for _ in range(PRODUCERS)]
        self.single = [array("q") for _ in range(PRODUCERS)]
        self.late = [array("d") for _ in range(PRODUCERS)]
        self.worked = {"all": array("q"), "one": array("q")}
        self.reacted = [0] * PRODUCERS
        self.done = threading.Event()
        self.sizes = []
        self.failed = []
        self.lock = threading.Lock()

    def produce(self, number):
        underway = deque()
        began = time.monotonic() + number * EVERY_S / PRODUCERS
        for count in range(EACH):
            due = began + count * EVERY_S
            if (early := due - time.monotonic()) > 0:
                time.sleep(early)
            underway.append((due, self.kernel.emit_soon(*self.said(number, count))))
            while underway and (len(underway) > WINDOW or underway[0][1].done()):
                self.note(number, *underway.popleft())
            if number == 0 and count in {EACH // 2, EACH - 1}:
                self.sizes.append(resident() - self.kept())
        for due, emitted in underway:
            self.note(number, due, emitted)

    def note(self, number, due, emitted):
        record = emitted.record()
        self.late[number].append(time.monotonic() - due)
        self.emitted[number].append(short(record))
        if record["event"]["type"] == "load.t3":
            self.single[number].append(short(record))
        elif record["event"]["type"] == "job.made":
            self.reacted[number] += 1

    def said(self, number, count):
        topic = "job.made" if count % REACTED_EVERY == 0 else f"load.t{(number + count) % TOPICS}"
        return topic, f"x-{number}-{count}"

    def kept(self):
        kept = [*self.emitted, *self.worked.values(), *self.single, *self.late]
        return sum(one.buffer_info()[1] * one.itemsize for one in kept)

    def work(self, name, *topics):
        jobs = self.kernel.jobs(name, *topics, prefixes=() if topics else ("load.", "job."), after=0, lease_ms=120_000)
        while (taken := jobs.take(1_000, wait_ms=100, linger_ms=LINGER_MS)) or not self.done.is_set():
            if taken:
                with self.lock:
                    self.worked[name].extend(short(job.record) for job in taken)
                assert jobs.settle([job.answer("ack") for job in taken]) == []

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


def join(threads):
    for thread in threads:
        thread.join(PATIENCE_S)
        assert not thread.is_alive(), "nothing waits for ever"


@pytest.mark.timeout(2 * PATIENCE_S)
def test_twenty_thousand_events_a_second_reach_every_durable_subscription(react_home, record_property):
    with Kernel.open(react_home, serve=False) as kernel:
        load = Load(kernel)
        workers = [load.run(load.work, "all") for _ in range(WORKERS)] + [load.run(load.work, "one", "load.t3")]
        began = time.monotonic()
        join([load.run(load.produce, number) for number in range(PRODUCERS)])
        rate = PRODUCERS * EACH / (time.monotonic() - began)
        behind = sum(map(len, load.emitted)) - len(load.worked["all"])
        pause = threading.Event()
        for _ in range(100 * PATIENCE_S):
            if not any(one["lag"] or one["waiting"] or one["running"] for one in kernel.subscriptions()):
                break
            pause.wait(0.01)
        load.done.set()
        join(workers)
        late = sorted(one for late in load.late for one in late)
        growth = load.sizes[1] - load.sizes[0]
        record_property("events emitted", sum(map(len, load.emitted)))
        record_property("events a second", round(rate))
        record_property("of them not yet worked on when the last was emitted", behind)
        record_property("p50 / p99 from due to durable, ms", " / ".join(
            f"{1000 * late[int(len(late) * share)]:.0f}" for share in (0.5, 0.99)
        ))  # fmt: skip
        record_property("MiB that the process grew by in the second half", f"{growth / 2**20:.1f}")
        assert load.failed == []
        assert sorted(load.worked["all"]) == sorted(one for emitted in load.emitted for one in emitted), "each id once"
        assert sorted(load.worked["one"]) == sorted(one for single in load.single for one in single)
        status = {one["name"]: one for one in kernel.subscriptions()}
        assert (status[REACTION]["delivered"], status[REACTION]["dead"]) == (sum(load.reacted), 0)
        assert growth < MOST_GROWTH
        if SOAK > 1:  # the rate of three seconds says something about what else runs on the machine
            assert rate > HELD * PRODUCERS * EACH_S
    verify_journal(react_home)
