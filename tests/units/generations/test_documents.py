"""Documents: merge patches, JSON patches, and differences."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.errors import PatchFailed
from remit.journal import encode_json
from remit.units.generations.documents import Folding, apply_patch, diff, fold, operations, pointers
from remit.units.manifest import Patch

scalars = st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.text("ab/~", max_size=3))
nested = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text("ab", max_size=2), inner, max_size=3)),
    max_leaves=8,
)
documents = st.dictionaries(st.text("ab/~", min_size=1, max_size=2), nested, max_size=4)


def merge(value: Any) -> Patch:
    return Patch(target="assistant", op="merge", value=value)


# The examples of RFC 7396, appendix A.
RFC_7396 = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(("target", "patch", "expected"), RFC_7396)
def test_merge_patch_follows_the_rfcs_examples(target: Any, patch: Any, expected: Any) -> None:
    assert apply_patch(target, merge(patch)) == expected


@given(documents, documents)
def test_a_patch_leaves_its_argument_as_it_was(target: dict[str, Any], patch: dict[str, Any]) -> None:
    before = repr(target)
    apply_patch(target, merge(patch))
    assert repr(target) == before


@given(documents, documents)
def test_a_difference_is_a_json_patch_from_one_document_to_the_other(before: dict[str, Any], after: Any) -> None:
    patch = Patch(target="assistant", op="json-patch", value=operations(diff(before, after)))
    assert encode_json(apply_patch(before, patch)) == encode_json(after)


@given(st.lists(nested, max_size=6), st.lists(nested, max_size=6))
def test_a_difference_of_arrays_is_a_json_patch_too(before: list[Any], after: list[Any]) -> None:
    patch = Patch(target="assistant", op="json-patch", value=operations(diff({"a": before}, {"a": after})))
    assert encode_json(apply_patch({"a": before}, patch)) == encode_json({"a": after})


def test_a_difference_sees_that_true_is_not_one() -> None:
    assert [(change.op, change.path, change.new) for change in diff({"a": [1]}, {"a": [True]})] == [
        ("replace", "/a/0", True)
    ]


def test_an_element_taken_from_the_middle_is_one_removal() -> None:
    assert [(change.op, change.path) for change in diff([1, 2, 3, 4], [1, 3, 4])] == [("remove", "/1")]


def test_deeply_nested_arrays_are_compared_in_one_walk_for_each_level() -> None:
    before: Any = 1
    after: Any = 2
    for _ in range(60):
        before, after = [before], [after]
    assert len(diff(before, after)) == 1


@given(documents)
def test_equal_documents_do_not_differ(document: dict[str, Any]) -> None:
    assert diff(document, document) == []


def test_a_patch_that_does_not_apply_names_its_unit() -> None:
    patch = Patch(target="assistant", op="json-patch", value=[{"op": "remove", "path": "/missing"}])
    with pytest.raises(PatchFailed, match=r"acme/one: the patch of 'assistant' does not apply"):
        fold({}, [("acme/one", patch)])


def test_a_failing_test_operation_is_a_failed_patch() -> None:
    patch = Patch(target="assistant", op="json-patch", value=[{"op": "test", "path": "/a", "value": 2}])
    with pytest.raises(PatchFailed):
        apply_patch({"a": 1}, patch)


def test_a_document_cannot_grow_without_bound() -> None:
    with pytest.raises(PatchFailed, match="larger than 4 MiB"):
        apply_patch({}, merge({"a": "x" * (5 << 20)}))


def test_pointers_of_a_merge_are_its_leaves() -> None:
    assert sorted(pointers(merge({"a": {"b": 1, "c": {}}, "d/e": None}))) == ["/a/b", "/a/c", "/d~1e"]


@given(documents, st.lists(documents, max_size=4))
def test_a_folding_makes_what_the_patches_make_one_by_one_and_leaves_the_base(base: Any, patches: list[Any]) -> None:
    before = encode_json(base)
    folding, expected = Folding(base), base
    for value in patches:
        folding.apply(merge(value))
        expected = apply_patch(expected, merge(value))
        assert encode_json(folding.document) == encode_json(expected)
    assert encode_json(base) == before


def test_a_patch_that_is_refused_leaves_the_folding_as_it_was() -> None:
    folding = Folding({"a": 1})
    folding.apply(merge({"b": {"c": "x" * (3 << 20)}}))
    removal = Patch(target="assistant", op="json-patch", value=[{"op": "remove", "path": "/z"}])
    for patch in (merge({"b": {"d": "y" * (2 << 20)}}), removal):
        with pytest.raises(PatchFailed):
            folding.apply(patch)
        assert set(folding.document) == {"a", "b"}
        assert set(folding.document["b"]) == {"c"}


def test_what_is_overwritten_does_not_count_as_size() -> None:
    folding = Folding({})
    for letter in "abcdefgh":
        folding.apply(merge({"text": letter * (3 << 20)}))
    assert folding.document["text"][0] == "h"


def test_why_a_patch_does_not_apply_is_short_however_large_the_document() -> None:
    large = {"text": "x" * 100_000}
    patch = Patch(target="assistant", op="json-patch", value=[{"op": "remove", "path": "/nothing/here"}])
    with pytest.raises(PatchFailed) as failed:
        apply_patch(large, patch)
    assert len(failed.value.message) < 300
