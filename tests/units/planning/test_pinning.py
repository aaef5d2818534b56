"""Pins: a unit stays where it is until it is released, and nobody is left to wonder why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import tomlkit

from remit.errors import PlanBlocked, UnitUnknown
from remit.host import Kernel

Install = Callable[[Path], str]


@pytest.fixture
def two(kernel: Kernel, author, install: Install) -> Kernel:
    """``acme/tone`` 1.0.0 is active, 1.1.0 is installed."""
    install(author.config("acme/tone", "{ a = 0 }"))
    kernel.apply(kernel.plan(add=["acme/tone"]))
    install(author.config("acme/tone", "{ a = 1 }", version="1.1.0"))
    return kernel


def version(kernel: Kernel) -> str:
    [unit] = kernel.history()[-1].units
    return unit.ref.version


def test_a_pinned_unit_does_not_move_and_the_plan_says_why(two: Kernel) -> None:
    two.apply(two.plan(pin={"acme/tone": "="}))
    plan = two.plan(add=["acme/tone"])
    assert not plan.changed
    [finding] = plan.findings
    assert (finding.id, finding.severity) == ("pin.holds", "warning")
    assert "pinned to 1.0.0, so 1.1.0 is not taken" in finding.message
    assert "--release" in finding.remedy


def test_a_command_that_a_pin_makes_impossible_is_refused(two: Kernel) -> None:
    two.apply(two.plan(pin={"acme/tone": "="}))
    plan = two.plan(add=["acme/tone@=1.1.0"])
    assert [(f.id, f.severity) for f in plan.findings] == [("pin.holds", "blocking")]
    with pytest.raises(PlanBlocked):
        two.apply(plan)


def test_a_released_unit_moves_again(two: Kernel) -> None:
    two.apply(two.plan(pin={"acme/tone": "="}))
    two.apply(two.plan(pin={"acme/tone": ""}))
    two.apply(two.plan(add=["acme/tone"]))
    assert version(two) == "1.1.0"


def test_a_pin_may_name_a_version(two: Kernel, home: Path) -> None:
    two.apply(two.plan(pin={"acme/tone": "^1.1"}))
    assert version(two) == "1.1.0"
    [unit] = tomlkit.parse((home / "remit.toml").read_text()).unwrap()["unit"]
    assert unit["pin"].startswith("sha256:")


@pytest.mark.parametrize("pin", [{"acme/none": "="}, {"acme/tone": "^9"}])
def test_what_is_not_there_cannot_be_pinned(two: Kernel, pin: dict[str, str]) -> None:
    with pytest.raises(UnitUnknown):
        two.plan(pin=pin)


def test_a_reverted_unit_is_not_upgraded_until_it_is_released(two: Kernel) -> None:
    two.apply(two.plan(add=["acme/tone"]))
    assert version(two) == "1.1.0"
    two.revert("acme/tone")
    assert version(two) == "1.0.0"
    assert not two.plan(add=["acme/tone"]).changed
    assert "--release" in two.history()[-1].message
    two.apply(two.plan(pin={"acme/tone": ""}))
    two.apply(two.plan(add=["acme/tone"]))
    assert version(two) == "1.1.0"


def test_undoing_the_revert_of_a_unit_takes_its_pin_away(two: Kernel) -> None:
    two.apply(two.plan(add=["acme/tone"]))
    two.revert("acme/tone")
    two.revert("acme/tone")
    [unit] = two.history()[-1].units
    assert (unit.ref.version, unit.pin) == ("1.1.0", "")


def test_generations_form_a_chain_of_digests(two: Kernel) -> None:
    two.apply(two.plan(add=["acme/tone"]), message="why not")
    shown = [two.generation(number) for number in (1, 2)]
    assert shown[1]["parent"] == shown[0]["digest"] != shown[1]["digest"]
    assert (shown[1]["author"], shown[1]["message"]) == ("local", "why not")
    assert shown[1]["effective"]["assistant"]["a"] == 1
