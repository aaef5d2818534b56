"""Schemas of WIT types."""

from __future__ import annotations

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.sandbox.wit.derive import describe, schema_of
from remit.sandbox.wit.spelling import Unsupported, parse_signature

U8 = {"type": "integer", "minimum": 0, "maximum": 255}


def tagged(name, schema):
    return {"type": "object", "additionalProperties": False, "properties": {name: schema}, "required": [name]}


def result_of(spelled):
    (kind,) = parse_signature(f"func({spelled})").params
    return schema_of(kind)


@pytest.mark.parametrize(("spelled", "schema"), [
    ("bool", {"type": "boolean"}), ("u8", U8), ("s64", {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1}),
    ("f64", {"anyOf": [{"type": "number"}, {"enum": ["NaN", "Infinity", "-Infinity"]}]}),
    ("string", {"type": "string"}),
    ("char", {"type": "string", "minLength": 1, "maxLength": 1}),
    ("result<u8,_>", {"oneOf": [tagged("ok", U8), tagged("err", {"type": "null"})]}),
    ("list<list<bool>>", {"type": "array", "items": {"type": "array", "items": {"type": "boolean"}}}),
    ("option<string>", {"anyOf": [{"type": "string"}, {"type": "null"}]}),
    ("tuple<u8,bool>", {"type": "array", "prefixItems": [U8, {"type": "boolean"}], "items": False, "minItems": 2}),
    ("enum{red,dark-blue}", {"enum": ["red", "dark-blue"]}),
    ("flags{a,b}", {"type": "array", "uniqueItems": True, "items": {"enum": ["a", "b"]}}),
    ("record{my-name:string,age:option<u8>}", {
        "type": "object", "additionalProperties": False, "required": ["my-name"],
        "properties": {"my-name": {"type": "string"}, "age": {"anyOf": [U8, {"type": "null"}]}},
    }),
    ("variant{none,some(u8)}", {"oneOf": [{"const": "none"}, tagged("some", U8)]}),
])  # fmt: skip
def test_a_type_has_its_schema(spelled, schema):
    assert result_of(spelled) == schema


def test_parameters_are_properties_and_options_may_be_left_out():
    found = describe("func(s32,option<s32>)->s32", ("a", "b")).input
    assert list(found["properties"]) == ["a", "b"]
    assert found["required"] == ["a"]
    jsonschema.validate({"a": 1}, found)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"a": 1, "c": 2}, found)


def test_the_two_sides_of_a_result_are_output_and_error():
    found = describe("func()->result<string,enum{bad}>", ())
    assert (found.output["type"], found.error["enum"]) == ("string", ["bad"])
    assert describe("func()->result<_,_>", ()).output["type"] == "null"
    assert describe("func()", ()).output["type"] == "null"


def test_an_option_of_an_option_tells_them_apart():
    schema = result_of("option<option<u8>>")
    for value in (None, {"some": None}, {"some": 3}):
        jsonschema.validate(value, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(3, schema)


@pytest.mark.parametrize("spelled", ["own", "borrowtype", "streamtype", "…", "list<own>", "func()", ""])
def test_what_has_no_json_form_is_unsupported(spelled):
    with pytest.raises(Unsupported):
        describe(f"func()->{spelled}", ())


@given(st.text(alphabet="func()->list<u8>{}:,_ record variant", max_size=60))
def test_no_spelling_breaks_the_reader(text):
    try:
        found = describe(text, ())
    except Unsupported:
        return
    jsonschema.Draft202012Validator.check_schema(found.output)
