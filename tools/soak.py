"""Runs tests at their full sizes and writes what was run, and what came of it, to `docs/verification.md`.

python tools/soak.py            every section, each by its own run
python tools/soak.py units crash        only these; the others stay on the page as they were
python tools/soak.py --title "Deadlines" tests/sandbox -k deadline      any of pytest's words: a section of that title
"""

from __future__ import annotations

import argparse
import fcntl
import os
import re
import shlex
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as ET

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "build"
PAGE = ROOT / "docs" / "verification.md"
ESCAPES = BUILD / "escape.md"
"""What the escape suite tried and how each attack ended; it writes this itself."""
FACTOR = 10


class Section(NamedTuple):
    """One claim, and the tests that hold it."""

    title: str
    words: tuple[str, ...]
    """What pytest is told."""


SECTIONS = {
    "units": Section(
        "Random sequences of changes against a model: what apply did is what the plan said, byte for byte",
        ("tests/units/test_lifecycle_stateful.py",),
    ),
    "operators": Section(
        "Operators in processes of their own, at once in one home", ("tests/units/test_operators.py",)
    ),
    "crash": Section("Killed anywhere, a home is old or new, whole", ("tests/crash",)),
    "fields": Section(
        "Every field of every schema, with any value: refused with a code and a path, or read",
        ("tests/schemas/test_fields.py",),
    ),
    "leases": Section(
        "Leases that are kept allow nothing that Cedar would not allow now",
        ("tests/policy/test_soundness.py", "-k", "not planted"),
    ),
    "cedar": Section(
        "Any policies, entities and requests: our engine answers as Cedar does, with and without slicing",
        ("tests/policy/sets/test_slices.py", "-k", "equal"),
    ),
    "flips": Section("Flipped bytes of signatures and signed units", ("tests/registry/trust/test_flips.py",)),
    "hour": Section("Twenty agents at a served home, for an hour", ("tests/live/test_hour.py",)),
    "killed": Section("A served home is killed in the middle of load", ("tests/live/test_killed.py",)),
    "paced": Section("Twenty producers at a pace: nothing is lost", ("tests/host/delivery/test_paced.py",)),
    "defects": Section(
        "What wasmtime's own classes get wrong, and what the sandbox leaves behind",
        (
            "tests/sandbox/guest/test_defects.py",
            "tests/sandbox/guest/test_leaks.py",
            "tests/sandbox/crossing/test_plans.py",
        ),
    ),
    "escape": Section("The escape suite", ("tests/escape",)),
}
HEAD = f"""\
# Verification

What the tests found at their full sizes, each section by a run of its own (`make soak ARGS=NAME`; without `ARGS`, all).
Sizes are what the tests recorded of themselves; properties without one ran {FACTOR} times their default number.
"""


class Suite(NamedTuple):
    """One folder of tests in a run."""

    name: str
    passed: int
    failed: int
    seconds: float
    sizes: list[str]


def main(words: list[str]) -> int:
    """Run and render what is named; 1 if anything failed."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--title", default="", help="of the section that pytest's words make")
    options, words = asked.parse_known_args(words)
    if not words:
        chosen = SECTIONS
    elif not options.title and all(word in SECTIONS for word in words):
        chosen = {word: SECTIONS[word] for word in words}
    else:
        title = options.title or f"`{shlex.join(words)}`"
        told = ["--title", options.title] if options.title else []
        chosen = {shlex.join([*told, *words]): Section(title, tuple(words))}
    return max(run(said, section) for said, section in chosen.items())


def run(said: str, section: Section) -> int:
    """Run one section and put it on the page, in the place of what the page said of it.

    :param said: what the command names it by
    """
    BUILD.mkdir(exist_ok=True)
    ESCAPES.unlink(missing_ok=True)
    report = BUILD / f"soak-{os.getpid()}.xml"
    words = ["-q", "-n", "0", "--timeout=14400", f"--junitxml={report}", *section.words]
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    environment = os.environ | {"REMIT_SOAK": str(FACTOR)}
    done = subprocess.run([sys.executable, "-m", "pytest", *words], cwd=ROOT, env=environment, check=False)
    text = render(suites(report.read_text("utf-8")), f"make soak ARGS={shlex.quote(said)}", commit, done.returncode)
    report.unlink()
    if ESCAPES.exists():
        text += f"\n{ESCAPES.read_text('utf-8')}"
    with (BUILD / "soak.lock").open("w") as lock:  # two sections may be run at once
        fcntl.flock(lock, fcntl.LOCK_EX)
        PAGE.write_text(placed(PAGE.read_text("utf-8"), section.title, text), "utf-8")
    return done.returncode


def placed(page: str, title: str, text: str) -> str:
    """The page with one section's text, in the order of the sections; what else is on it stays."""
    parts = re.split(r"^## (.*)\n", page, flags=re.MULTILINE)
    found = dict(zip(parts[1::2], parts[2::2], strict=True)) | {title: f"\n{text}"}
    order = [section.title for section in SECTIONS.values()]
    titles = [title for title in order if title in found] + [title for title in found if title not in order]
    return "\n".join([HEAD, *(f"## {title}\n{found[title].rstrip()}\n" for title in titles)])


def suites(report: str) -> list[Suite]:
    """The folders of a JUnit report, with the sizes that their tests recorded."""
    rows: dict[str, list[ET.Element]] = defaultdict(list)
    for case in ET.fromstring(report).iter("testcase"):  # noqa: S314 - pytest wrote this report for us
        parts = case.get("classname", "").split(".")
        rows[".".join(parts[:2])].append(case)
    return [_suite(name, cases) for name, cases in sorted(rows.items())]


def _suite(name: str, cases: list[ET.Element]) -> Suite:
    failed = [case for case in cases if case.find("failure") is not None or case.find("error") is not None]
    amounts: dict[str, int] = defaultdict(int)
    sizes = []
    for entry in (entry for case in cases for entry in case.iter("property")):
        what, value = entry.get("name", ""), entry.get("value", "")
        if value.isdigit():
            amounts[what] += int(value)
        else:
            sizes.append(f"{what}: {value}")
    sizes += [f"{amount:,} {what}" for what, amount in amounts.items()]
    seconds = sum(float(case.get("time", 0)) for case in cases)
    return Suite(name, len(cases) - len(failed), len(failed), seconds, sizes)


def render(found: list[Suite], command: str, commit: str, code: int) -> str:
    """What a section says."""
    lines = [
        f"Written by `{command}` at commit `{commit}`; pytest exited with {code}.",
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
    sys.exit(main(sys.argv[1:]))
