"""Makefile, lock and continuous integration: what a stranger runs first."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import remit

TARGETS = ["demo", "test", "docs", "lint", "audit", "build", "bench", "soak", "lock", "clean", "help"]


def make(root, *words):
    return subprocess.run(["make", *words], cwd=root, capture_output=True, text=True, check=False)


def locked(root, name):
    text = (root / "requirements" / f"{name}.txt").read_text("utf-8")
    return {
        canonicalize_name(name): (version, text.count("--hash=sha256:", at.end(), _end(text, at.end())))
        for at in re.finditer(r"^(?P<name>[A-Za-z0-9._-]+)(?:\[[^]]*\])?==(?P<version>[^ ;\\]+)", text, re.MULTILINE)
        for name, version in [(at["name"], at["version"])]
    }


def _end(text, start):
    following = re.compile(r"^[A-Za-z0-9]", re.MULTILINE).search(text, start)
    return following.start() if following else len(text)


@pytest.fixture(scope="module")
def project(root):
    return tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]


def test_help_is_the_default_and_names_every_target(root):
    said = make(root).stdout
    assert said == make(root, "help").stdout
    assert sorted(re.findall(r"make ([a-z]+) ", said)) == sorted(TARGETS)


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_can_be_made_from_nothing(root, target, tmp_path):
    done = make(root, "--dry-run", f"VENV={tmp_path}/venv", target)
    assert done.returncode == 0, done.stderr


def test_an_old_python_is_refused_by_name(root, tmp_path):
    old = tmp_path / "python3"
    pretend = "import sys; sys.version_info = (3, 10, 0); exec(sys.argv[2])"
    old.write_text(f"#!/bin/sh\nexec {sys.executable} -c '{pretend}' \"$@\"\n")
    old.chmod(0o755)
    done = make(root, f"PYTHON={old}", f"VENV={tmp_path}/venv", f"{tmp_path}/venv/.created")
    assert done.returncode != 0
    assert "Python 3.11 or later" in done.stderr
    assert not (tmp_path / "venv").exists()


def test_continuous_integration_runs_lint_and_test_and_nothing_else(root):
    script = (root / ".ci" / "run").read_text("utf-8")
    assert [line for line in script.splitlines() if line.startswith("make")] == ["make lint", "make test"]
    assert (root / ".ci" / "run").stat().st_mode & 0o111


@pytest.mark.parametrize(("name", "extra"), [("run", "author"), ("dev", "dev")])
def test_the_lock_satisfies_every_range_of_the_project(root, project, name, extra):
    versions = locked(root, name)
    wanted = [*project["dependencies"], *project["optional-dependencies"][extra]]
    for requirement in map(Requirement, wanted):
        if requirement.name != "remit":
            assert versions[canonicalize_name(requirement.name)][0] in requirement.specifier


def test_both_locks_agree_so_that_they_share_one_environment(root):
    run, dev = locked(root, "run"), locked(root, "dev")
    assert {name: version for name, (version, _) in run.items()} == {name: dev[name][0] for name in run}


@pytest.mark.parametrize("name", ["run", "dev"])
def test_every_locked_file_has_a_hash_and_no_place(root, name):
    assert [package for package, (_, hashes) in locked(root, name).items() if not hashes] == []
    text = (root / "requirements" / f"{name}.txt").read_text("utf-8")
    assert re.findall(r"https?://|file:|--(?:extra-)?index-url|--find-links|^-f|(?<!\w)/\w+/", text, re.MULTILINE) == []


def test_the_version_in_the_code_is_the_projects(project):
    assert remit.__version__ == project["version"]
