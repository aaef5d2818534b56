"""Text from others cannot steer a terminal, hide, or break out of its line."""

from __future__ import annotations

import json
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from remit.cli.text import json_text, one_line, plain, short_digest

ANY = st.text(st.characters())
SURROGATES = st.text(st.characters(categories=["Cs", "Cc", "Cf", "Lu"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | ANY, lambda inner: st.lists(inner) | st.dictionaries(ANY, inner)
)


@given(ANY | SURROGATES)
def test_plain_text_holds_no_control_character_but_tab_and_line_feed(text):
    assert not [c for c in plain(text) if unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} and c not in "\t\n"]
    assert not set(plain(text)) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")


@given(ANY | SURROGATES, st.integers(1, 50))
def test_one_line_is_one_line_within_its_limit(text, limit):
    line = one_line(text, limit)
    assert "\n" not in line
    assert len(line) <= 6 * limit + 1  # a spelled-out character takes six
    assert len(line.splitlines()) <= 1


@given(JSON)
def test_json_text_is_the_same_value_and_safe(value):
    for indent in (2, None):
        text = json_text(value, indent=indent)
        assert json.loads(text) == value
        assert plain(text) == text


@given(st.from_regex(r"sha256:[0-9a-f]{64}", fullmatch=True))
def test_a_short_digest_is_how_the_digest_begins(digest):
    assert digest.startswith(f"sha256:{short_digest(digest)}")
    assert len(short_digest(digest)) == 12
