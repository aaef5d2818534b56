"""TOML from outside: a table or one kind of error, in time that grows with the size only."""

from __future__ import annotations

import contextlib
import tomllib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from remit.errors import ValueInvalid
from remit.schemas import load_toml


@given(st.text(max_size=200) | st.text("[]{}=.\"'\\\n a1#,-:", max_size=60))
@example("a = " + "[" * 5000)
@example("a = " + "9" * 5000)
def test_any_text_is_what_the_standard_parser_says_or_invalid(text):
    try:
        data = text.encode()
        expected = tomllib.loads(text)
    except (ValueError, RecursionError):
        with contextlib.suppress(UnicodeEncodeError), pytest.raises(ValueInvalid, match="TOML"):
            load_toml(text.encode())
    else:
        assert repr(load_toml(data)) == repr(expected)  # as text, because NaN differs from itself


@given(st.binary(max_size=100))
def test_any_bytes_are_a_table_or_invalid(data):
    with contextlib.suppress(ValueInvalid):
        assert isinstance(load_toml(data), dict)


@pytest.mark.parametrize(
    "text",
    [b"a" + b".a" * 100_000 + b" = 1", b"[a" + b" . 'b'" * 30_000 + b"]", b'a = {"b"' + b'."c"' * 60_000 + b" = 1}"],
)
def test_a_key_that_would_stall_the_parser_is_refused(text):
    with pytest.raises(ValueInvalid, match="line 1: a key has too many parts"):
        load_toml(text)


def test_a_fault_names_its_line():
    with pytest.raises(ValueInvalid) as caught:
        load_toml(b"a = 1\nb = \n")
    assert caught.value.details["faults"][0]["message"].startswith("line 2, column 5: ")


def test_more_than_the_limit_is_refused():
    with pytest.raises(ValueInvalid, match="are allowed"):
        load_toml(b"#" * 11, limit=10)
