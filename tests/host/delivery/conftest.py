"""Homes in which ``acme/react`` is active."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from remit.host import Kernel


@pytest.fixture(scope="session")
def react_template(tmp_path_factory, home_template, unit):
    root = tmp_path_factory.mktemp("homes") / "react"
    shutil.copytree(home_template, root)
    with Kernel.open(root) as kernel:
        kernel.apply(kernel.plan(add=[kernel.install(str(unit("react")), allow_unsigned=True)]), consent=True)
    return root


@pytest.fixture
def react_home(tmp_path, react_template):
    """The path of a home whose unit reacts to job.made, loop.turned and live.seen."""
    return Path(shutil.copytree(react_template, tmp_path / "react"))
