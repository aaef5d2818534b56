"""Values of every WIT type through JSON, against the schemas that are derived of the type."""

from __future__ import annotations

import json
import math
import os

import jsonschema
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remit.sandbox.wit.derive import schema_of
from remit.sandbox.wit.jsonform import Misfit, from_json, to_json
from remit.sandbox.wit.spelling import MAX_SPELLED, Unsupported, parse_signature
from remit.sandbox.wit.types import (
    STRING,
    U8,
    Enum,
    ListOf,
    Option,
    Own,
    Primitive,
    Record,
    Result,
    Signature,
    Variant,
)
from remit.schemas import Validator
from tests.sandbox.witvalues import TYPES, values

SOAK = int(os.environ.get("REMIT_SOAK", "1"))
ODD = st.recursive(
    st.sampled_from([
        None, True, False, 0, 1, -1, 255, 256, 2**31, 2**53 + 1, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 0.5, 1.0,
        -0.0, 1e39, 3.5e38, "", "a", "ab", "😀", "QUI=", "QUI", "NaN", "Infinity", "-Infinity", "nan", "ok", "some",
    ]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["a", "b", "ok", "err", "some", "none"]), inner, max_size=2
    ),
    max_leaves=4,
)  # fmt: skip


@given(st.lists(TYPES, max_size=3), st.none() | TYPES)
def test_a_signature_is_read_back_from_its_spelling(params, result):
    signature = Signature(tuple(params), result)
    assert parse_signature(str(signature)) == signature


@settings(max_examples=100 * SOAK)
@given(st.data())
def test_every_value_goes_through_json_unchanged_and_follows_the_schema(data):
    kind = data.draw(TYPES)
    value = data.draw(values(kind))
    given_away = to_json(kind)(value)
    assert Validator(schema_of(kind)).is_valid(given_away)
    text = msgspec.json.encode(given_away)
    assert json.loads(text) == msgspec.json.decode(text)
    assert from_json(kind)(msgspec.json.decode(text), "") == value


@settings(max_examples=200 * SOAK)
@given(TYPES, ODD)
def test_what_the_schema_refuses_and_nothing_else_is_refused(kind, value):
    try:
        from_json(kind)(value, "")
        taken = True
    except Misfit:
        taken = False
    assert taken is Validator(schema_of(kind)).is_valid(value)


@given(TYPES)
def test_the_schema_of_every_type_is_a_schema(kind):
    jsonschema.Draft202012Validator.check_schema(schema_of(kind))


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize(("value", "spelled"), [
    (math.nan, "NaN"), (math.inf, "Infinity"), (-math.inf, "-Infinity"), (-0.0, -0.0),
])  # fmt: skip
def test_numbers_that_json_lacks_are_spelled(bits, value, spelled):
    kind = Primitive(f"f{bits}")
    assert to_json(kind)(value) == spelled
    assert math.copysign(1, from_json(kind)(spelled, "")) == math.copysign(1, value)
    assert repr(from_json(kind)(spelled, "")) == repr(value)


@pytest.mark.parametrize("value", [10**400, -(10**400), 1e300])
def test_a_number_that_the_type_cannot_hold_is_refused_not_rounded(value):
    with pytest.raises(Misfit):
        from_json(Primitive("f32"))(value, "")


@pytest.mark.parametrize(("kind", "value", "path"), [
    (Record((("a", ListOf(U8)),)), {"a": 1}, "a"),
    (Record((("a", ListOf(Record((("b", U8),)))),)), {"a": [{"b": 1}, {"b": -1}]}, "a[1].b"),
    (Record((("a", U8),)), {"a": 1, "zz": 2}, "zz"),
    (Record((("a", U8),)), {}, "a"),
    (Variant((("x", STRING), ("y", None))), {"x": 1}, "x"),
    (Result(None, U8), {"err": 256}, "err"),
    (Option(Option(U8)), {"some": "1"}, "some"),
    (Enum(("red",)), "blue", ""),
])  # fmt: skip
def test_a_misfit_says_where_it_is(kind, value, path):
    with pytest.raises(Misfit) as caught:
        from_json(kind)(value, "")
    assert caught.value.path == path


def test_a_handle_of_a_resource_has_no_json_form():
    for asked in (from_json, to_json, schema_of):
        with pytest.raises((TypeError, Unsupported)):
            asked(Own("file"))


def test_a_signature_without_end_is_not_read():
    with pytest.raises(Unsupported):
        parse_signature(f"func({'u8,' * MAX_SPELLED})")
    with pytest.raises(Unsupported):
        parse_signature("func(" + "list<" * 1000 + "u8" + ">" * 1000 + ")")
