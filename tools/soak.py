"""Runs the tests at their full sizes and writes what was run, and what came of it, to `docs/verification.md`.

``--title WORDS`` names the section that a run of some of them writes; the other sections stay as they are.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as ET

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "build"
PAGE = ROOT / "docs" / "verification.md"
ESCAPES = BUILD / "escape.md"
"""What the escape suite tried and how each attack ended; it writes this itself."""
ESCAPE_TITLE = "The escape suite"
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
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--title", default="", help="the section of the page; none is the first, of the whole suite")
    options, words = asked.parse_known_args()
    BUILD.mkdir(exist_ok=True)
    ESCAPES.unlink(missing_ok=True)
    report = BUILD / f"soak-{os.getpid()}.xml"
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    environment = os.environ | {"REMIT_SOAK": str(FACTOR)}
    command = [sys.executable, "-m", "pytest", "-q", "--timeout=7200", f"--junitxml={report}", *words]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False)
    said = " ".join(["make soak", *([f'ARGS="{shlex.join(sys.argv[1:])}"'] if sys.argv[1:] else [])])
    found = {options.title: render(suites(report.read_text("utf-8")), said, commit, done.returncode)}
    if ESCAPES.exists():
        found[ESCAPE_TITLE] = ESCAPES.read_text("utf-8")
    PAGE.write_text(merged(PAGE.read_text("utf-8"), found), "utf-8")
    return done.returncode


def merged(page: str, found: Mapping[str, str]) -> str:
    """The page with these sections in place of those of the same title, or before its last: what others found stays."""
    first, *rest = page.removeprefix("# Verification\n").split("\n## ")
    sections = {"": first} | dict(part.split("\n", 1) for part in rest)
    last = {ESCAPE_TITLE: sections.pop(ESCAPE_TITLE)} if ESCAPE_TITLE in sections else {}
    sections |= found if not last else {title: text for title, text in found.items() if title != ESCAPE_TITLE}
    sections |= {title: found.get(title, text) for title, text in last.items()}
    parts = [f"## {title}\n\n{text.strip()}\n" if title else f"{text.strip()}\n" for title, text in sections.items()]
    return "# Verification\n\n" + "\n".join(parts)


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
    """A section of the page."""
    lines = [
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
