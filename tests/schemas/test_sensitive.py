"""Sensitive values: found wherever the schema marks them, and gone after redaction."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from remit.schemas import Validator, redact, sensitive_pointers

SECRET = {"x-remit-sensitive": True}
MASK = "•••"

keys = st.text("ab*/~0", min_size=1, max_size=3)


@st.composite
def marked(draw, depth=3):
    """A schema, a value under it that holds the word 'hunter2' only where the schema marks it."""
    shape = draw(
        st.sampled_from(["secret", "plain", "object", "array", "map", "all", "ref"] if depth else ["secret", "plain"])
    )
    if shape == "secret":
        return SECRET, draw(st.sampled_from(["hunter2", {"hunter2": 1}, ["hunter2"]])), {}
    if shape == "plain":
        return {"type": "string"}, "open", {}
    if shape == "object":
        parts = draw(st.dictionaries(keys, marked(depth=depth - 1), max_size=3))
        defs = {name: schema for _, _, inner in parts.values() for name, schema in inner.items()}
        return {"properties": {k: p[0] for k, p in parts.items()}}, {k: p[1] for k, p in parts.items()}, defs
    schema, value, defs = draw(marked(depth=depth - 1))
    if shape == "array":
        return {"items": schema}, [value, value], defs
    if shape == "map":
        return {"additionalProperties": schema}, {draw(keys): value}, defs
    if shape == "all":
        return {"anyOf": [{}, {"allOf": [schema]}]}, value, defs
    name = f"d{len(defs)}x{depth}x{draw(st.integers(0, 10**9))}"
    return {"$ref": f"#/$defs/{name}"}, value, defs | {name: schema}


@given(marked())
def test_no_marked_value_survives_redaction(case):
    schema, value, definitions = case
    redacted = redact({"$defs": definitions, **schema}, value)
    assert b"hunter2" not in msgspec.json.encode(redacted)


@given(marked())
def test_redaction_changes_nothing_else(case):
    _, value, _ = case
    assert redact({"properties": {"a": {"type": "string"}}}, value) == value


@given(marked())
def test_a_validator_redacts_as_its_schema_says(case):
    schema, value, definitions = case
    whole = {"$defs": definitions, **schema}
    assert Validator(whole).redacted(value) == redact(whole, value)


def test_a_value_whose_schema_marks_nothing_is_not_walked():
    value = {"a": ["b"]}
    assert Validator({"properties": {"a": {"items": {"type": "string"}}}}).redacted(value) is value


def test_pointers_name_every_marked_place():
    schema = {
        "properties": {"key": SECRET, "a/b": {"properties": {"c~d": SECRET}}, "map": {"additionalProperties": SECRET}},
        "allOf": [{"properties": {"more": {"prefixItems": [{}, SECRET]}}}],
        "$ref": "#/$defs/base",
        "$defs": {"base": {"properties": {"based": SECRET}}, "unused": {"properties": {"never": SECRET}}},
    }
    assert sensitive_pointers(schema) == {"/key", "/a~1b/c~0d", "/map/*", "/more/1", "/based"}


def test_a_marked_root_hides_everything():
    assert sensitive_pointers(SECRET) == {""}
    assert redact(SECRET, {"a": 1}) == MASK


def test_a_recursive_schema_is_redacted_all_the_way():
    tree = {"properties": {"token": SECRET, "child": {"$ref": "#"}}}
    value = {"token": "hunter2"}
    for _ in range(50):
        value = {"child": value, "token": "hunter2"}
    assert "hunter2" not in str(redact(tree, value))
    assert "/token" in sensitive_pointers(tree)


def test_a_declared_property_is_not_taken_for_an_additional_one():
    schema = {"properties": {"name": {}}, "additionalProperties": SECRET}
    assert redact(schema, {"name": "open", "other": "hunter2"}) == {"name": "open", "other": MASK}
