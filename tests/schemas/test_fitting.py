"""Whether one schema's values are all another's: whatever the check says yes to holds for every value."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.schemas import Validator
from remit.schemas.fitting import misfit

ANYTHING, NOTHING = True, False  # the two schemas that are no objects
scalars = st.sampled_from([None, True, 0, 1, 2.5, -1, "", "a", "abc"])
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2)
)
types = st.sampled_from(["null", "boolean", "object", "array", "number", "integer", "string"])


def schemas(depth: int = 2) -> st.SearchStrategy[Any]:
    inner = schemas(depth - 1) if depth else st.just({})
    return st.one_of(
        st.booleans(),
        st.fixed_dictionaries(
            {},
            optional={
                "type": types | st.lists(types, min_size=1, max_size=3, unique=True),
                "properties": st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
                "required": st.lists(st.sampled_from("ab"), max_size=2, unique=True),
                "additionalProperties": inner,
                "patternProperties": st.dictionaries(st.just("^a"), inner, max_size=1),
                "items": inner,
                "prefixItems": st.lists(inner, min_size=1, max_size=2),
                "minimum": st.integers(-1, 2),
                "maxLength": st.integers(0, 3),
                "maxItems": st.integers(0, 3),
                "enum": st.lists(scalars, min_size=1, max_size=3, unique_by=repr),
                "const": scalars,
                "not": inner,
                "unevaluatedProperties": st.booleans(),
                "contains": inner,
                "minContains": st.integers(0, 2),
            },
        ),
    )


@given(schemas(), schemas(), st.lists(values, min_size=5, max_size=15))
def test_what_fits_fits_for_every_value(narrow: Any, wide: Any, samples: list[Any]) -> None:
    if misfit(narrow, wide):
        return
    inside, outside = Validator(narrow), Validator(wide)
    for value in samples:
        assert inside.faults(value) or not outside.faults(value), value


@given(schemas())
def test_every_schema_fits_itself_and_everything(schema: Any) -> None:
    assert misfit(schema, schema) == misfit(schema, {}) == misfit(schema, ANYTHING) == misfit(NOTHING, schema) == ""


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        ({"type": "integer"}, {"type": "number"}),
        ({"enum": ["a", "b"]}, {"type": "string", "maxLength": 1}),
        ({"properties": {"a": {"type": "string"}}, "required": ["a"]}, {"required": ["a"], "title": "words"}),
        ({"$ref": "#/$defs/t", "$defs": {"t": {"type": "string"}}}, {"type": ["string", "null"]}),
        (
            {"type": "object", "properties": {"a": {"minimum": 3}}, "additionalProperties": False},
            {"properties": {"a": {"minimum": 1}}, "additionalProperties": False},
        ),
        ({"type": "array", "items": {"const": 1}}, {"items": {"type": "integer"}}),
    ],
)
def test_what_people_write_is_seen_to_fit(narrow: Any, wide: Any) -> None:
    assert misfit(narrow, wide) == ""


@pytest.mark.parametrize(
    ("narrow", "wide", "said"),
    [
        ({}, {"type": "string"}, "(the whole): may be"),
        ({"properties": {"a": {"type": "integer"}}}, {"properties": {"a": {"type": "string"}}}, "/a: may be integer"),
        ({}, {"required": ["a"]}, "a may be missing"),
        ({"properties": {"b": {}}}, {"additionalProperties": False}, "/b"),
        ({"items": {}}, {"items": {"maxLength": 2}}, "/*: maxLength is 2"),
        ({"enum": [1, "x"]}, {"type": "string"}, "1 is not allowed"),
    ],
)
def test_what_does_not_fit_names_the_place(narrow: Any, wide: Any, said: str) -> None:
    assert said in misfit(narrow, wide)


def test_a_schema_that_leads_round_in_a_circle_is_told() -> None:
    circle = {"$ref": "#/$defs/a", "$defs": {"a": {"properties": {"next": {"$ref": "#/$defs/a"}}}}}
    assert "nested too deeply" in misfit({"type": "object"} | circle | {"title": "other"}, circle)
