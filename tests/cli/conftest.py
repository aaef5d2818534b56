"""Homes with tiny units, and a way to run commands as a person would: in process, or as a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from remit.cli import root
from remit.host import build_unit

ROOT = Path(__file__).resolve().parents[2]
UNITS = ROOT / "units"
ENTRY = "from remit.cli import main; main()"
TELLING = """
from remit.cli import main
from remit.host import Kernel, kernel

kernel._LINGER_S = 0.2  # a minute of a test's time is not needed to see that it ends
opened = Kernel.open

def telling(*arguments, **named):
    kernel = opened(*arguments, **named)
    runner = kernel._rooms.runner
    run = runner.run

    def told(*arguments, **named):
        print("running", flush=True)
        return run(*arguments, **named)

    runner.run = told
    return kernel

Kernel.open = telling
main()
"""


def make_tool(
    folder: Path, name: str, *, like: str = "echo", schema: dict[str, Any] | None = None, **changes: str
) -> Path:
    """A copy of a tiny unit with another name; ``changes`` replace text in its manifest."""
    source = UNITS / "wat" / like
    target = folder / name
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.wasm", ".cache"))
    text = (target / "unit.toml").read_text().replace(f'"acme/{like}"', f'"acme/{name}"')
    for old, new in changes.items():
        text = text.replace(old, new)
    if schema is not None:
        (target / "input.json").write_text(json.dumps(schema))
        text = text.partition("[[test]]")[0].replace("idempotent = true", 'idempotent = true\ninput = "input.json"')
    (target / "unit.toml").write_text(text)
    build_unit(target)
    return target


def make_config(folder: Path, name: str, value: str, version: str = "1.0.0") -> Path:
    """A unit that only merges ``value`` (TOML) into the document ``assistant``."""
    target = folder / f"{name}-{version}"
    target.mkdir()
    (target / "unit.toml").write_text(
        f'schema = "unit/v1"\nid = "acme/{name}"\nversion = "{version}"\nkind = "config"\ntitle = "A {name}"\n'
        f'license = "Apache-2.0"\n[requires]\nremit = ">=0.1,<0.2"\n'
        f'[[patch]]\ntarget = "assistant"\nop = "merge"\nvalue = {value}\n'
    )
    return target


@pytest.fixture(scope="session")
def units(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built copies of the tiny units."""
    folder = tmp_path_factory.mktemp("units")
    for name in ("echo", "counter", "sneaky", "trap"):
        make_tool(folder, name, like=name)
    text = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}}
    make_tool(folder, "texts", schema=text)
    make_tool(folder, "strict", schema={"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}})
    (slow := folder / "slow").mkdir()
    shutil.copytree(make_tool(folder, "spinner", like="loop"), slow, dirs_exist_ok=True)
    manifest = slow / "unit.toml"
    manifest.write_text(manifest.read_text().replace('"250ms"', '"5m"').replace("acme/spinner", "acme/slow"))
    make_config(folder, "tone", '{ style = { tone = "warm" } }')
    make_config(folder, "brief", "{ length = 3 }")
    make_config(folder, "brief", "{ length = 2 }", version="1.1.0")
    return folder


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, compiled_once: None) -> None:  # noqa: ARG001
    for name in ("REMIT_HOME", "REMIT_DEBUG", "NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user-cache"))


Run = Callable[..., Result]


@pytest.fixture
def remit() -> Run:
    """Run a command in this process."""

    def run(*words: str, code: int | None = 0, stdin: bytes | str | None = None) -> Result:
        result = CliRunner().invoke(root, [str(word) for word in words], input=stdin, prog_name="remit")
        if code is not None:
            assert result.exit_code == code, (words, result.exit_code, result.output)
        return result

    return run


@pytest.fixture
def home(tmp_path: Path, remit: Run, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new home, named by REMIT_HOME."""
    folder = tmp_path / "home"
    remit("init", folder)
    monkeypatch.setenv("REMIT_HOME", str(folder))
    return folder


@pytest.fixture
def echo(home: Path, remit: Run, units: Path) -> Path:
    """A home in which acme/echo is active and acme/tone is installed."""
    remit("unit", "install", units / "echo", units / "tone-1.0.0", "--allow-unsigned")
    remit("unit", "apply", "acme/echo", "--yes")
    return home


class Processes:
    """Commands as processes of their own."""

    def __init__(self) -> None:
        self._started: list[subprocess.Popen[str]] = []

    def start(self, *words: object, **environment: str) -> subprocess.Popen[str]:
        """Start one; its output is piped."""
        return self._popen(ENTRY, *words, **environment)

    def telling(self, *words: object) -> subprocess.Popen[str]:
        """Start one whose first line of output is "running": it comes when a guest starts."""
        return self._popen(TELLING, *words)

    def _popen(self, program: str, *words: object, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", program, *map(str, words)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        self._started.append(process)
        return process

    def run(self, *words: object, **environment: str) -> tuple[int, str, str]:
        """Run one to its end: exit code, standard output, standard error."""
        process = self.start(*words, **environment)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def close(self) -> None:
        """End what still runs."""
        for process in self._started:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.communicate()


@pytest.fixture
def slow(echo: Path, remit: Run, units: Path) -> Path:
    """A home with an action that takes a minute."""
    remit("unit", "install", units / "slow", "--allow-unsigned")
    remit("unit", "apply", "acme/slow", "--yes")
    return echo


@pytest.fixture
def processes() -> Iterator[Processes]:
    """A starter of processes that ends them after the test."""
    starter = Processes()
    yield starter
    starter.close()


@pytest.fixture
def wait_for() -> Callable[[Callable[[], Any]], None]:
    """Wait until something holds; a minute at most."""

    def wait(holds: Callable[[], Any]) -> None:
        end = time.monotonic() + 60
        while not holds():
            assert time.monotonic() < end, "it did not happen within a minute"
            time.sleep(0.01)

    return wait
