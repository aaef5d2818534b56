"""The plugins under ``examples/plugins``: each passes its own tests and builds, as for its author."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLUGINS = sorted(path.parent for path in (ROOT / "examples" / "plugins").glob("*/pyproject.toml"))


def test_the_readme_names_every_plugin():
    readme = (ROOT / "examples" / "plugins" / "README.md").read_text("utf-8")
    assert [plugin.name for plugin in PLUGINS if f"`{plugin.name}`" in readme] == [plugin.name for plugin in PLUGINS]
    assert len(PLUGINS) >= 3


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda plugin: plugin.name)
def test_a_plugin_passes_its_own_tests(plugin):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])}
    words = ["-m", "pytest", "-q", "-p", "remit.testing.plugin", "-p", "no:cacheprovider", "-p", "no:randomly"]
    done = subprocess.run(
        [sys.executable, *words], cwd=plugin, env=environment, capture_output=True, text=True, timeout=250, check=False
    )
    assert done.returncode == 0, done.stdout[-4_000:] + done.stderr[-1_000:]


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda plugin: plugin.name)
def test_a_plugin_builds_a_wheel_with_its_entry_point(plugin, tmp_path):
    words = ["-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run([sys.executable, *words], cwd=plugin, capture_output=True, timeout=250, check=True)
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as files:
        [name] = [name for name in files.namelist() if name.endswith("entry_points.txt")]
        points = files.read(name).decode()
        assert "[remit.plugins]" in points
        assert f"{points.rpartition(' = ')[2].strip()}.py" in files.namelist()
