"""Homes that other processes work on, and a kernel as those who embed it and its clients see it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from remit.host import Client, Home, Kernel
from tests.host.processes import KERNEL, Program

OPERATORS = """
[operator.viewer]
roles = ["viewer"]
[operator.caller]
roles = ["caller"]
[operator.keeper]
roles = ["operator"]
"""


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


@pytest.fixture
def served(home):
    """The kernel of a fresh home that has an operator of each role."""
    config = home / "remit.toml"
    config.write_text(config.read_text() + OPERATORS)
    with Kernel.open(home) as kernel:
        yield kernel


@pytest.fixture(params=["kernel", "client"])
def facade(request, served, home):
    """The same façade twice: the kernel's own, and that of a client over the home's socket."""
    if request.param == "kernel":
        yield served
    else:
        with Client(Home.open(home)) as client:
            yield client


@pytest.fixture(scope="module")
def serving(active_template, tmp_path_factory):
    """A kernel for many examples, and its socket."""
    home = Path(shutil.copytree(active_template, tmp_path_factory.mktemp("serving") / "home"))
    with Kernel.open(home) as kernel:
        yield kernel, home


@pytest.fixture(autouse=True)
def _shared(compiled_once):
    """No test below looks at how code is compiled."""
