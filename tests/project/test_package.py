"""Wheel and sdist, as somebody gets them who has no checkout."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile

import pytest

HEAVY = {"wasmtime", "cedarpy", "sigstore", "jsonschema", "jsonschema_rs", "rich", "cryptography"}
DATA = [
    "remit/py.typed",
    "remit/schemas/unit-v1.json",
    "remit/schemas/home-v1.json",
    "remit/schemas/event-v1.json",
    "remit/schemas/unit.wit",
    "remit/schemas/remit.cedarschema",
    "remit/policy/postures/standard.cedar",
    "remit/policy/postures/strict.cedar",
    "remit/sdk/c/remit.h",
    "remit/sdk/js/package-lock.json",
    "remit/sdk/js/src/index.ts",
    "remit/sdk/python/remit_unit/wit/unit.wit",
]


@pytest.fixture(scope="module")
def wheel(dist):
    return next(dist.glob("*.whl"))


@pytest.fixture(scope="module")
def bare(wheel, tmp_path_factory):
    """An environment with only the wheel in it; dependencies are borrowed from this one, so nothing is downloaded."""
    place = tmp_path_factory.mktemp("bare") / "venv"
    venv.create(place, symlinks=True)
    python = place / "bin" / "python"
    command = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel]
    subprocess.run(command, check=True, capture_output=True)
    packages = next((place / "lib").glob("python*")) / "site-packages"
    # Paths in a .pth come last, and .pth files found there are not read: an editable remit stays out.
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return place


def run(bare, *words):
    done = subprocess.run([bare / "bin" / words[0], *words[1:]], cwd=bare, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_command_starts_from_the_wheel(bare):
    assert "Usage: remit" in run(bare, "remit", "--help")


def test_the_package_that_is_imported_is_the_wheels(bare):
    assert run(bare, "python", "-c", "import remit; print(remit.__file__)").startswith(str(bare))


def test_importing_remit_loads_nothing_heavy(bare):
    loaded = json.loads(run(bare, "python", "-c", "import remit, sys, json; print(json.dumps(sorted(sys.modules)))"))
    assert HEAVY & set(loaded) == set()


@pytest.mark.parametrize("name", DATA)
def test_the_wheel_carries_the_packages_data(wheel, name):
    assert name in zipfile.ZipFile(wheel).namelist()


def test_the_schemas_are_readable_from_the_wheel(bare):
    assert "package remit:unit@" in run(bare, "python", "-c", "import remit.schemas as s; print(s.text('unit.wit'))")


def test_every_module_of_the_source_is_in_the_wheel_and_nothing_else(wheel, root):
    modules = {str(path.relative_to(root)) for path in (root / "remit").rglob("*.py")}
    modules |= {f"remit/{path.relative_to(root)}" for path in (root / "sdk" / "python" / "remit_unit").rglob("*.py")}
    assert {name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".py")} == modules


def test_the_wheel_carries_its_licence(wheel):
    names = [name for name in zipfile.ZipFile(wheel).namelist() if name.endswith("/licenses/LICENSE")]
    assert "Apache License" in zipfile.ZipFile(wheel).read(names[0]).decode()


@pytest.fixture(scope="module")
def source(dist):
    with tarfile.open(next(dist.glob("*.tar.gz"))) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


@pytest.mark.parametrize(
    "name",
    [
        "pyproject.toml",
        "Makefile",
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "requirements/run.txt",
        "requirements/dev.txt",
        "units/redact/unit.toml",
        "units/wat/echo/echo.wat",
        "tools/check_sizes.py",
        "tests/project/test_package.py",
        "docs/formats.md",
        ".ci/run",
    ],
)
def test_the_sdist_is_enough_to_work_from(source, name):
    assert name in source


def test_the_sdist_carries_nothing_generated(source, tool):
    assert tool("check_tracked").generated(sorted(source)) == []
