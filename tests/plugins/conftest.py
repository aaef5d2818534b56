"""Operators of a home that plugins serve."""

from __future__ import annotations

import pytest

from remit.host import new_token
from remit.host.service import digest


@pytest.fixture
def operators(active_home):
    """Gives operators of remit.toml a token each: ``operators(bob=["caller"])`` gives tokens by name."""

    def give(**roles):
        tokens = {}
        text = ""
        for name, held in roles.items():
            tokens[name], known = new_token(active_home)
            text += f"\n[operator.{name}]\nroles = {held!r}\ntokens = [{known!r}]\n".replace("'", '"')
            assert digest(tokens[name]) == known
        config = active_home / "remit.toml"
        config.write_text(config.read_text() + text)
        return tokens

    return give


@pytest.fixture(autouse=True)
def _shared(compiled_once):
    """No test below looks at how code is compiled."""
