"""Killed at any statement of the journal or change of a file, an operation leaves the old home or the new, whole."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.crash.killing import kill
from tests.crash.scenes import SCENES, Scene

POINTS = 6 * int(os.environ.get("REMIT_SOAK", "1")) ** 2
"""At soak size more than any operation has."""


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_the_next_start_is_old_or_new(
    scene: Scene, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    verdict = kill(scene, tmp_path, POINTS)
    record_property("kill points", len(verdict.old) + len(verdict.new))
    # One commit decides: every point before it is old, every point after it new.
    assert max(verdict.old, default=0) < min(verdict.new, default=verdict.points + 1)
    assert verdict.new, "the last point comes after the commit"
