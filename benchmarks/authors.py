"""What an author waits for: from a new project to its tests, and from a saved file to the unit that runs."""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from benchmarks.measure import Benchmark, Figure
from remit.host import Kernel, Swap, init, new_unit, permit_native, try_unit
from remit.host.authoring.developing import develop

__all__ = ["BENCHMARKS"]

_SDK = Path(__file__).parents[1] / "sdk" / "python"
_MS = 1e6
_TURNS = 5


def _place(resources: ExitStack) -> Path:
    """A folder of the run's own; what builds cache for a user is in it too, so that every first time is one."""
    root = Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="remit-bench-")))
    resources.callback(_restore, os.environ.get("XDG_CACHE_HOME"))
    os.environ["XDG_CACHE_HOME"] = str(root / "cache")
    if str(_SDK) not in sys.path:
        sys.path.insert(0, str(_SDK))
    return root


def _restore(cache: str | None) -> None:
    os.environ.pop("XDG_CACHE_HOME", None)
    if cache is not None:
        os.environ["XDG_CACHE_HOME"] = cache


def _first(language: str, kind: str = "tool", turns: int = 1) -> Callable[[ExitStack], Figure]:
    """Milliseconds from nothing to green tests."""

    def measure(resources: ExitStack) -> Figure:
        times = []
        for _ in range(turns):
            root = _place(resources)
            began = time.perf_counter_ns()
            folder, _ = new_unit("bench/fresh", language, kind, root)
            assert try_unit(folder).passed
            times.append((time.perf_counter_ns() - began) / _MS)
        return Figure(statistics.median(times), "ms", runs=turns)

    return measure


def _another_module(text: str, number: int) -> str:
    """Component text with one more core module in it."""
    return f"{text.rstrip().removesuffix(')')}(core module (func (drop (i32.const {number})))))\n"


def _again(language: str, kind: str, source: str, edited: Callable[[str, int], str]) -> Callable[[ExitStack], Figure]:
    """Milliseconds from noticing a changed source to the changed unit being active, the median of a few turns.

    :param edited: gives a text of the source that makes another artifact each time
    """

    def measure(resources: ExitStack) -> Figure:
        root = _place(resources)
        folder, _ = new_unit("bench/fresh", language, kind, root)
        shutil.rmtree(folder / "tests", ignore_errors=True)
        init(root / "home")
        permit_native(root / "home", folder)
        times = []
        with Kernel.open(root / "home", program="benchmarks", serve=False) as kernel:
            turns = develop(folder, kernel, consent=True)
            for number in range(_TURNS + 1):
                swap = next(one for one in turns if isinstance(one, Swap))
                assert swap.error is None, swap.error
                times.append(swap.took_ms)
                assert swap.generation == number + 1
                text = (folder / source).read_text("utf-8")
                (folder / source).write_text(edited(text, number), "utf-8")
            turns.close()  # type: ignore[attr-defined]  # develop is a generator
        return Figure(statistics.median(times[1:]), "ms", runs=_TURNS)

    return measure


BENCHMARKS = (
    Benchmark(
        "authors.new_wat",
        "a new unit in WAT, from `remit unit new` to green tests",
        "at most 2,000 ms",
        "template, build, compilation, the manifest's tests in a home of their own; empty caches",
        _first("wat", turns=3),
    ),
    Benchmark(
        "authors.new_python",
        "the same in Python, pytest included",
        "at most 60,000 ms with the toolchain's installation",
        "likewise, sandboxed and alone; `pip install 'remit[author]'` (46 MB) comes on top",
        _first("python"),
    ),
    Benchmark(
        "authors.rebuild_wat",
        "`remit unit dev`: a changed WAT source until it is active",
        "at most 300 ms",
        "build, compilation, install, plan, apply in a standing home; how long the loop looks before it is not counted",
        _again("wat", "tool", "fresh.wat", _another_module),
    ),
    Benchmark(
        "authors.rebuild_native",
        "the same of a native unit in Python",
        "at most 500 ms",
        "likewise",
        _again("python", "native", "src/greeting.py", lambda text, number: f"{text}\nTURN = {number}\n"),
    ),
    Benchmark(
        "authors.rebuild_ts",
        "the same in TypeScript",
        "at most 2,000 ms",
        "likewise, with esbuild and componentize-qjs; the first turn, which installs them, is not counted",
        _again("ts", "tool", "src/unit.ts", lambda text, number: f"{text}\nexport const turn{number} = {number};\n"),
    ),
)
