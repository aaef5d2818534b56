"""What is written out for the commonest answers gives what the plans give, and refuses what they refuse."""

from __future__ import annotations

import ctypes
from concurrent.futures import ThreadPoolExecutor
from struct import error as StructError  # noqa: N812 - an exception

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wasmtime import _ffi as ffi

from remit.errors import HostFault
from remit.kernel.answers import Ok
from remit.sandbox.crossing.answering import plain_answerer, text_answerer
from remit.sandbox.crossing.values import TextBudget, check_value, lift, release
from remit.sandbox.wit.types import STRING, WHOLE, Primitive, Result
from tests.sandbox.conftest import SimulatedDoor

WHOLES = st.sampled_from(sorted(WHOLE)).map(Primitive)
CLOCK = "remit:unit/clock@0.1.0"
ASKS = {
    "imports": {CLOCK: '(export "monotonic-ns" (func (result u64)))'},
    "lowered": {"now": f"{CLOCK} monotonic-ns (result i64)"},
}


def _answered(answer, kind, value):
    """What wasmtime would find where an answer was written."""
    slot = ffi.wasmtime_component_val_t()
    answer(value, ctypes.addressof(slot))
    try:
        return lift(kind, slot, TextBudget(1 << 20))
    finally:
        release(slot)


def _writes(kind, value):
    slot = ffi.wasmtime_component_val_t()
    try:
        return plain_answerer(kind)(value, ctypes.addressof(slot))
    except StructError:
        return False


@given(WHOLES, st.integers(-(2**65), 2**65) | st.sampled_from([True, 1.0, "1", None, b"", -1, 0, 2**32, 2**64 - 1]))
def test_a_number_is_answered_if_it_is_of_the_type_and_not_else(kind, value):
    try:
        check_value(kind, value)
    except HostFault:
        assert not _writes(kind, value)
    else:
        assert _answered(plain_answerer(kind), kind, value) == value


@pytest.mark.parametrize(
    "kind", [STRING, Primitive("bool"), Primitive("f64"), Primitive("char"), Result(STRING, None), None]
)
def test_other_types_are_not_written_out(kind):
    assert plain_answerer(kind) is None


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=5))
def test_texts_are_answered_one_after_the_other(texts):
    answer = text_answerer()
    assert [_answered(answer, Result(STRING, None), text) for text in texts] == [("ok", text) for text in texts]


def test_half_a_surrogate_is_no_text():
    with pytest.raises(UnicodeEncodeError):
        _answered(text_answerer(), Result(STRING, None), "\ud800")


def test_threads_that_answer_at_once_give_their_own_texts():
    answer = text_answerer()

    def many(number):
        return {_answered(answer, Result(STRING, None), f"text {number}") for _ in range(2_000)}

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(many, range(8))) == [{("ok", f"text {number}")} for number in range(8)]


@pytest.mark.parametrize("value", [-1, 2**64, True, "1", None, 1.0])
def test_a_host_function_that_gives_no_number_is_a_fault_of_the_host(bench, guest, value):
    asks = guest("(drop (call $now)) (call $ok (local.get $p) (local.get $n))", **ASKS)
    with pytest.raises(HostFault):
        bench.run(asks, door=SimulatedDoor({("clock", "monotonic-ns"): Ok(value)}))
