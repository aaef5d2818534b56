"""What the journal costs: durable appends from many threads, and reading everything back with its chain checked."""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks.measure import Benchmark, Figure
from remit.journal import Draft, Journal, SystemClock, SystemIds, verify

__all__ = ["BENCHMARKS"]

_PRODUCERS = 16
_EACH = 1_000
_WINDOW = 64
"""Appends of one producer that may be on their way at once."""
_ROUNDS = 5
_REPLAYED = 50_000
_BATCH = 500
_DRAFT = Draft(type="bench.measured", source="//bench/client/one", data={"text": "x" * 100, "number": 17})


def _journal(resources: ExitStack) -> Journal:
    folder = Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="remit-bench-")))
    clock = SystemClock()
    made = Journal(folder, clock, SystemIds(clock))
    resources.callback(made.close)
    return made


def _produce(journal: Journal) -> None:
    for _ in range(_EACH // _WINDOW):
        for future in [journal.submit([_DRAFT]) for _ in range(_WINDOW)]:
            journal.durable(future)


def _durable(resources: ExitStack) -> Figure:
    journal = _journal(resources)
    rates = []
    for _ in range(_ROUNDS):
        threads = [threading.Thread(target=_produce, args=(journal,)) for _ in range(_PRODUCERS)]
        before, started = journal.head.seq, time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        rates.append((journal.head.seq - before) / (time.perf_counter() - started) / 1e3)
    return Figure(statistics.median(rates), "k/s", runs=_ROUNDS)


def _replay(resources: ExitStack) -> Figure:
    journal = _journal(resources)
    for _ in range(_REPLAYED // _BATCH):
        journal.append([_DRAFT] * _BATCH)
    rates = []
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        found = verify(journal)
        rates.append(found.records / (time.perf_counter() - started) / 1e3)
    return Figure(statistics.median(rates), "k/s", runs=_ROUNDS)


BENCHMARKS = (
    Benchmark(
        "journal.durable_16",
        "durable appends, 16 producers",
        "≥ 40 k/s",
        f"{_PRODUCERS} threads of one process, each with {_WINDOW} appends of one event on their way at once, each "
        "waited for until it is on the disk (`synchronous=FULL`, group commit).",
        _durable,
    ),
    Benchmark(
        "journal.replay",
        "replay with chain check",
        "≥ 400 k/s",
        f"`verify` over {_REPLAYED:,} events of 100 bytes: each row read, hashed, decoded and compared.",
        _replay,
    ),
)
