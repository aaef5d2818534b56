"""Killed in the middle of load, again and again: nothing that was acknowledged is lost, and the chain verifies.

``REMIT_SOAK=10`` kills fifty times.
"""

from __future__ import annotations

import json
import os
import random
import threading

import pytest

from remit.host import Kernel, verify_journal
from tests.host.processes import Program

SOAK = int(os.environ.get("REMIT_SOAK", "1"))
KILLS = 5 * SOAK
JOBS = "acme/react:job.made"

LOAD = """
import json, sys, threading
from remit.host import Kernel
from remit.kernel.model import Caller

saying = threading.Lock()

def tell(**facts):
    with saying:
        print(json.dumps(facts), flush=True)

def produce(kernel, producer):
    for number in range(100_000):
        word = f"x-{sys.argv[2]}-{producer}-{number}"
        key = Caller(idempotency_key=word if number % 7 == 0 else "")
        tell(id=kernel.emit("job.made", word, caller=key)["event"]["id"], word=word)

def work(kernel):
    for job in kernel.jobs("worker", "job.made", lease_ms=2_000):
        tell(worked=job.seq, acked=job.ack())

with Kernel.open(sys.argv[1], serve=False) as kernel:
    threads = [threading.Thread(target=produce, args=(kernel, n), daemon=True) for n in range(3)]
    threads.append(threading.Thread(target=work, args=(kernel,), daemon=True))
    for thread in threads:
        thread.start()
    threads[0].join()
"""
"""Emits, reacts and works until it is killed; says what was acknowledged."""


@pytest.fixture
def home(react_home):
    with Kernel.open(react_home, serve=False) as kernel:
        kernel.jobs("worker", "job.made")
    return react_home


def load(home, number, most):
    """Run the load until so many acknowledgements, kill it, and give all that it said."""
    program, said = Program(LOAD, home, number), []
    try:
        while len(said) < most:
            said.append(program.json())
        program.process.kill()
        rest = program.process.stdout.read().splitlines(keepends=True)
        said += [json.loads(line) for line in rest if line.endswith("\n")]
    finally:
        program.clean()
    return said


def settle(kernel):
    """Wait until every durable subscription has caught up."""
    pause = threading.Event()
    for _ in range(6_000):
        waiting = [one for one in kernel.subscriptions() if one["waiting"] or one["running"]]
        if not waiting:
            return
        for job in kernel.jobs("worker", "job.made").take(1_000, wait_ms=0):
            job.ack()
        pause.wait(0.01)
    raise AssertionError(waiting)


def everything(kernel, prefix):
    found, after = [], 0
    while page := kernel.events(after, prefixes=[prefix], limit=10_000):
        found, after = found + page, page[-1]["seq"]
    return found


def test_whatever_is_killed_when_nothing_that_was_acknowledged_is_lost(home):
    chance = random.Random(6)
    acknowledged, worked = {}, set()
    for number in range(KILLS):
        for said in load(home, number, chance.randint(20, 200)):
            if "id" in said:
                acknowledged[said["id"]] = said["word"]
            elif said["acked"]:
                worked.add(said["worked"])
        verify_journal(home)
        with Kernel.open(home, serve=False) as kernel:
            emitted = {one["event"]["id"]: one for one in everything(kernel, "job.made")}
            assert acknowledged.keys() <= emitted.keys()
    with Kernel.open(home, serve=False) as kernel:
        settle(kernel)
        heard = {one["event"]["data"] for one in everything(kernel, "react.heard")}
        assert set(acknowledged.values()) <= heard, "each durable reaction has run"
        status = {one["name"]: one for one in kernel.subscriptions()}
        assert status[JOBS]["delivered"] == len(emitted), "and was settled once, with its effects"
        assert status["worker"]["delivered"] == len(emitted)
        assert status[JOBS]["dead"] == 0
        assert worked <= {one["seq"] for one in emitted.values()}
        rows = kernel._rooms.journal.execute("SELECT count(*) FROM unit_state WHERE unit = 'acme/react'")
        assert rows == [(len(emitted),)]
    verify_journal(home)
