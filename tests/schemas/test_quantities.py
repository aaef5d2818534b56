"""Sizes and durations."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit import schemas
from remit.errors import ValueInvalid
from remit.schemas import parse_duration, parse_size


@given(st.integers(1, 10**9), st.sampled_from([("B", 1), ("KiB", 2**10), ("MiB", 2**20), ("GiB", 2**30)]))
def test_a_size_is_its_number_of_bytes(number, unit):
    assert parse_size(f"{number}{unit[0]}") == number * unit[1]


@given(
    st.integers(1, 10**8), st.sampled_from([("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)])
)
def test_a_duration_is_its_number_of_milliseconds(number, unit):
    assert parse_duration(f"{number}{unit[0]}") == number * unit[1]


@given(st.text("0123456789BKMGims hd.-+²\n", max_size=12))
def test_the_parsers_accept_exactly_what_the_schema_does(text):
    for parse, key in ((parse_size, "memory"), (parse_duration, "deadline")):
        allowed = schemas.is_valid("home/v1", {"schema": "home/v1", "limits": {key: text}})
        try:
            parse(text)
        except ValueInvalid:
            assert not allowed
        else:
            assert allowed


@pytest.mark.parametrize("text", ["", "0MiB", "1", "1.5MiB", "1mib", "-1B", "1 MiB", "9" * 20 + "B", "\u0661B"])
def test_an_odd_size_is_refused(text):
    with pytest.raises(ValueInvalid):
        parse_size(text)
