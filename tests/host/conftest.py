"""Homes that other processes work on, and a unit that runs longer than a test."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from remit.host import Kernel, build_unit
from tests.host.processes import KERNEL, Program


@pytest.fixture
def program():
    """Starts Python programs, and ends what is left of them."""
    started = []

    def start(source, *arguments):
        started.append(Program(source, *arguments))
        return started[-1]

    yield start
    for one in started:
        one.clean()


@pytest.fixture
def other_kernel(program):
    """Starts a process that is the kernel of a home."""

    def start(home):
        one = program(KERNEL, home)
        one.until("ready")
        return one

    return start


@pytest.fixture(scope="session")
def patient_template(tmp_path_factory, active_template, unit):
    """An active home whose loop may run for a minute."""
    root = tmp_path_factory.mktemp("homes") / "patient"
    shutil.copytree(active_template, root)
    folder = tmp_path_factory.mktemp("units") / "loop"
    shutil.copytree(unit("loop"), folder)
    manifest = folder / "unit.toml"
    text = manifest.read_text().replace('"250ms"', '"60s"').replace('"1.0.0"', '"1.1.0"')
    manifest.write_text(text)
    build_unit(folder)
    with Kernel.open(root) as kernel:
        kernel.apply(kernel.plan(add=[kernel.install(str(folder), allow_unsigned=True)]), consent=True)
    return root


@pytest.fixture
def patient_home(tmp_path, patient_template):
    """The path of a home in which ``acme/loop:spin`` runs for a minute."""
    return Path(shutil.copytree(patient_template, tmp_path / "patient"))
