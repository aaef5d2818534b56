"""What an entry of the adversarial list is given: a world, and a place of its own."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from remit.kernel.model import EntityRef


@pytest.fixture
def at(world, new_world, tmp_path, monkeypatch):
    """The simulated home, a folder, and a way to change what must not be changed."""
    return SimpleNamespace(
        world=world, new_world=new_world, folder=tmp_path, patch=monkeypatch, home=EntityRef("Home", "home")
    )
