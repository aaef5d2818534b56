"""Renders measured figures as a page of the documentation."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import version

from benchmarks.measure import Benchmark, Figure

__all__ = ["render"]

_HEAD = """# Performance

Made by `make bench` from one run; do not edit. Each figure is a median unless it says otherwise. Peers are measured in
the same run, round by round with Remit and with the same guest, so the ratios mean more than the times.

Machine: {cores} cores, {system}. Python {python}, wasmtime {wasmtime}.

| figure | Remit | target | peers |
| --- | ---: | ---: | --- |
"""


def render(benchmarks: Mapping[str, Benchmark], figures: Mapping[str, Figure]) -> str:
    """The page."""
    import os  # noqa: PLC0415 - one number

    head = _HEAD.format(
        cores=os.cpu_count(),
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        wasmtime=version("wasmtime"),
    )
    rows = [_row(benchmarks[key], figure) for key, figure in figures.items()]
    how = [f"- **{key}** ({figures[key].runs} runs): {benchmarks[key].how}" for key in figures]
    return head + "\n".join(rows) + "\n\n## How each was measured\n\n" + "\n".join(how) + "\n"


def _row(benchmark: Benchmark, figure: Figure) -> str:
    unit = figure.unit.replace("us", "µs")
    peers = "<br>".join(
        f"{name} {value:.3g} {unit}{_ratio(figure, value)}{_wanted(benchmark, name)}"
        for name, value in figure.peers.items()
    )
    title = f"{benchmark.title}<br>`{benchmark.key}`"
    return f"| {title} | {figure.value:.3g} {unit} | {benchmark.target} | {peers} |"


def _ratio(figure: Figure, peer: float) -> str:
    """How many times as good as the peer: of a rate, more is better; of all else, less. Nothing, where one is zero."""
    good, other = (figure.value, peer) if figure.unit.endswith("/s") else (peer, figure.value)
    return f": **{good / other:.1f} times**" if other else ""


def _wanted(benchmark: Benchmark, peer: str) -> str:
    return f" (wanted: {benchmark.ratios[peer]:g})" if peer in benchmark.ratios else ""
