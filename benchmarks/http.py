"""What an action costs over HTTP: requests a second of one server process, and how long the slowest of them take."""

from __future__ import annotations

import asyncio
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.measure import Benchmark, Figure, percentile
from benchmarks.serving import HISTORY, PEERS, SKIPPED, TOKEN

__all__ = ["BENCHMARKS", "Served"]

_CONNECTIONS = 32
_ROUNDS = 5
_FRAME = b"\ndata: "
_EACH = 40
"""Requests of one connection in one round."""
_BODY = b'{"text":"' + b"x" * 88 + b'"}'


class Served:
    """A server in a process of its own."""

    def __init__(self, resources: ExitStack, kind: str) -> None:
        folder = resources.enter_context(tempfile.TemporaryDirectory(prefix="remit-bench-"))
        self._process = resources.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", "benchmarks.serving", kind, folder],
                cwd=Path(__file__).parents[1],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        assert self._process.stdin is not None
        resources.callback(self._process.stdin.close)
        address = urlsplit(self._line())
        self.address = str(address.hostname), int(address.port or 0)

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def cpu_s(self) -> float:
        """Seconds of processor time that it has used."""
        assert self._process.stdin is not None
        self._process.stdin.write("?\n")
        self._process.stdin.flush()
        return float(self._line())


async def _ask(address: tuple[str, int], count: int, took: list[float]) -> None:
    reader, writer = await asyncio.open_connection(*address)
    head = (
        f"POST /actions/bench/echo/echo?durability=queued HTTP/1.1\r\nhost: 127.0.0.1\r\n"
        f"authorization: Bearer {TOKEN}\r\ncontent-type: application/json\r\ncontent-length: {len(_BODY)}\r\n\r\n"
    ).encode()
    for _ in range(count):
        began = time.perf_counter()
        writer.write(head + _BODY)
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200"), answer
        length = int(answer.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        took.append(time.perf_counter() - began)
    writer.close()
    await writer.wait_closed()


async def _together(address: tuple[str, int], count: int) -> list[float]:
    """How long each request took, over all connections at once."""
    took: list[float] = []
    await asyncio.gather(*(_ask(address, count, took) for _ in range(_CONNECTIONS)))
    return took


def _rates(resources: ExitStack) -> Figure:
    """By the server's own processor time, so that neither the client nor the neighbours count."""
    servers = {kind: Served(resources, kind) for kind in PEERS}
    rates: dict[str, list[float]] = {kind: [] for kind in servers}
    for number in range(_ROUNDS + 1):
        for kind, server in servers.items():
            before = server.cpu_s()
            took = asyncio.run(_together(server.address, _EACH))
            if number:  # the first warms them up
                rates[kind].append(len(took) / (server.cpu_s() - before))
    found = {kind: statistics.median(values) for kind, values in rates.items()}
    return Figure(found.pop("remit"), "/s", found, runs=_ROUNDS)


def _p99(resources: ExitStack) -> Figure:
    servers = {kind: Served(resources, kind) for kind in PEERS}
    slow: dict[str, list[float]] = {kind: [] for kind in servers}
    for number in range(_ROUNDS + 1):
        for kind, server in servers.items():
            took = asyncio.run(_together(server.address, _EACH))
            if number:
                slow[kind].append(percentile(took, 0.99) * 1000)
    found = {kind: min(values) for kind, values in slow.items()}
    return Figure(found.pop("remit"), "ms", found, runs=_ROUNDS)


def _stream(address: tuple[str, int]) -> float:
    """Thousands of events a second that one follower gets, from the journal's beginning to its end."""
    head = (
        f"GET /events?after={SKIPPED} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {TOKEN}\r\n"
        "accept: text/event-stream\r\n\r\n"
    ).encode()
    with socket.create_connection(address, timeout=60) as wire:
        wire.sendall(head)
        began, left, rest = time.perf_counter(), HISTORY, b""
        while left > 0:
            part = wire.recv(1 << 20)
            assert part, "the stream ended"
            rest += part
            left -= rest.count(_FRAME)
            rest = rest[-len(_FRAME) + 1 :]
        return HISTORY / (time.perf_counter() - began) / 1_000


def _streams(resources: ExitStack) -> Figure:
    address = Served(resources, "history").address
    values = [_stream(address) for _ in range(_ROUNDS + 1)]
    return Figure(statistics.median(values[1:]), "k/s", runs=_ROUNDS)


_WHAT = (
    f"`POST /actions/…?durability=queued` with 100 bytes over {_CONNECTIONS} connections that are kept; "
    f"{_ROUNDS} rounds of {_CONNECTIONS * _EACH} requests. A small unit, warm (its instance is kept), on the server's "
    "loop. Peers: `fresh` has a fresh sandbox for each call; `threads` besides a thread for each; `starlette` is the "
    "same server and framework with nothing behind it."
)

BENCHMARKS = (
    Benchmark(
        "http.actions",
        "actions over HTTP on one core",
        "≥ 5,000 /s",
        f"{_WHAT} Requests by the second of processor time that the server's process used, all its threads together; "
        "the median of the rounds.",
        _rates,
    ),
    Benchmark(
        "http.actions_p99",
        "99th percentile of those requests",
        "",
        f"{_WHAT} As the client sees it, with {_CONNECTIONS} of them always under way; the best round.",
        _p99,
    ),
    Benchmark(
        "http.sse",
        "events that one follower gets as server-sent events",
        "≥ 30 k/s",
        f"`GET /events` under `text/event-stream`, {HISTORY:,} records of 100 bytes of data over one connection, from "
        "the request until the last has arrived; the follower takes everything, in another process.",
        _streams,
    ),
)
