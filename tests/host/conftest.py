"""Homes that other processes work on."""

from __future__ import annotations

import pytest

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
