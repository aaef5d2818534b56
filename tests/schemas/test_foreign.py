"""Schemas of strangers: bounded, local, linear; and never a secret in a message."""

from __future__ import annotations

import contextlib

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.errors import SchemaInvalid
from remit.schemas import Fault, Validator

keys = st.text("abc", min_size=1, max_size=2)
leaves = st.one_of(
    st.booleans(),
    st.just({}),
    st.sampled_from(["null", "boolean", "object", "array", "number", "string", "integer"]).map(
        lambda kind: {"type": kind}
    ),
    st.integers(-3, 3).map(lambda bound: {"minimum": bound}),
    st.integers(0, 3).map(lambda bound: {"maxLength": bound}),
    st.lists(st.integers(0, 3), min_size=1, max_size=3, unique=True).map(lambda options: {"enum": options}),
)
plain_schemas = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.dictionaries(keys, inner, max_size=3).map(lambda properties: {"properties": properties}),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"allOf": parts}),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"anyOf": parts}),
        inner.map(lambda items: {"items": items}),
        inner.map(lambda other: {"additionalProperties": other}),
        inner.map(lambda other: {"not": other}),
    ),
    max_leaves=6,
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-4, 4) | st.text("ab", max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
)


@given(plain_schemas, values)
def test_the_verdict_is_that_of_the_reference_implementation(schema, value):
    assert Validator(schema).is_valid(value) == jsonschema.Draft202012Validator(schema).is_valid(value)


@given(plain_schemas, values)
def test_a_value_is_valid_exactly_when_it_has_no_faults(schema, value):
    validator = Validator(schema)
    assert validator.is_valid(value) == (validator.faults(value) == [])


junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.binary(max_size=2)
    | st.just("#")
    | st.just("#/x"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "$ref",
                    "$id",
                    "properties",
                    "items",
                    "allOf",
                    "not",
                    "type",
                    "pattern",
                    "enum",
                    "$defs",
                    "x",
                    "required",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(junk)
def test_anything_at_all_is_a_schema_or_refused(schema):
    with contextlib.suppress(SchemaInvalid):
        assert Validator(schema).is_valid(1) in (True, False)


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "https://example.com/a.json"},
        {"$ref": "file:///etc/passwd"},
        {"$ref": "other.json"},
        {"$ref": "https://json-schema.org/draft/2020-12/schema"},
        {"$ref": "#name"},
        {"$ref": "#/$defs/absent"},
        {"properties": {"a": {"items": {"$ref": "x"}}}},
        {"$ref": "#/default", "default": {"$ref": "https://example.com"}},
        {"properties": {"a": {"$id": "https://example.com/"}}},
        {"$dynamicRef": "#a"},
        {"$anchor": "a"},
        {"$schema": "http://json-schema.org/draft-07/schema#"},
        {"type": "objekt"},
        {"pattern": "(?=a)b"},
        {"pattern": "(a)\\1"},
        {"pattern": "a{1000}{1000}{1000}"},
        [],
        "true",
        None,
        {"x": object()},
        {"x": "\ud800"},
    ],
)
def test_what_is_not_local_or_not_linear_is_refused(schema):
    with pytest.raises(SchemaInvalid):
        Validator(schema)


def test_a_property_called_ref_is_data():
    assert Validator({"properties": {"$ref": {"type": "string"}}}).is_valid({"$ref": "https://example.com"})
    assert Validator({"default": {"$ref": "https://example.com"}}).is_valid(1)


def test_a_large_schema_is_refused():
    with pytest.raises(SchemaInvalid, match="bytes"):
        Validator({"description": "x" * (257 << 10)})


def test_a_deep_or_cyclic_schema_is_refused():
    deep: dict = {}
    for _ in range(5000):
        deep = {"not": deep}
    with pytest.raises(SchemaInvalid, match="nested"):
        Validator(deep)
    cyclic: dict = {}
    cyclic["not"] = cyclic
    with pytest.raises(SchemaInvalid, match="nested"):
        Validator(cyclic)


def test_references_that_double_forty_times_are_refused():
    definitions = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)} | {"d40": {}}
    with pytest.raises(SchemaInvalid, match="multiply"):
        Validator({"$defs": definitions, "$ref": "#/$defs/d0"})


def test_a_long_chain_of_references_is_refused_and_not_a_crash():
    definitions = {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(3000)} | {"d3000": {}}
    with pytest.raises(SchemaInvalid):
        Validator({"$defs": definitions, "$ref": "#/$defs/d0"})


def test_a_recursive_schema_is_accepted():
    tree = {"properties": {"child": {"$ref": "#"}}, "additionalProperties": False}
    assert Validator(tree).is_valid({"child": {"child": {}}})
    assert Validator(tree).faults({"child": {"chld": {}}}) == [
        Fault("child.chld", "unknown key (did you mean 'child'?)")
    ]


def test_the_schema_cannot_be_changed_after_its_admission():
    schema = {"type": "string"}
    validator = Validator(schema)
    schema["type"] = "integer"
    assert validator.is_valid("text")


@pytest.mark.parametrize("odd", [object(), {1: 2}, "\ud800", b"x"])
def test_a_judged_value_that_is_no_json_is_invalid_and_never_an_exception(odd):
    validator = Validator({"items": {"type": "object", "properties": {"a": {}}, "minProperties": 9}})
    assert not validator.is_valid([odd])
    assert validator.faults([odd]) != []


def test_a_catastrophic_pattern_is_judged_at_once():
    # A backtracking engine would need 2**100000 steps here; the test's own timeout is the assertion.
    assert not Validator({"pattern": "^(a+)+$"}).is_valid("a" * 100_000 + "b")


@given(st.text("qwxyz", min_size=12, max_size=30), st.sampled_from(["type", "enum", "const", "pattern", "not", "keys"]))
def test_no_message_quotes_the_value(secret, keyword):
    schema = {
        "type": {"type": "integer"}, "enum": {"enum": ["b"]}, "const": {"const": "b"}, "pattern": {"pattern": "^b$"},
        "not": {"not": {}}, "keys": {"x-remit-sensitive": True, "additionalProperties": {"type": "integer"}},
    }[keyword]  # fmt: skip
    value = {secret: secret} if keyword == "keys" else secret
    found = Validator({"properties": {"token": schema}}).faults({"token": value})
    assert [fault.path for fault in found] == ["token"]
    assert secret not in found[0].message


def test_unknown_keys_of_a_sensitive_value_are_not_named():
    schema = {"properties": {"vault": {"x-remit-sensitive": True, "additionalProperties": False}}}
    assert Validator(schema).faults({"vault": {"hunter2": 1}}) == [Fault("vault", "has a key that is not allowed")]


R = {"$ref": "#/$defs/t"}
MULTIPLYING = {
    "allOf": {
        "allOf": [{"properties": {"c": R, "d": {"type": "integer"}}}, {"properties": {"c": R}, "minProperties": 1}]
    },
    "anyOf": {
        "anyOf": [{"properties": {"c": R}, "required": ["z"]}, {"properties": {"c": R, "d": {"type": "integer"}}}]
    },
    "patterns": {"properties": {"c": R, "d": {"type": "integer"}}, "patternProperties": {"c": R}},
    "ladder": {"allOf": [R2 := {"$ref": "#/$defs/u"}, {"not": {"not": R2}}]},
}


@pytest.mark.parametrize("shape", sorted(MULTIPLYING))
def test_a_recursive_schema_that_multiplies_bounds_the_depth_of_values(shape):
    # Without the bound each of these takes longer than the age of the universe; the test's timeout is the assertion.
    validator = Validator(
        {"$defs": {"t": MULTIPLYING[shape], "u": {"properties": {"c": R, "d": {"type": "integer"}}}}, **R}
    )
    value: dict = {"d": "wrong"}
    for depth in range(1, 80):
        value = {"c": value}
        assert not validator.is_valid(value), depth
        assert validator.faults(value) != [], depth


def test_a_plain_recursive_schema_takes_values_of_any_depth():
    tree = {
        "properties": {
            "left": {"$ref": "#"},
            "right": {"$ref": "#"},
            "all": {"items": {"$ref": "#"}},
            "n": {"type": "integer"},
        },
        "additionalProperties": {"$ref": "#"},
    }
    value: dict = {"n": 1}
    for step in ("left", "right", "other") * 20:
        value = {step: value, "all": [value] if step == "right" and len(str(value)) < 1000 else []}
    assert Validator(tree).is_valid(value)


def test_too_many_patterns_are_refused():
    with pytest.raises(SchemaInvalid, match="patterns"):
        Validator({"allOf": [{"pattern": f"a{number}"} for number in range(129)]})


def test_a_pattern_that_compiles_to_megabytes_is_refused():
    with pytest.raises(SchemaInvalid, match="pattern"):
        Validator({"pattern": "(a{1000}){100}"})


def test_a_large_wrong_value_gives_one_fault():
    found = Validator({"items": {"type": "string"}}).faults(list(range(100_000)))
    assert [fault.path for fault in found] == [""]
