"""The docs' commands, run: every ``console`` block of these pages, in order, in one folder, as a reader types them.

A line that begins with ``$`` is a command; the lines below it must appear in what it prints, in that order, where ``…``
stands for anything. ``# exit N`` behind a command says that it exits with N.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from remit.host import build_unit, init

ROOT = Path(__file__).parents[2]
PAGES = [
    "README.md",
    "docs/first-ten-minutes.md",
    "docs/policy.md",
    "docs/reaching-out.md",
    "docs/plugins.md",
    "docs/writing-units.md",
    "docs/publishing.md",
    "docs/http.md",
    "docs/events.md",
    "docs/observability.md",
    "docs/mcp.md",
    "docs/operating.md",
]

_BLOCK = re.compile(r"^(?:```|<!--)console\n(.*?)^(?:```|-->)", re.MULTILINE | re.DOTALL)
"""Commands in a comment are set-up that the page need not show."""
_EXIT = re.compile(r"\s+# exit (\d+)\s*$")


def commands(page: Path) -> list[tuple[str, int, list[str]]]:
    """Each command of a page with the exit code and the lines that it promises."""
    found: list[tuple[str, int, list[str]]] = []
    for block in _BLOCK.findall(page.read_text()):
        for line in block.splitlines():
            if line.startswith("$ "):
                code = _EXIT.search(line)
                found.append((_EXIT.sub("", line[2:]), int(code.group(1)) if code else 0, []))
            elif line.startswith("> "):
                command, expected, shown = found.pop()
                found.append((f"{command}\n{line[2:]}", expected, shown))
            elif line.strip():
                found[-1][2].append(line)
    return found


def matches(shown: list[str], output: str) -> str:
    """The first promised line that does not appear in its turn, or ""."""
    lines = iter(output.splitlines())
    for promised in shown:
        pattern = re.compile(r".*".join(re.escape(part) for part in promised.rstrip().split("…")))
        if not any(pattern.fullmatch(line.rstrip()) for line in lines):
            return promised
    return ""


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_every_command_does_what_the_page_shows(page: str, tmp_path: Path) -> None:
    environment = os.environ | {
        "HOME": str(tmp_path),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "COLUMNS": "80",
        "NO_COLOR": "1",
    }
    environment.pop("REMIT_HOME", None)
    script = [f"cd {ROOT}"]
    for command, expected, shown in commands(ROOT / page):
        # One shell for the page, so that variables and folders last; each command's output and code are marked.
        program = "\n".join([*script, f"{{\n{command}\n}} </dev/null"])
        done = subprocess.run(
            ["bash", "-c", program], env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        output = done.stdout + done.stderr
        assert done.returncode == expected, f"$ {command}\n{output}"
        assert matches(shown, output) == "", f"$ {command}\n{output}"
        if command.startswith(("export ", "cd ")):
            script.append(command)


@pytest.mark.parametrize("page", PAGES)
def test_the_page_has_commands(page: str) -> None:
    assert len(commands(ROOT / page)) >= 5


@pytest.mark.slow
def test_the_readmes_program_runs(tmp_path: Path) -> None:
    [program] = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    init(tmp_path / "home")
    build_unit(ROOT / "units/redact")
    (tmp_path / "redact").symlink_to(ROOT / "units/redact")
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
