"""The layer contract really catches what it is there to catch."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

LINT = Path(sys.executable).parent / "lint-imports"


@pytest.fixture
def copy(root, tmp_path):
    shutil.copytree(root / "remit", tmp_path / "remit", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(root / "pyproject.toml", tmp_path)
    return tmp_path


def lint(copy):
    done = subprocess.run([LINT, "--no-cache"], cwd=copy, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_the_layers_are_kept(copy):
    code, said = lint(copy)
    assert code == 0, said


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("kernel/planted.py", "remit.units"),
        ("schemas/planted.py", "remit.kernel"),
        ("units/planted.py", "remit.policy"),
        ("sandbox/planted.py", "remit.registry"),
        ("policy/planted.py", "remit.host"),
        ("host/facade/planted.py", "remit.host.operations"),
        ("host/home/planted.py", "remit.host.wire"),
        ("sandbox/wit/planted.py", "remit.sandbox.guest"),
        ("sandbox/engines/planted.py", "remit.sandbox.crossing"),
        ("units/generations/planted.py", "remit.units.planning"),
        ("units/planning/planted.py", "remit.units.applying"),
        ("policy/sets/planted.py", "remit.policy.leases"),
        ("policy/deciding/planted.py", "remit.policy.reviewing"),
        ("sandbox/egress/planted.py", "remit.sandbox.interfaces"),
    ],
)
def test_an_import_that_goes_up_or_sideways_is_caught(copy, module, imported):
    (copy / "remit" / module).write_text(f"import {imported}\n")
    code, said = lint(copy)
    assert code == 1
    assert f"remit.{module.replace('/', '.').removesuffix('.py')} -> {imported}" in said


@pytest.mark.parametrize("within", ["", "policy", "sandbox", "units"])
def test_a_room_that_the_contract_does_not_name_is_caught(copy, within):
    (copy / "remit" / within / "utils").mkdir()
    (copy / "remit" / within / "utils" / "__init__.py").write_text("")
    code, said = lint(copy)
    assert code == 1
    assert "utils" in said
