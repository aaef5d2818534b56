"""What a thousand installed and active units cost: planning, applying, starting, memory."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks.measure import Benchmark, Figure
from remit.host import Kernel, init

__all__ = ["BENCHMARKS"]

_UNITS = 1_000
_PATCHES = 5
_RUNS = 15
_STARTS = 5
_MS = 1e6
_START = """
import json, sys, time
from remit.host import Kernel
from remit.policy import authority  # what every start imports is not what a thousand units cost
from remit.sandbox.running import runner
began = time.perf_counter_ns()
with Kernel.open(sys.argv[1], serve=False) as kernel:
    took = (time.perf_counter_ns() - began) / 1e6
    status = dict(line.split(":", 1) for line in open("/proc/self/status", encoding="ascii"))
    print(json.dumps({"start": took, "mib": int(status["VmRSS"].split()[0]) / 1024}))
"""


def _write(folder: Path, number: int, version: int = 0) -> Path:
    target = folder / f"u{number}-{version}"
    target.mkdir()
    patches = "".join(
        f'[[patch]]\ntarget = "assistant"\nop = "merge"\nvalue = {{ u{number} = {{ k{key} = "{version}" }} }}\n'
        for key in range(_PATCHES)
    )
    (target / "unit.toml").write_text(
        f'schema = "unit/v1"\nid = "bench/u{number}"\nversion = "1.{version}.0"\nkind = "config"\ntitle = "t"\n'
        f'license = "MIT"\n{patches}'
    )
    return target


def _home(folder: Path, units: int = _UNITS) -> Path:
    """A home in which so many units are active, each with five patches of one document."""
    init(folder / "home")
    with Kernel.open(folder / "home", serve=False) as kernel:
        for number in range(units):
            kernel.install(str(_write(folder, number)), allow_unsigned=True)
        kernel.apply(kernel.plan(add=[f"bench/u{number}" for number in range(units)]), consent=True)
    return folder / "home"


def _folder(resources: ExitStack) -> Path:
    return Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="remit-bench-")))


def _change(resources: ExitStack) -> dict[str, float]:
    """Milliseconds of planning one unit's upgrade among all, and of applying that plan."""
    folder = _folder(resources)
    home = _home(folder)
    plans, applies = [], []
    with Kernel.open(home, serve=False) as kernel:
        for run in range(1, _RUNS + 1):
            kernel.install(str(_write(folder, run % 7, run)), allow_unsigned=True)
            began = time.perf_counter_ns()
            plan = kernel.plan(add=[f"bench/u{run % 7}"])
            planned = time.perf_counter_ns()
            kernel.apply(plan, consent=True)
            plans.append((planned - began) / _MS)
            applies.append((time.perf_counter_ns() - planned) / _MS)
    return {"plan": statistics.median(plans), "apply": statistics.median(applies)}


def _addition(resources: ExitStack) -> float:
    """Milliseconds of applying a plan that adds a unit: ``remit.toml`` gets an entry more."""
    folder = _folder(resources)
    home = _home(folder)
    applies = []
    with Kernel.open(home, serve=False) as kernel:
        for number in range(_UNITS, _UNITS + _RUNS):
            kernel.install(str(_write(folder, number)), allow_unsigned=True)
            plan = kernel.plan(add=[f"bench/u{number}"])
            began = time.perf_counter_ns()
            kernel.apply(plan, consent=True)
            applies.append((time.perf_counter_ns() - began) / _MS)
    return statistics.median(applies)


def _starts(home: Path) -> dict[str, float]:
    """The median start of a kernel of this home, and the memory of its process after it."""
    found = []
    for _ in range(_STARTS):
        done = subprocess.run([sys.executable, "-c", _START, str(home)], capture_output=True, text=True, check=True)
        found.append(json.loads(done.stdout))
    return {key: statistics.median(one[key] for one in found) for key in ("start", "mib")}


def _plan(resources: ExitStack) -> Figure:
    return Figure(_change(resources)["plan"], "ms", runs=_RUNS)


def _apply(resources: ExitStack) -> Figure:
    return Figure(_change(resources)["apply"], "ms", runs=_RUNS)


def _add(resources: ExitStack) -> Figure:
    return Figure(_addition(resources), "ms", runs=_RUNS)


def _start(resources: ExitStack) -> Figure:
    return Figure(_starts(_home(_folder(resources)))["start"], "ms", runs=_STARTS)


def _memory(resources: ExitStack) -> Figure:
    return Figure(_starts(_home(_folder(resources)))["mib"], "MiB", runs=_STARTS)


_SETTING = f"{_UNITS:,} units are active, with {_UNITS * _PATCHES:,} patches of one document; one of them is upgraded."
BENCHMARKS = (
    Benchmark("units.plan_1000", "plan over a thousand units", "≤ 100 ms", _SETTING, _plan),
    Benchmark(
        "units.apply_1000",
        "apply over a thousand units",
        "≤ 50 ms",
        f"{_SETTING} The commit is durable, the plan is made again to see that it holds; remit.toml stays.",
        _apply,
    ),
    Benchmark(
        "units.add_1000",
        "apply that adds a unit to a thousand",
        "≤ 100 ms",
        f"{_SETTING.partition(';')[0]}; one more is added, so remit.toml is rewritten and read back.",
        _add,
    ),
    Benchmark(
        "units.start_1000",
        "start with a thousand units",
        "≤ 300 ms",
        f"{_SETTING.partition(';')[0]}; a kernel opens the home, its modules imported before.",
        _start,
    ),
    Benchmark("units.memory_1000", "memory with a thousand units", "≤ 150 MB", "The same process, resident.", _memory),
)
