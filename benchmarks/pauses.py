"""How long a thread waits for its turn while something else is done: beside another thread, and another process."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["busy", "elsewhere"]


@contextmanager
def busy(check: Callable[[], object]) -> Iterator[Callable[[Callable[[], object]], float]]:
    """A thread that does one thing all the time; tells the most milliseconds it took while something else is done."""
    turns: list[list[int]] = [[0]]  # each measurement's longest wait: one of an earlier turn never counts in a later
    done = threading.Event()

    def work() -> None:
        last = time.perf_counter_ns()
        while not done.is_set():
            turn = turns[-1]
            check()
            now = time.perf_counter_ns()
            turn[0], last = max(turn[0], now - last), now

    def longest(beside: Callable[[], object]) -> float:
        turns.append([0])
        beside()
        return turns[-1][0] / 1e6

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield longest
    finally:
        done.set()
        thread.join()


@contextmanager
def elsewhere() -> Iterator[Callable[[float], object]]:
    """Another process, which computes for so many seconds when it is told to."""
    program = (
        "import sys, time\n"
        "for line in sys.stdin:\n"
        "    end = time.perf_counter() + float(line)\n"
        "    while time.perf_counter() < end: pass\n"
        "    print(flush=True)\n"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        heard = process.stdout
        assert heard is not None

        def compute(seconds: float) -> str:
            print(seconds, file=process.stdin, flush=True)
            return heard.readline()

        yield compute
