"""Secrets: what a unit may read goes nowhere else, and what it may not read nowhere at all."""

from __future__ import annotations

import pytest

from remit.errors import UnitFailed
from remit.kernel.model import Caller

SECRET = "correct-horse-battery"


@pytest.mark.parametrize("name", ["other", "../token", ""])
def test_secret(attack, ends, name):
    code, _ = attack("secret", name)
    assert code in {"denied", "invalid"}
    ends(f"refused: {code}")


@pytest.mark.parametrize("where", ["state", "event"])
def test_secret_kept(attack, ends, where):
    assert attack(f"secret-in-{where}")[0] == "denied"
    ends("refused: denied")


def test_secret_handed_to_another_unit(attack, ends):
    assert attack("secret-to-unit", "acme/bouncer:bounce")[0] == "denied"
    ends("refused: denied")


def test_secret_in_an_error(attack, ends):
    code, message = attack("secret-in-error")
    assert code == "RM-7004 UnitRejected"
    assert SECRET not in message
    assert "[token]" in message
    ends("RM-7004 UnitRejected, the secret masked")


def test_secret_in_log_output_and_transcript(arena, attack, ends):
    assert attack("secret-in-log", record="full") == ("answered", '"k"')
    assert attack("secret", "token", record="full") == ("answered", f'"{SECRET}"')
    assert SECRET not in arena.journalled()
    ends("masked in everything that is kept")


def test_secret_heard_from_another_unit(arena, ends):
    with pytest.raises(UnitFailed) as caught:
        arena.kernel.call("acme/relay:keep", caller=Caller(record="full"))
    assert "[token]" in caught.value.message
    assert SECRET not in str(caught.value)
    assert SECRET not in arena.journalled()
    ends("refused: denied in state; masked in log, error and transcript")
