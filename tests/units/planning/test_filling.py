"""Parameters in patches: only what was validated and may be shown."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.errors import PatchFailed
from remit.units.manifest import Patch
from remit.units.planning.filling import fill_patches

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_characters="$")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def filled(value: Any, values: dict[str, Any], hidden: frozenset[str] = frozenset()) -> Any:
    [patch] = fill_patches([Patch(target="assistant", value={"at": value})], values, hidden)
    return patch.value["at"]


@given(json_values)
def test_a_string_that_is_a_name_becomes_the_value(value: Any) -> None:
    assert filled("${mask}", {"mask": value}) == value


@given(json_values)
def test_a_value_without_names_stays_the_same_object(value: Any) -> None:
    patch = Patch(target="assistant", value={"at": value})
    assert fill_patches([patch], {}, ())[0] is patch


def test_inside_a_text_a_scalar_is_written_out() -> None:
    assert filled("at most ${count} for ${who}", {"count": 3, "who": "you"}) == "at most 3 for you"


def test_a_doubled_sign_stands_for_itself() -> None:
    assert filled("$${mask}", {"mask": 1}) == "${mask}"


def test_json_patches_are_filled_in_their_values_only() -> None:
    operations = [{"op": "add", "path": "/${mask}", "value": "${mask}"}, {"op": "remove", "path": "/x"}]
    [patch] = fill_patches([Patch(target="assistant", op="json-patch", value=operations)], {"mask": "#"}, ())
    assert patch.value == [{"op": "add", "path": "/${mask}", "value": "#"}, {"op": "remove", "path": "/x"}]


@pytest.mark.parametrize(
    ("value", "values", "hidden"),
    [
        ("${none}", {}, ()),
        ("${token}", {"token": "x"}, ("token",)),
        ("${home}", {"home": "${HOME}"}, ()),
        ("${deep}", {"deep": {"a": ["${HOME}"]}}, ()),
        ("in ${list}", {"list": [1]}, ()),
    ],
)
def test_what_may_not_be_shown_or_is_not_there_is_refused(value, values, hidden) -> None:
    with pytest.raises(PatchFailed):
        filled(value, values, frozenset(hidden))


def test_a_plan_shows_the_parameter_and_blocks_on_a_secret(kernel, author, install) -> None:
    folder = author.config("acme/tone", "{ style = '${tone}' }", more="[parameters]\ndefaults = { tone = 'warm' }")
    install(folder)
    plan = kernel.plan(add=["acme/tone"], set={"acme/tone.tone": "cold"})
    assert plan.candidate.document("assistant")["style"] == "cold"
    kernel.apply(plan)
    assert kernel.document("assistant")["style"] == "cold"
    secret = kernel.plan(set={"acme/tone.tone": "${HOME}"})
    assert [finding.id for finding in secret.blocking] == ["patch.parameter"]
