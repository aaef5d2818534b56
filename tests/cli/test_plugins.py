"""The plugin verbs, the scaffold that they make, and commands that plugins bring."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import types
from importlib import metadata

import click
import pytest

from remit.kernel.hookspecs import hookimpl


@pytest.fixture
def entry_points(monkeypatch):
    """Pretends that distributions offer these plugins."""

    class Point:
        dist = None

        def __init__(self, name, load):
            self.name = name
            self.load = load

    def offer(**loads):
        monkeypatch.setattr(metadata, "entry_points", lambda **_: [Point(*item) for item in loads.items()])

    return offer


def _hook(name, function):
    return types.SimpleNamespace(**{name: hookimpl(function)})


def _missing():
    raise ImportError("no such module")


@pytest.mark.usefixtures("home")
def test_plugins_are_listed_switched_and_broken_ones_named(remit, entry_points):
    entry_points(good=lambda: _hook("remit_gc_roots", lambda: ["sha256:0"]), broken=_missing)
    listed = {one["name"]: one for one in json.loads(remit("plugin", "list", "--json").stdout)["plugins"]}
    assert listed["good"]["state"] == "active"
    assert listed["good"]["hooks"] == ["remit_gc_roots"]
    assert listed["broken"]["state"] == "broken"
    assert "no such module" in listed["broken"]["failures"][0]["error"]
    assert listed["remit.sandbox.plugin"]["origin"] == "built in"
    remit("plugin", "disable", "good")
    assert "good is off: local disabled it" in remit("plugin", "list").stdout
    remit("plugin", "enable", "good")
    assert "good is off" not in remit("plugin", "list").stdout
    assert remit("plugin", "disable", "nobody", code=1).stderr.startswith("error[RM-9003]")


def test_a_plugins_command_is_found_and_a_broken_plugin_is_only_a_warning(remit, entry_points):
    hello = click.Command("hello", callback=lambda: click.echo("hi"))
    init = click.Command("init", callback=lambda: click.echo("stolen"))
    entry_points(good=lambda: _hook("remit_commands", lambda: [hello, init]), broken=_missing)
    result = remit("hello")
    assert result.stdout == "hi\n"
    assert "warning: plugin broken failed" in result.stderr
    assert "stolen" not in remit("init", "--help").stdout
    assert remit("unheard-of", code=64).stderr.count("error[RM-1000]") == 1


def test_the_help_lists_the_commands_of_plugins_and_stands_without_a_broken_one(remit, entry_points):
    hello = click.Command("hello", callback=lambda: None, help="Greet\x1b[31m everybody.\n\nAt length.")
    shy = click.Command("shy", callback=lambda: None, hidden=True)
    init = click.Command("init", callback=lambda: None, help="Stolen.")
    entry_points(good=lambda: _hook("remit_commands", lambda: [hello, shy, init]), broken=_missing)
    result = remit("--help")
    _, _, others = result.stdout.partition("Commands of plugins:\n")
    assert [line.split()[0] for line in others.splitlines() if line.strip()][:1] == ["hello"]
    assert "\x1b" not in result.stdout
    assert "Stolen" not in result.stdout
    assert "shy" not in result.stdout
    assert "warning: plugin broken failed" in result.stderr
    assert "plugins" not in remit("unit", "--help").stdout


def test_a_new_plugin_passes_its_own_tests(remit, tmp_path):
    made = json.loads(remit("plugin", "new", "acme-audit", "--dir", tmp_path, "--json").stdout)
    assert sorted(made["files"]) == ["README.md", "acme_audit.py", "pyproject.toml", "tests/test_acme_audit.py"]
    arguments = ["-m", "pytest", "-q", "-p", "remit.testing.plugin", "-p", "no:cacheprovider"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=made["folder"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout


@pytest.mark.parametrize("name", ["Acme", "a b", "../up", "", "a--b", "x" * 61])
def test_a_name_that_no_distribution_could_have_is_refused(remit, tmp_path, name):
    assert remit("plugin", "new", name, "--dir", tmp_path, code=64).stderr.startswith("error[RM-1000]")
    assert list(tmp_path.iterdir()) == []


def test_nothing_that_exists_is_overwritten(remit, tmp_path):
    (tmp_path / "mine").mkdir()
    remit("plugin", "new", "mine", "--dir", tmp_path, code=64)
    assert list((tmp_path / "mine").iterdir()) == []
