"""The page of figures: a row for each, whatever was measured."""

from __future__ import annotations

import pytest

from benchmarks.measure import Benchmark, Figure
from benchmarks.page import render


@pytest.mark.parametrize(
    ("unit", "value", "peer", "said"),
    [
        ("us", 2.0, 8.0, "other 8 µs: **4.0 times**"),
        ("k/s", 8.0, 2.0, "other 2 k/s: **4.0 times**"),
        ("ms", 0.0, 8.0, "other 8 ms |"),
        ("k/s", 8.0, 0.0, "other 0 k/s |"),
    ],
)
def test_a_figure_stands_beside_its_peers_with_a_ratio_where_there_is_one(unit, value, peer, said):
    one = Benchmark("a.key", "a title", "none", "by hand", lambda _resources: Figure(0, unit))
    assert said in render({"a.key": one}, {"a.key": Figure(value, unit, {"other": peer}, 1)})
