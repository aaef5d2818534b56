"""Homes and units made for one test: config units and tools whose manifests a test chooses."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from remit.host import Kernel, build_unit, init
from tests.units.trials import COUNTER, version

ROOT = Path(__file__).parents[2]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    init(tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def kernel(home: Path) -> Iterator[Kernel]:
    with Kernel.open(home, serve=False) as opened:
        yield opened


@pytest.fixture(scope="session")
def echo() -> bytes:
    """A component whose action answers with its input; it imports nothing, so any manifest fits it."""
    return build_unit(ROOT / "units/wat/echo").read_bytes()


class Author:
    """Writes units into folders of their own."""

    def __init__(self, folder: Path, echo: bytes) -> None:
        self._folder = folder
        self._echo = echo

    def _new(self, unit_id: str, version: str, kind: str, lines: list[str]) -> Path:
        folder = self._folder / f"unit-{len(list(self._folder.iterdir()))}"
        folder.mkdir()
        head = [
            'schema = "unit/v1"',
            f'id = "{unit_id}"',
            f'version = "{version}"',
            f'kind = "{kind}"',
            'title = "made for a test"',
            'license = "Apache-2.0"',
        ]
        (folder / "unit.toml").write_text("\n".join([*head, *lines, ""]))
        return folder

    def config(self, unit_id: str, *patches: str, version: str = "1.0.0", more: str = "") -> Path:
        """A config unit; each patch is the TOML of its value, or a whole ``[[patch]]`` body."""
        lines = [more] if more else []
        for patch in patches:
            body = patch if "\n" in patch else f'target = "assistant"\nop = "merge"\nvalue = {patch}'
            lines += ["[[patch]]", body]
        return self._new(unit_id, version, "config", lines)

    def tool(
        self,
        unit_id: str,
        *capabilities: str,
        version: str = "1.0.0",
        memory: str = "8MiB",
        deadline: str = "10s",
        runtime: str = "",
        more: str = "",
        schema: dict[str, Any] | None = None,
    ) -> Path:
        """A tool with the action ``echo``; each capability is a body in TOML, ``more`` goes to the end."""
        lines = ["[runtime]", runtime, 'artifact = "echo.wasm"', f'memory = "{memory}"', f'deadline = "{deadline}"']
        if schema is not None:
            lines += ["[parameters]", 'schema = "parameters.json"']
        lines += ["[[action]]", 'name = "echo"']
        for capability in capabilities:
            lines += ["[[capability]]", capability]
        folder = self._new(unit_id, version, "tool", [*lines, more])
        (folder / "echo.wasm").write_bytes(self._echo)
        if schema is not None:
            (folder / "parameters.json").write_text(json.dumps(schema))
        return folder


@pytest.fixture
def author(tmp_path: Path, echo: bytes) -> Author:
    folder = tmp_path / "authored"
    folder.mkdir()
    return Author(folder, echo)


@pytest.fixture
def install(kernel: Kernel) -> Callable[[Path], str]:
    """Install a folder as a local unit and give its digest."""

    def installed(folder: Path) -> str:
        return kernel.install(str(folder), allow_unsigned=True).ref.digest

    return installed


@pytest.fixture
def counting(kernel: Kernel, unit, tmp_path: Path) -> Kernel:
    """``acme/counter@1.0.0`` is active and has counted to 3; 1.1.0 is installed."""
    kernel.install(str(unit("counter")), allow_unsigned=True)
    kernel.apply(kernel.plan(add=[COUNTER]), consent=True)
    for _ in range(3):
        kernel.call("acme/counter:increment")
    kernel.install(str(version(unit("counter"), "1.1.0", tmp_path / "next")), allow_unsigned=True)
    return kernel


@pytest.fixture(autouse=True)
def _shared(compiled_once: None) -> None:
    """No test below looks at how code is compiled."""
