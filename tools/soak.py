"""Runs the tests at their full sizes and writes what was run, and what came of it, to `docs/verification.md`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as ET

ROOT = Path(__file__).parents[1]
REPORT = ROOT / "build" / "soak.xml"
PAGE = ROOT / "docs" / "verification.md"
ESCAPES = ROOT / "build" / "escape.md"
"""What the escape suite tried and how each attack ended; it writes this itself."""
FACTOR = 10


class Suite(NamedTuple):
    """One folder of tests in a run."""

    name: str
    passed: int
    failed: int
    seconds: float
    sizes: list[str]


def main() -> int:
    """Run, render, and give pytest's own exit code."""
    REPORT.parent.mkdir(exist_ok=True)
    ESCAPES.unlink(missing_ok=True)
    words = ["-q", "--timeout=7200", f"--junitxml={REPORT}", *sys.argv[1:]]
    environment = os.environ | {"REMIT_SOAK": str(FACTOR)}
    done = subprocess.run([sys.executable, "-m", "pytest", *words], cwd=ROOT, env=environment, check=False)
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    command = " ".join(["make soak", *([f'ARGS="{" ".join(sys.argv[1:])}"'] if sys.argv[1:] else [])])
    page = render(suites(REPORT.read_text("utf-8")), command, commit, done.returncode)
    if ESCAPES.exists():
        page += f"\n## The escape suite\n\n{ESCAPES.read_text('utf-8')}"
    PAGE.write_text(page, "utf-8")
    return done.returncode


def suites(report: str) -> list[Suite]:
    """The folders of a JUnit report, with the sizes that their tests recorded."""
    rows: dict[str, list[ET.Element]] = defaultdict(list)
    for case in ET.fromstring(report).iter("testcase"):  # noqa: S314 - pytest wrote this report for us
        parts = case.get("classname", "").split(".")
        rows[".".join(parts[:2])].append(case)
    found = []
    for name, cases in sorted(rows.items()):
        failed = [case for case in cases if case.find("failure") is not None or case.find("error") is not None]
        sizes = [
            f"{int(value):,} {entry.get('name')}"
            if (value := entry.get("value", "")).isdigit()
            else f"{entry.get('name')}: {value}"
            for case in cases
            for entry in case.iter("property")
        ]
        seconds = sum(float(case.get("time", 0)) for case in cases)
        found.append(Suite(name, len(cases) - len(failed), len(failed), seconds, sizes))
    return found


def render(found: list[Suite], command: str, commit: str, code: int) -> str:
    """The page."""
    lines = [
        "# Verification",
        "",
        f"Written by `{command}` at commit `{commit}`; pytest exited with {code}. Sizes are what the tests recorded of",
        f"themselves; properties without one ran {FACTOR} times their default number of examples.",
        "",
        "| suite | passed | failed | seconds | sizes |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| `{suite.name}` | {suite.passed} | {suite.failed} | {suite.seconds:.0f} | {'; '.join(suite.sizes)} |"
        for suite in found
    ]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    sys.exit(main())
