"""A home in which ``acme/echo`` answers and ``acme/react`` reacts, and the process that serves it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from remit.host import Kernel, new_token
from tests.live.server import Server

AGENTS = 20


@pytest.fixture
def busy_home(tmp_path, react_home, unit):
    """The path of a home with units and operators; its agents' tokens, who may call and emit; an onlooker's token."""
    home = Path(shutil.copytree(react_home, tmp_path / "busy"))
    tokens, text = [], ""
    for number in range(AGENTS):
        token, known = new_token(home)
        tokens.append(token)
        text += f'\n[operator.agent-{number}]\nroles = ["caller"]\ntokens = ["{known}"]\n'
    token, known = new_token(home)
    text += f'\n[operator.onlooker]\nroles = ["viewer"]\ntokens = ["{known}"]\n'
    config = home / "remit.toml"
    config.write_text(config.read_text() + text)
    with Kernel.open(home, serve=False) as kernel:
        kernel.apply(kernel.plan(add=[kernel.install(str(unit("echo")), allow_unsigned=True)]), consent=True)
    return home, tokens, token


@pytest.fixture
def server(busy_home):
    """The process that serves the busy home; it may be killed and started again."""
    home, *_ = busy_home
    made = Server(home)
    yield made
    made.clean()
