"""``remit unit apply`` killed at every journal statement and file change: the next start has old or new, whole."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import tomlkit

from remit.host import Kernel, init, verify_journal

CHILD = Path(__file__).with_name("killed.py")


def unit(folder: Path, name: str, key: str) -> Path:
    folder.mkdir()
    (folder / "unit.toml").write_text(
        f'schema = "unit/v1"\nid = "acme/{name}"\nversion = "1.0.0"\nkind = "config"\ntitle = "t"\n'
        f'license = "Apache-2.0"\n[[patch]]\ntarget = "assistant"\nop = "merge"\nvalue = {{ {key} = true }}\n'
    )
    return folder


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with ``acme/old`` active and ``acme/new`` installed."""
    folder = tmp_path_factory.mktemp("crash")
    home = folder / "home"
    init(home)
    with Kernel.open(home) as kernel:
        kernel.install(str(unit(folder / "old", "old", "old")), allow_unsigned=True)
        kernel.install(str(unit(folder / "new", "new", "new")), allow_unsigned=True)
        kernel.apply(kernel.plan(add=["acme/old"]), consent=True)
    return home


def run(point: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(CHILD), str(point), *arguments], capture_output=True, text=True, timeout=120, check=False
    )


def whole(home: Path) -> str:
    """Whether the home is at the old or at the new generation; fails on anything in between."""
    with Kernel.open(home) as kernel:
        active = [entry.ref.id for entry in kernel.units() if entry.active]
        document = kernel.document("assistant")
        wanted = [entry["id"] for entry in tomlkit.parse((home / "remit.toml").read_text()).unwrap()["unit"]]
        assert wanted == active
        assert not kernel.plan().changed
        assert not list((home / ".remit").glob("*.pending"))
        history = [generation.number for generation in kernel.history()]
        assert history == list(range(len(history)))
    verify_journal(home)
    if active == ["acme/old"]:
        assert document == {"model": "small", "guards": {}, "old": True}
        return "old"
    assert active == ["acme/old", "acme/new"]
    assert document == {"model": "small", "guards": {}, "old": True, "new": True}
    return "new"


def kill_everywhere(template: Path, tmp_path: Path, *arguments: str) -> list[str]:
    """Kill the command at each of its points in turn, and say what each next start found."""
    rehearsal = tmp_path / "rehearsal"
    shutil.copytree(template, rehearsal)
    done = run(0, *arguments, "--home", str(rehearsal))
    points = int(re.findall(r"points=(\d+)", done.stderr)[0])

    def kill_at(point: int) -> str:
        home = tmp_path / f"at{point}"
        shutil.copytree(template, home)
        killed = run(point, *arguments, "--home", str(home))
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        state = whole(home)
        shutil.rmtree(home)
        return state

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(kill_at, range(1, points + 1)))


def test_apply_is_old_or_new_wherever_it_is_killed(template: Path, tmp_path: Path, record_property) -> None:
    found = kill_everywhere(template, tmp_path, "unit", "apply", "acme/new", "--yes")
    record_property("kill points", len(found))
    switch = found.index("new")
    assert found == ["old"] * switch + ["new"] * (len(found) - switch)


def test_a_killed_apply_can_be_repeated(template: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(template, home)
    assert run(20, "unit", "apply", "acme/new", "--yes", "--home", str(home)).returncode == -signal.SIGKILL
    assert run(0, "unit", "apply", "acme/new", "--yes", "--home", str(home)).returncode == 0
    assert whole(home) == "new"
