"""What the Python SDK costs in a warm sandbox: its fast path, and JSON in and out."""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.measure import Benchmark, Figure, interleaved
from benchmarks.sandbox import OpenDoor, program, runner

__all__ = ["BENCHMARKS"]

_SDK = Path(__file__).parents[1] / "sdk" / "python"
_MANIFEST = """schema = "unit/v1"
id = "bench/sdk"
version = "1.0.0"
kind = "tool"
title = "The guest of the SDK's benchmarks"
license = "Apache-2.0"
[runtime]
artifact = "sdk.wasm"
memory = "64MiB"
[build]
tool = "componentize-py"
source = "src/unit.py"
[[action]]
name = "echo"
[[action]]
name = "greet"
"""
_SOURCE = """from remit_unit import Provider, action

__all__ = ["Provider"]


@action(raw=True)
def echo(text: str) -> str:
    return text


@action
def greet(text: str) -> dict[str, str]:
    return {"text": text}
"""


@cache
def _guest() -> bytes:
    from remit.host import build_unit  # noqa: PLC0415 - only these benchmarks build a Python guest

    if str(_SDK) not in sys.path:
        sys.path.insert(0, str(_SDK))
    with tempfile.TemporaryDirectory(prefix="remit-bench-") as work:
        (Path(work) / "src").mkdir()
        (Path(work) / "src" / "unit.py").write_text(_SOURCE, "utf-8")
        (Path(work) / "unit.toml").write_text(_MANIFEST, "utf-8")
        (Path(work) / "README.md").write_text("# bench/sdk\n\nThe guest of the SDK's benchmarks.\n", "utf-8")
        return build_unit(work).read_bytes()


def _warm(action: str) -> Any:
    def measure(resources: ExitStack) -> Figure:
        made = runner(resources)
        instance = made.instance(program(made, _guest(), memory=64 << 20))
        resources.callback(instance.close)
        door, text = OpenDoor(), '{"text": "' + "x" * 88 + '"}'
        assert instance.invoke("provider.call", (action, text), door, 1_000) == ("ok", text)
        found = interleaved({"remit": lambda: instance.invoke("provider.call", (action, text), door, 1_000)})
        return Figure(found["remit"], "us", runs=200)

    return measure


BENCHMARKS = (
    Benchmark(
        "sdk.python_raw",
        "warm call of a Python guest through the SDK's fast path, 100 bytes",
        "at most 6 us",
        "`@action(raw=True)` in an instance that is kept",
        _warm("echo"),
    ),
    Benchmark(
        "sdk.python_json",
        "the same with JSON decoded and encoded in the guest",
        "at most 60 us",
        "`@action` in an instance that is kept",
        _warm("greet"),
    ),
)
