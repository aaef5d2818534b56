"""``python -m benchmarks [--only KEY …] [--json] [--page FILE]``: measure, and print or render what was found."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import ExitStack
from pathlib import Path

from benchmarks import (
    authors,
    bus,
    dashboard,
    http,
    idle,
    journal,
    kernel,
    many,
    plugins,
    policy,
    registry,
    sandbox,
    sdk,
    trust,
    units,
)
from benchmarks.measure import Figure
from benchmarks.page import render

_ROOMS = (
    sandbox, many, kernel, idle, policy, plugins, http, dashboard, sdk, authors, units, journal, bus, registry, trust,
)  # fmt: skip
BENCHMARKS = {one.key: one for room in _ROOMS for one in room.BENCHMARKS}


def main() -> int:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="KEY", choices=BENCHMARKS, default=list(BENCHMARKS))
    parser.add_argument("--json", action="store_true", help="print one object, by key")
    parser.add_argument("--page", type=Path, metavar="FILE", help="render the tables into this page")
    chosen = parser.parse_args()
    figures: dict[str, Figure] = {}
    for key in chosen.only:
        print(f"measuring {key}", file=sys.stderr)
        with ExitStack() as resources:
            figures[key] = BENCHMARKS[key].measure(resources)
    if chosen.json:
        print(json.dumps({key: figure.as_json() for key, figure in figures.items()}, indent=2))
    else:
        for key, figure in figures.items():
            peers = ", ".join(f"{name} {value:.1f}" for name, value in figure.peers.items())
            print(f"{key:28} {figure.value:10.2f} {figure.unit}   {peers}")
    if chosen.page is not None:
        chosen.page.write_text(render(BENCHMARKS, figures), "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
