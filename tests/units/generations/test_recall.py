"""Recall: an answer is given again for the very same objects only, and what is kept is bounded."""

from __future__ import annotations

import msgspec

from remit.kernel.model import UnitRef
from remit.units.generations.generation import GENESIS, ActiveUnit
from remit.units.generations.recall import Recall

UNIT = ActiveUnit(UnitRef("acme/a", "1.0.0", "sha256:a", "config", "local"), "*", {"n": 1}, (), {}, "", ())


def again() -> ActiveUnit:
    """Another object that says the same."""
    return msgspec.structs.replace(UNIT)


def alike() -> ActiveUnit:
    """One that Python takes for the same, and JSON does not."""
    return msgspec.structs.replace(UNIT, parameters={"n": True})


def test_the_same_objects_are_asked_about_once() -> None:
    recall, asked = Recall(), []
    for _ in range(3):
        recall.of("question", [UNIT], lambda: asked.append(1))
    assert len(asked) == 1


def test_objects_that_are_only_equal_are_asked_about_anew() -> None:
    recall = Recall()
    assert recall.of("question", [UNIT], lambda: "one") == "one"
    assert recall.of("question", [alike()], lambda: "other") == "other"
    assert recall.of("question", [UNIT, UNIT], lambda: "both") == "both"
    assert recall.of("another question", [UNIT], lambda: "else") == "else"


def test_an_entry_is_the_running_one_where_that_says_the_same_as_json() -> None:
    recall, running = Recall(), again()
    assert recall.entry("key", running, lambda: UNIT) is running
    assert recall.entry("key", None, lambda: UNIT) is running
    other = alike()
    assert recall.entry("other", other, lambda: UNIT) is UNIT


def test_what_comes_back_from_the_journal_is_known_by_its_answers() -> None:
    recall, after = Recall(), again()
    recall.of("question", [UNIT], lambda: "known")
    recall.adopt(msgspec.structs.replace(GENESIS, units=(UNIT,)), msgspec.structs.replace(GENESIS, units=(after,)))
    assert recall.of("question", [after], lambda: "asked anew") == "known"


def test_what_is_kept_is_bounded() -> None:
    recall = Recall()
    for number in range(1_000):
        recall.of(f"question {number}", [UNIT], lambda: None)
        recall.of("one question", [again()], lambda: None)
    assert len(recall._answers) <= 100
    assert all(len(kept) <= 10 for kept in recall._answers.values())
