"""Values cross the boundary and come back the same; what has another type never crosses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wasmtime import _ffi as ffi

from remit.errors import HostFault, OutputTooLarge
from remit.sandbox.crossing.values import TextBudget, check_value, lift, lower, release
from remit.sandbox.wit.contract import EXPORTS, IMPORTS
from remit.sandbox.wit.types import (
    BOOL,
    STRING,
    U8,
    U16,
    U32,
    U64,
    Enum,
    ListOf,
    Option,
    Primitive,
    Record,
    Result,
    TupleOf,
    Variant,
)

NAMES = st.text("abcdefgh", min_size=1, max_size=6)
PLAIN = st.sampled_from([BOOL, STRING, U8, U16, U32, U64])


def composed(inner):
    fields = st.dictionaries(NAMES, inner, min_size=1, max_size=4).map(lambda d: tuple(d.items()))
    # Options of options have no Python value of their own, and a result's empty side none but None.
    return st.one_of(
        inner.filter(lambda kind: not isinstance(kind, Option)).map(Option),
        inner.map(ListOf),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: TupleOf(tuple(parts))),
        fields.map(Record),
        st.builds(Result, st.none() | inner, st.none() | inner),
        st.dictionaries(NAMES, st.none() | inner, min_size=1, max_size=4).map(lambda d: Variant(tuple(d.items()))),
    )


ENUMS = st.lists(NAMES, min_size=1, max_size=4, unique=True).map(lambda names: Enum(tuple(names)))
TYPES = st.recursive(PLAIN | ENUMS, composed, max_leaves=8)


def values(kind):  # noqa: C901 - one case for each type of WIT
    match kind:
        case None:
            return st.none()
        case Primitive(name="string"):
            return st.text(max_size=20)
        case Primitive(name="bool"):
            return st.booleans()
        case Primitive(name=name):
            return st.integers(0, 2 ** int(name[1:]) - 1)
        case Enum(names=names):
            return st.sampled_from(names)
        case Option(of=inner):
            return st.none() | values(inner)
        case ListOf(of=inner):
            return st.binary(max_size=20) if inner == U8 else st.lists(values(inner), max_size=3)
        case TupleOf(parts=parts):
            return st.tuples(*map(values, parts))
        case Record(fields=fields):
            return st.fixed_dictionaries({name: values(part) for name, part in fields})
        case Result(ok=ok, err=err):
            return st.tuples(st.just("ok"), values(ok)) | st.tuples(st.just("err"), values(err))
        case Variant(cases=cases):
            return st.one_of([st.tuples(st.just(name), values(part)) for name, part in cases])


@given(st.data())
def test_what_is_lowered_is_lifted_again(data):
    kind = data.draw(TYPES)
    value = data.draw(values(kind))
    check_value(kind, value)
    slot = ffi.wasmtime_component_val_t()
    lower(kind, value, slot)
    try:
        assert lift(kind, slot, TextBudget(1 << 20)) == value
    finally:
        release(slot)


@given(st.data())
def test_a_value_of_another_type_is_refused_before_anything_is_written(data):
    kind = data.draw(TYPES)
    with pytest.raises(HostFault):
        check_value(kind, data.draw(st.sampled_from([object(), 1.5, -1, 2**64, "\ud800", {"other": 1}, ("maybe", 1)])))


@given(st.integers(0, 200), st.integers(0, 200))
def test_text_beyond_the_budget_is_refused(size, limit):
    slot = ffi.wasmtime_component_val_t()
    lower(STRING, "x" * size, slot)
    try:
        if size > limit:
            with pytest.raises(OutputTooLarge):
                lift(STRING, slot, TextBudget(limit))
        else:
            assert len(lift(STRING, slot, TextBudget(limit))) == size
    finally:
        release(slot)


def test_many_empty_values_are_not_free():
    slot = ffi.wasmtime_component_val_t()
    lower(ListOf(STRING), [""] * 1000, slot)
    try:
        with pytest.raises(OutputTooLarge):
            lift(ListOf(STRING), slot, TextBudget(1024))
    finally:
        release(slot)


@pytest.mark.parametrize("value", [-1, 2**16, True, "1", None, 1.0])
def test_integers_never_wrap(value):
    with pytest.raises(HostFault):
        check_value(U16, value)


@pytest.mark.parametrize("signature", [s for world in (IMPORTS, EXPORTS) for fs in world.values() for s in fs.values()])
def test_every_signature_of_the_world_is_spelled_one_way(signature):
    assert str(signature).startswith("func(")
    assert " " not in str(signature)
