"""What a host costs that does nothing: memory and processor time of a kernel with a hundred active units."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from benchmarks.guests import component
from benchmarks.measure import Benchmark, Figure
from remit.host import Kernel, init

__all__ = ["BENCHMARKS"]

_UNITS = 100
_WATCHED_S = 5
_PROGRAM = """
import os, sys, time
from pathlib import Path
from remit.host import Kernel

def resident():
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

with Kernel.open(sys.argv[1]) as kernel:
    for action in kernel.actions():
        if action["name"].endswith(":echo"):
            break
    kernel.call(action["name"], {"text": "x"})
    time.sleep(1)
    before = time.process_time()
    time.sleep(float(sys.argv[2]))
    print((time.process_time() - before) * 1e3 / float(sys.argv[2]), resident())
"""
_BARE = "import remit.host, wasmtime, cedarpy\n" + _PROGRAM.partition("with Kernel")[0] + "print(0, resident())"


def _home(resources: ExitStack, units: int) -> Path:
    root = Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="remit-bench-")))
    manifest = Path(__file__).with_name("guests").joinpath("unit.toml").read_text("utf-8")
    init(root / "home")
    with Kernel.open(root / "home", program="benchmarks", serve=False) as kernel:
        installed = []
        for number in range(units):
            folder = root / f"unit-{number}"
            folder.mkdir()
            (folder / "unit.toml").write_text(manifest.replace('"bench/echo"', f'"bench/echo-{number}"'), "utf-8")
            (folder / "echo.wasm").write_bytes(component())
            (folder / "README.md").write_text(f"# bench/echo-{number}\n\nOne of many.\n", "utf-8")
            installed.append(kernel.install(str(folder), allow_unsigned=True))
            shutil.rmtree(folder)
        kernel.apply(kernel.plan(add=installed), consent=True)
    return root / "home"


def _watched(program: str, *words: str) -> tuple[float, float]:
    """Milliseconds of processor time in a second, and MiB resident, of a process that runs this."""
    command = [sys.executable, "-c", program, *words]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    cpu, memory = said.split()
    return float(cpu), float(memory)


def _memory(resources: ExitStack) -> Figure:
    _, many = _watched(_PROGRAM, str(_home(resources, _UNITS)), "0.1")
    _, one = _watched(_PROGRAM, str(_home(resources, 1)), "0.1")
    _, bare = _watched(_BARE)
    return Figure(many, "MiB", {"one unit": one, "imports alone": bare}, runs=1)


def _cpu(resources: ExitStack) -> Figure:
    cpu, _ = _watched(_PROGRAM, str(_home(resources, _UNITS)), str(_WATCHED_S))
    return Figure(cpu, "ms/s", runs=1)


BENCHMARKS = (
    Benchmark(
        "host.idle_memory",
        f"an idle host with {_UNITS} active units",
        "",
        "Resident memory of a process that opened the home, listed every action and called one. Peers: the same with "
        "one unit, and a process that has only imported Remit, wasmtime and Cedar.",
        _memory,
    ),
    Benchmark(
        "host.idle_cpu",
        f"processor time of an idle host with {_UNITS} active units",
        "",
        f"Milliseconds of the process's time in a second, over {_WATCHED_S} seconds that begin a second after its last "
        "call.",
        _cpu,
    ),
)
