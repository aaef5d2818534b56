"""The operator's file: edited as little as possible, and always to what a generation holds."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.kernel.model import UnitRef
from remit.schemas.config import load_config
from remit.units.generation import ActiveUnit
from remit.units.wanted import rewrite

TEXT = """\
schema = "home/v1"
# the first one matters
[[unit]]
id = "acme/a"  # why a
version = "^1"

[[unit]]
id = "acme/b"
version = "^1"
parameters = { mask = "*" }  # as the lawyers want it

# ==== routing: owned by team B
[document.routing]
base = { a = 1 }
"""


def active(name: str, **more: object) -> ActiveUnit:
    fields = {"range": "^1", "parameters": {"mask": "*"} if name == "b" else {}, "choices": {}, "pin": ""} | more
    ref = UnitRef(f"acme/{name}", "1.0.0", f"sha256:{name}", "config", "local")
    return ActiveUnit(ref=ref, slots=(), patches=(), **fields)


def rewritten(*units: ActiveUnit, text: str = TEXT) -> str:
    return rewrite(text, units, {}, load_config(text.encode()))


def listed(text: str) -> list[dict]:
    return tomllib.loads(text).get("unit", [])


def test_a_text_that_says_it_already_is_left_as_it_is():
    assert rewritten(active("a"), active("b")) == TEXT


def test_a_new_unit_stands_behind_the_others_and_before_the_next_section():
    text = rewritten(active("a"), active("b"), active("c"))
    assert [entry["id"] for entry in listed(text)] == ["acme/a", "acme/b", "acme/c"]
    assert text.index('"acme/c"') < text.index("# ==== routing") < text.index("[document.routing]")


@pytest.mark.parametrize("left", [(), ("a",), ("b",), ("a", "b"), ("b", "a"), ("c",), ("c", "a")])
def test_no_comment_of_another_section_is_lost_or_moved_from_it(left):
    text = rewritten(*map(active, left))
    assert [entry["id"] for entry in listed(text)] == [f"acme/{name}" for name in left]
    assert "# the first one matters" in text
    assert text.index("# ==== routing") < text.index("[document.routing]") or not left
    assert "# ==== routing: owned by team B" in text


@given(st.lists(st.sampled_from("abcdef"), unique=True), st.lists(st.sampled_from("abcdef"), unique=True))
def test_any_list_becomes_any_other(before, after):
    first = rewritten(*map(active, before))
    second = rewritten(*map(active, after), text=first)
    assert [entry["id"] for entry in listed(second)] == [f"acme/{name}" for name in after]
    assert tomllib.loads(second)["document"] == {"routing": {"base": {"a": 1}}}
    assert rewritten(*map(active, after), text=second) == second


@given(
    st.dictionaries(st.text("ab-_.", min_size=1, max_size=4), st.one_of(st.text(), st.booleans(), st.integers(-9, 9))),
    st.booleans(),
)
def test_parameters_and_slots_are_said_as_they_are(parameters, chosen):
    unit = active("a", parameters=parameters, choices={"guard": chosen}, pin="sha256:" + "0" * 64)
    [entry] = listed(rewritten(unit))
    assert entry.get("parameters", {}) == parameters
    assert (entry["slots"], entry["pin"]) == ({"guard": chosen}, "sha256:" + "0" * 64)
