"""Making a home: whole, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from remit.errors import HomeError
from remit.host import Kernel, init


def test_a_home_whose_making_was_cut_off_can_be_made_again(tmp_path, monkeypatch):
    def cut(_self, _target):
        raise OSError(5, "cut off")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", cut)
        with pytest.raises(HomeError):
            init(tmp_path / "home")
    init(tmp_path / "home")
    with Kernel.open(tmp_path / "home", serve=False) as kernel:
        assert kernel.home().generation == 0
