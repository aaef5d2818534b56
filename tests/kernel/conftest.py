"""A kernel among simulators."""

from __future__ import annotations

import pytest

from tests.kernel.simulators import World


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path / "journal")
    yield world
    world.journal.close()
