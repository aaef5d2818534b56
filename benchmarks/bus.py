"""What the bus costs: events from producers to eight subscribers while a ninth is stuck; Redis Streams do the same."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.measure import Benchmark, Figure, percentile
from remit.journal import Draft, Filter, Journal, Mailbox, Record, SystemClock, SystemIds
from remit.kernel.bus import Bus

__all__ = ["BENCHMARKS"]

_SUBSCRIBERS = 8
_PRODUCERS = 4
_EVENTS = 20_000
_WINDOW = 250
"""Events of one producer that may be on their way at once; a pipeline of Redis has as many."""
_ROUNDS = 5
_PACED = 4_000
_PACE_S = 0.01
_EACH_PACE = 20
_DATA = {"text": "x" * 100, "number": 17}
_DRAFT = Draft(type="bench.measured", source="//bench/client/one", data=_DATA)


def _folder(resources: ExitStack) -> Path:
    return Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="remit-bench-")))


def _journal(resources: ExitStack) -> tuple[Journal, Bus]:
    clock = SystemClock()
    journal, bus = Journal(_folder(resources), clock, SystemIds(clock)), Bus()
    resources.callback(journal.close)
    journal.observe(bus.publish)
    return journal, bus


def _timed(produce: Callable[[], None], consumers: Sequence[Callable[[], None]], events: int) -> float:
    """Thousands of deliveries a second, from the first event until the last consumer has its last one."""
    threads = [threading.Thread(target=consumer) for consumer in consumers]
    threads += [threading.Thread(target=produce) for _ in range(_PRODUCERS)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return events * len(consumers) / (time.perf_counter() - started) / 1e3


def _take(mailbox: Mailbox, events: int) -> Callable[[], None]:
    def run() -> None:
        left = events
        while left:
            found = mailbox.receive(10_000)
            left -= len(found.records) + found.missed

    return run


def _fan_out(bus: Bus, produce: Callable[[], None]) -> float:
    wanted = Filter(topics=("bench.measured",))
    mailboxes = [bus.subscribe(f"s{number}", wanted, capacity=100_000) for number in range(_SUBSCRIBERS)]
    stuck = bus.subscribe("stuck", wanted, capacity=100)
    try:
        return _timed(produce, [_take(mailbox, _EVENTS) for mailbox in mailboxes], _EVENTS)
    finally:
        assert stuck.status()["dropped"], "the ninth is stuck"
        for mailbox in (*mailboxes, stuck):
            bus.unsubscribe(mailbox)


# ---- the peer ----


def _redis(resources: ExitStack, *, durable: bool) -> Callable[[], float] | None:
    """Redis Streams on this machine: each consumer reads the stream for itself, as ours do."""
    program = shutil.which("redis-server")
    if program is None:
        return None
    import redis  # noqa: PLC0415 - a peer is imported by the benchmarks that need it

    folder = _folder(resources)
    persistence = ["--appendonly", "yes", "--appendfsync", "always"] if durable else ["--appendonly", "no"]
    socket = str(folder / "redis.sock")
    words = [program, "--port", "0", "--unixsocket", socket, "--save", "", "--dir", str(folder), *persistence]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    resources.callback(process.wait)
    resources.callback(process.terminate)
    while not Path(socket).exists():
        time.sleep(0.01)
    body: dict[Any, Any] = {"text": "x" * 100, "number": 17}

    def produce() -> None:
        client = redis.Redis(unix_socket_path=socket)
        for _ in range(_EVENTS // _PRODUCERS // _WINDOW):
            pipeline = client.pipeline(transaction=False)
            for _ in range(_WINDOW):
                pipeline.xadd("bench", body)
            pipeline.execute()

    def consume() -> None:
        client, seen, left = redis.Redis(unix_socket_path=socket), "0", _EVENTS
        while left:
            answer: Any = client.xread({"bench": seen}, count=10_000, block=1_000)
            for _, entries in answer:
                left -= len(entries)
                seen = entries[-1][0]

    def run() -> float:
        redis.Redis(unix_socket_path=socket).delete("bench")
        return _timed(produce, [consume] * _SUBSCRIBERS, _EVENTS)

    return run


def _rounds(ours: Callable[[], float], peer: Callable[[], float] | None) -> Figure:
    values, others = [], []
    for _ in range(_ROUNDS):
        values.append(ours())
        others += [peer()] if peer is not None else []
    peers = {"redis-streams": statistics.median(others)} if others else {}
    return Figure(statistics.median(values), "k/s", peers, _ROUNDS)


# ---- the figures ----


def _durable(resources: ExitStack) -> Figure:
    journal, bus = _journal(resources)

    def produce() -> None:
        for _ in range(_EVENTS // _PRODUCERS // _WINDOW):
            for future in [journal.submit([_DRAFT]) for _ in range(_WINDOW)]:
                journal.durable(future)

    return _rounds(lambda: _fan_out(bus, produce), _redis(resources, durable=True))


def _memory(resources: ExitStack) -> Figure:
    journal, _ = _journal(resources)
    batch: list[Record] = list(journal.append([_DRAFT] * _WINDOW))
    bus, one_at_a_time = Bus(), threading.Lock()

    def produce() -> None:
        for _ in range(_EVENTS // _PRODUCERS // _WINDOW):
            with one_at_a_time:
                bus.publish(batch)

    return _rounds(lambda: _fan_out(bus, produce), _redis(resources, durable=False))


def _latency(resources: ExitStack) -> Figure:
    journal, bus = _journal(resources)
    waits, commits = list[float](), list[float]()
    mailboxes = [bus.subscribe(f"s{n}", Filter(topics=("bench.measured",))) for n in range(_SUBSCRIBERS)]
    bus.subscribe("stuck", Filter(), capacity=100)

    def consume(mailbox: Mailbox) -> None:
        left = _PACED
        while left:
            records = mailbox.receive().records
            now = time.perf_counter_ns()
            waits.extend((now - record.event.data) / 1e6 for record in records)
            left -= len(records)

    threads = [threading.Thread(target=consume, args=(mailbox,)) for mailbox in mailboxes]
    for thread in threads:
        thread.start()
    for _ in range(_PACED // _EACH_PACE):
        for _ in range(_EACH_PACE):
            now = time.perf_counter_ns()
            receipt = journal.submit([Draft(type="bench.measured", source="//bench/client/one", data=now)])
            receipt.when_done(lambda since=now: commits.append((time.perf_counter_ns() - since) / 1e6))
        time.sleep(_PACE_S)
    for thread in threads:
        thread.join()
    return Figure(percentile(waits, 0.99), "ms", {"commit": percentile(commits, 0.99)}, len(waits))


BENCHMARKS = (
    Benchmark(
        "bus.fanout_8",
        "deliveries to 8 subscribers, a ninth stuck, journalled",
        "≥ 50 k/s",
        f"{_PRODUCERS} producers with {_WINDOW} events each on their way, each waited for until it is on the disk "
        "and heard by eight threads; the ninth subscriber never takes anything. Counted are deliveries, eight for each "
        "event: the rate of events is an eighth of it. Redis: a stream with `appendfsync "
        "always`, the same pipelines, eight readers.",
        _durable,
    ),
    Benchmark(
        "bus.fanout_8_memory",
        "the same without the journal",
        "≥ 500 k/s",
        "The bus alone, fed in batches as the journal's writer feeds it. Redis: the same stream without persistence.",
        _memory,
    ),
    Benchmark(
        "bus.delivery_p99",
        "from emitting to a subscriber's hands, 99th percentile",
        "≤ 5 ms",
        f"About {_EACH_PACE / _PACE_S:,.0f} events a second, each committed to the disk (`synchronous=FULL`) before "
        "eight subscribers get it, a ninth stuck. `commit` is the part of it until the journal has the event.",
        _latency,
    ),
)
