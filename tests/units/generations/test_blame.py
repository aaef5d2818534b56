"""Blame names, for each value of a document, the unit that wrote it last and the generation since which it stands."""

from __future__ import annotations

import jsonpointer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.errors import DocumentUnknown
from remit.kernel.model import UnitRef
from remit.units import Blame, Generation, blame
from remit.units.generations.generation import ActiveUnit, DocumentSnapshot
from remit.units.manifest import Patch

KEYS = st.sampled_from("ab/")
VALUES = st.recursive(
    st.none() | st.integers(0, 1) | st.booleans(), lambda inner: st.dictionaries(KEYS, inner, max_size=3), max_leaves=5
)


def generation(number, base, *patches):
    units = tuple(
        ActiveUnit(
            ref=UnitRef(f"acme/u{index}", "1.0.0", f"sha256:{index}", "config", "local"), range="*", parameters={},
            slots=(), choices={}, pin="", patches=(Patch(target="doc", op="merge", value=value),),
        )
        for index, value in enumerate(patches)
    )  # fmt: skip
    return Generation(number, number, 0, "", "", units, {"doc": DocumentSnapshot(base)}, (), "")


def blamed(*generations):
    known = {one.number: one for one in generations}
    return blame("doc", generations[-1], known.get)


def test_each_value_names_its_last_writer():
    found = blamed(generation(1, {"a": 1, "b": 1}, {"b": 2, "c": 2}, {"c": 3}))
    assert [(one.path, one.value, one.unit) for one in found] == [
        ("/a", 1, ""),
        ("/b", 2, "acme/u0@1.0.0"),
        ("/c", 3, "acme/u1@1.0.0"),
    ]


def test_a_value_stands_since_the_first_generation_in_a_row_that_gave_it():
    history = [generation(1, {}, {"a": 1}), generation(2, {}, {"a": 2}), generation(3, {}, {"a": 1, "b": 1})]
    found = blamed(*history, generation(4, {}, {"a": 1, "b": 2}))
    assert [(one.path, one.generation) for one in found] == [("/a", 3), ("/b", 4)]


def test_true_is_not_one():
    assert [one.generation for one in blamed(generation(1, {}, {"a": 1}), generation(2, {}, {"a": True}))] == [2]


@given(base=VALUES, patches=st.lists(VALUES, max_size=4))
def test_blame_holds_exactly_the_effective_document(base, patches):
    made = generation(1, base, *patches)
    effective = made.document("doc")
    for one in blamed(made):
        assert jsonpointer.resolve_pointer(effective, one.path) == one.value
    assert len(blamed(made)) == _leaves(effective)


def _leaves(value):
    return sum(map(_leaves, value.values())) if isinstance(value, dict) and value else 1


@given(base=VALUES, patches=st.lists(VALUES, min_size=1, max_size=4))
def test_without_the_units_that_are_blamed_only_the_base_is_left(base, patches):
    found = blamed(generation(1, base, *patches))
    for one in found:
        if not one.unit:
            assert jsonpointer.resolve_pointer(base, one.path) == one.value


def test_the_home_answers_and_refuses(kernel, author, install):
    install(author.config("acme/a", "{ x = 1 }"))
    kernel.apply(kernel.plan(add=["acme/a"]), consent=True)
    (found,) = [one for one in kernel.blame("assistant") if one.path == "/x"]
    assert isinstance(found, Blame)
    assert (found.unit, found.generation) == ("acme/a@1.0.0", 1)
    with pytest.raises(DocumentUnknown):
        kernel.blame("nothing")
