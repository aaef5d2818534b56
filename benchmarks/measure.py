"""Measuring side by side: every case gets its turn in every round, so that a noisy neighbour hits all of them alike."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Benchmark", "Figure", "interleaved", "percentile"]

_NS_PER_US = 1000


@dataclass(frozen=True)
class Figure:
    """One measured value with its peers', all in one unit and from one run."""

    value: float
    unit: str
    peers: Mapping[str, float] = field(default_factory=dict)
    runs: int = 0

    def as_json(self) -> dict[str, Any]:
        """The contract's shape."""
        peers = {name: round(value, 3) for name, value in self.peers.items()}
        return {"value": round(self.value, 3), "unit": self.unit, "peers": peers, "runs": self.runs}


@dataclass(frozen=True)
class Benchmark:
    """How one figure is measured.

    ``target`` is what the design asks for; ``ratios`` how many times as fast as a peer it is to be.
    """

    key: str
    title: str
    target: str
    how: str
    measure: Callable[[ExitStack], Figure]
    ratios: Mapping[str, float] = field(default_factory=dict)


def interleaved(cases: Mapping[str, Callable[[], Any]], *, rounds: int = 200, each: int = 20) -> dict[str, float]:
    """Microseconds of one call of each case: the median over the rounds of the mean of ``each`` calls in a row."""
    samples: dict[str, list[float]] = {name: [] for name in cases}
    for case in cases.values():  # code and data of all of them are warm before the first is measured
        case()
    gc.collect()
    for _ in range(rounds):
        for name, case in cases.items():
            started = time.perf_counter_ns()
            for _ in range(each):
                case()
            samples[name].append((time.perf_counter_ns() - started) / each / _NS_PER_US)
    return {name: statistics.median(values) for name, values in samples.items()}


def percentile(values: list[float], share: float) -> float:
    """The value that ``share`` of them do not exceed."""
    return sorted(values)[max(0, min(len(values) - 1, round(share * len(values)) - 1))]
