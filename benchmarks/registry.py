"""What it costs to publish and to install over loopback, to search a large registry's list and to read it anew."""

from __future__ import annotations

import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import msgspec

from benchmarks.measure import Benchmark, Figure
from remit.registry import Reference, Registry, pack
from remit.registry.client import RegistryClient
from remit.registry.credentials import Credentials
from remit.registry.index import Entry, fold, read_log, search

__all__ = ["BENCHMARKS"]

_ROUNDS = 15
_UNITS = 10_000
_SIZE = 3 << 20
_MANIFEST = 'schema = "unit/v1"\nid = "acme/bench"\nversion = "{}"\nkind = "tool"\n'


def _served(resources: ExitStack) -> Registry:
    """Our own registry in a process of its own."""
    folder = resources.enter_context(tempfile.TemporaryDirectory(prefix="remit-bench-"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [str(Path(sys.executable).with_name("remit")), "registry", "serve", "--port", str(port), "--data", folder]
    process = resources.enter_context(subprocess.Popen(words, stdout=subprocess.PIPE))
    resources.callback(process.terminate)
    assert process.stdout is not None
    process.stdout.readline()
    return Registry(f"127.0.0.1:{port}")


def _bundle(version: str) -> dict[str, bytes]:
    component = b"\0asm\x0d\0\x01\0" + version.encode().ljust(_SIZE, b"\0")
    return {"unit.toml": _MANIFEST.format(version).encode(), "bench.wasm": component, "README.md": b"# Bench\n"}


def _publish(resources: ExitStack) -> Figure:
    registry, versions, times = _served(resources), count(), []
    with RegistryClient(registry, credentials=Credentials()) as client:
        for _ in range(_ROUNDS):
            version = f"1.0.{next(versions)}"
            files = _bundle(version)
            started = time.perf_counter()
            client.push("acme/bench", pack(files), version)
            times.append((time.perf_counter() - started) * 1e3)
    return Figure(statistics.median(times), "ms", runs=_ROUNDS)


def _install(resources: ExitStack) -> Figure:
    registry, times = _served(resources), []
    with RegistryClient(registry, credentials=Credentials()) as client:
        client.push("acme/bench", pack(_bundle("1.0.0")), "1.0.0")
        for _ in range(_ROUNDS):
            started = time.perf_counter()
            client.pull(Reference(registry, "acme/bench", version_range="^1.0"))
            times.append((time.perf_counter() - started) * 1e3)
    return Figure(statistics.median(times), "ms", runs=_ROUNDS)


def _log() -> bytes:
    entries = [
        Entry(
            "published",
            f"publisher-{number % 500}/unit-{number}",
            "1.0.0",
            f"sha256:{number:064x}",
            number,
            title=f"Does the {number}th thing with care",
            license="Apache-2.0",
            by="somebody",
        )
        for number in range(_UNITS)
    ]
    return b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries)


def _search(_resources: ExitStack) -> Figure:
    offers, times = fold(read_log(_log())), []
    for number in range(_ROUNDS * 5):
        started = time.perf_counter()
        found = search(offers.values(), f"unit {number} care")
        times.append((time.perf_counter() - started) * 1e3)
        assert found
    return Figure(statistics.median(times), "ms", runs=len(times))


def _refresh(resources: ExitStack) -> Figure:
    path = Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="remit-bench-"))) / "units.jsonl"
    path.write_bytes(_log())
    times = []
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        offers = fold(read_log(path.read_bytes()))
        times.append((time.perf_counter() - started) * 1e3)
        assert len(offers) == _UNITS
    return Figure(statistics.median(times), "ms", runs=_ROUNDS)


BENCHMARKS = (
    Benchmark(
        "registry.publish_3mib",
        "publish 3 MiB to a loopback registry",
        "≤ 40 ms",
        "pack and push, own server in its own process, on disk",
        _publish,
    ),
    Benchmark(
        "registry.install_3mib",
        "fetch 3 MiB from a loopback registry",
        "≤ 30 ms",
        "resolve a range, pull, check every digest, pack again; before admission and compilation",
        _install,
    ),
    Benchmark(
        "registry.search_10000",
        "search 10,000 units",
        "≤ 50 ms",
        "three words over the folded list",
        _search,
    ),
    Benchmark(
        "registry.refresh_10000",
        "read the list of 10,000 units anew",
        "≤ 200 ms",
        "read, decode and fold the list",
        _refresh,
    ),
)
