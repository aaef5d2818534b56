"""The escape suite: hostile guests and host-call abuses. Each ends in a typed refusal, and the run ends with a table.

``pytest tests/escape`` prints it; with ``REMIT_SOAK`` of 10 or more it is also left for
``tools/soak.py``, which makes it a part of docs/verification.md.
"""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

HERE = Path(__file__).parent
REPORT = HERE.parents[1] / "build" / "escape.md"
WRITE_FROM = 10


def _sibling(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


# The sandbox's tests know how to write a guest; this suite writes worse ones.
guests = _sibling(HERE.parent / "sandbox" / "conftest.py", "escape_guests")
prober = _sibling(HERE / "prober.py", "escape_prober")
bench, guest, echo, door, host_error = guests.bench, guests.guest, guests.echo, guests.door, guests.host_error
_shared = guests._shared


class Table:
    """What was tried, and how it ended."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], str] = {}

    def add(self, area: str, attack: str, ending: str) -> None:
        self.rows[area, attack] = ending

    def lines(self) -> list[str]:
        head = ["| area | attack | ends as |", "| --- | --- | --- |"]
        return head + [f"| {area} | {attack} | {ending} |" for (area, attack), ending in sorted(self.rows.items())]


TABLE = Table()


@pytest.fixture
def ends(request: pytest.FixtureRequest):
    """Says how an attack ended: ``ends("refused: denied")``; the attack has the test's or its parameter's name."""

    def say(ending: str) -> None:
        name = request.node.name
        match = re.fullmatch(r"test_(\w+?)\[(.*)\]", name)
        attack = f"{match[1]}: {match[2] or '(empty)'}" if match else name.removeprefix("test_")
        area = request.node.path.stem.removeprefix("test_")
        TABLE.add(area.replace("_", " "), attack.replace("_", " ").replace("|", "/"), ending)

    return say


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if not TABLE.rows:
        return
    terminalreporter.section(f"escape suite: {len(TABLE.rows)} attacks, each refused")
    for (area, attack), ending in sorted(TABLE.rows.items()):
        terminalreporter.write_line(f"{area:<12} {attack:<70} {ending}")
    if int(os.environ.get("REMIT_SOAK", "1")) >= WRITE_FROM:
        REPORT.parent.mkdir(exist_ok=True)
        REPORT.write_text("\n".join([*TABLE.lines(), ""]), "utf-8")


# ---- a home with a unit that tries things ----


@contextmanager
def _open_arena(root: Path):
    from remit.host import Kernel, init  # noqa: PLC0415 - only the tests that ask for a home pay for the rooms

    with prober.Arena(root) as arena, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ESCAPE_TOKEN", prober.SECRET)
        init(root / "home")
        (root / "home" / "policy" / "escape.cedar").write_text(prober.POLICY)
        with (root / "home" / "remit.toml").open("a") as file:
            file.write('\n[secret]\ntoken.env = "ESCAPE_TOKEN"\nspare.env = "ESCAPE_TOKEN"\n')
        with Kernel.open(root / "home", serve=False) as kernel:
            folders = arena.write_units(guests)
            installed = [kernel.install(str(folder), allow_unsigned=True) for folder in folders]
            kernel.apply(kernel.plan(add=installed), consent=True)
            arena.kernel = kernel
            yield arena


@pytest.fixture(scope="session")
def arena(tmp_path_factory):
    """A kernel whose home has the prober active, with servers on loopback and folders to break out of."""
    with _open_arena(tmp_path_factory.mktemp("arena")) as arena:
        yield arena


@pytest.fixture
def new_arena():
    """Makes an arena of a test's own: ``with new_arena(folder) as arena``."""
    return _open_arena


@pytest.fixture
def attack(arena):
    """Have the prober try something; gives the refusal that it saw, as ``(code, message)``."""
    return arena.attack
