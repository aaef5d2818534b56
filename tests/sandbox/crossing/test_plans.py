"""Both ways over the boundary do the same: values by plan, and values by the package's own declarations."""

from __future__ import annotations

import ctypes
import math
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wasmtime import _ffi as ffi

from remit.errors import HostFault, OutputTooLarge
from remit.sandbox.crossing.layout import planned
from remit.sandbox.crossing.packing import boxer, packer
from remit.sandbox.crossing.reading import reader
from remit.sandbox.crossing.values import TextBudget, check_value, lift, lower, release
from remit.sandbox.engines.capi import FAST, VAL_SIZE, component_value_clone, component_value_delete
from remit.sandbox.wit.types import (
    STRING,
    Borrow,
    ListOf,
    Option,
    Own,
    Primitive,
    Record,
    Result,
    TupleOf,
)
from tests.sandbox.witvalues import TYPES, values

SOAK = int(os.environ.get("REMIT_SOAK", "1"))
ODD = st.sampled_from([
    object(), 1.5, -1, 0, 2**64, 2**63, True, None, "", "a", "ab", "\ud800", b"x", {"a": 1}, ("ok", None), ("ok", 1),
    ("err", "x"), ("some", None), ("maybe", 1), [], ["a"], [1], {1}, {"a"}, frozenset(),
])  # fmt: skip


def by_plan(kind, value, *, as_answer=False):
    """Pack a value as a call would, clone it as an answer is, read it from the copy."""
    keep = []
    pack = packer((kind,))
    packed = boxer(kind)(value, keep) if as_answer else pack((value,), keep)
    slot = ffi.wasmtime_component_val_t()
    address = ctypes.addressof(slot)
    component_value_clone(packed, address)
    return slot, address


def read(kind, address, budget):
    return reader(kind)(address, budget)


def test_this_interpreter_takes_the_fast_way():
    assert FAST


@settings(max_examples=100 * SOAK)
@given(st.data())
def test_a_value_by_plan_is_the_value_by_declaration(data):
    kind = data.draw(TYPES)
    value = data.draw(values(kind))
    check_value(kind, value)
    fast, address = by_plan(kind, value, as_answer=data.draw(st.booleans()))
    slow = ffi.wasmtime_component_val_t()
    lower(kind, value, slow)
    try:
        for slot in (fast, slow):
            assert lift(kind, slot, TextBudget(1 << 20)) == value
            assert read(kind, ctypes.addressof(slot), TextBudget(1 << 20)) == value
    finally:
        component_value_delete(address)
        release(slow)


@settings(max_examples=100 * SOAK)
@given(TYPES, ODD | st.recursive(ODD, st.lists, max_leaves=3))
def test_both_ways_refuse_the_same_values(kind, value):
    try:
        check_value(kind, value)
        fits = True
    except HostFault:
        fits = False
    for way in (lambda: packer((kind,))((value,), []), lambda: boxer(kind)(value, [])):
        if fits:
            way()
        else:
            with pytest.raises(HostFault):
                way()


@given(st.data(), st.integers(0, 200))
def test_both_ways_charge_the_same(data, limit):
    kind = data.draw(TYPES)
    slot = ffi.wasmtime_component_val_t()
    lower(kind, data.draw(values(kind)), slot)

    def taken(way):
        budget = TextBudget(limit)
        try:
            way(budget)
        except OutputTooLarge:
            return "too much"
        return (budget._bytes, budget._values)

    try:
        charged = taken(lambda budget: lift(kind, slot, budget))
        assert charged == taken(lambda budget: read(kind, ctypes.addressof(slot), budget))
    finally:
        release(slot)


@given(TYPES, TYPES, st.data())
def test_a_slot_of_another_kind_is_refused_and_never_misread(kind, other, data):
    value = data.draw(values(other))
    slot, address = by_plan(other, value)
    try:
        outcomes = []
        for way in (lambda: lift(kind, slot, TextBudget(1 << 20)), lambda: read(kind, address, TextBudget(1 << 20))):
            try:
                outcomes.append(way())
            except Exception as error:  # noqa: BLE001 - compared below
                outcomes.append(type(error))
        assert outcomes[0] == outcomes[1]
    finally:
        component_value_delete(address)


def test_a_double_too_large_for_32_bits_is_infinite():
    _, address = by_plan(Primitive("f32"), 1e300)
    assert read(Primitive("f32"), address, TextBudget(0)) == math.inf


@pytest.mark.parametrize("handle", [Own("pollable"), Borrow("pollable")])
@given(st.data())
def test_what_holds_a_handle_has_no_plan(handle, data):
    wraps = (Option, ListOf, lambda t: TupleOf((STRING, t)), lambda t: Record((("a", t),)), lambda t: Result(None, t))
    kind = handle
    for wrap in data.draw(st.lists(st.sampled_from(wraps), max_size=3)):
        kind = wrap(kind)
    assert not planned(kind)


def test_what_is_packed_stays_as_long_as_it_is_kept():
    keep = []
    packer((ListOf(STRING),))((["a" * 100] * 100,), keep)
    assert [len(block) for block in keep] == [100] * 100 + [100 * VAL_SIZE, VAL_SIZE]
