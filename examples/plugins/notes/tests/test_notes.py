"""The service in a kernel of its own: notes stay, namespaces stay apart, and bad input is refused."""

from __future__ import annotations

import pytest

from remit.errors import InputInvalid
from remit.host import Caller

import notes_store


@pytest.fixture
def kernel(remit_kernel):
    return remit_kernel(plugins={"notes": notes_store})


def test_a_note_is_found_by_its_words_newest_first_and_after_a_restart(kernel, remit_kernel):
    for text in ("buy milk", "Milk is out", "read RFC 7396"):
        kernel.call("notes/store:add", {"text": text})
    again = remit_kernel(plugins={"notes": notes_store})
    found = again.call("notes/store:find", {"word": "milk"})["notes"]
    assert [note["text"] for note in found] == ["Milk is out", "buy milk"]
    assert len(again.call("notes/store:find", {"word": "milk", "limit": 1})["notes"]) == 1


def test_a_namespace_does_not_see_anothers_notes(kernel):
    kernel.call("notes/store:add", {"text": "secret"}, caller=Caller(namespace="one"))
    assert kernel.call("notes/store:find", {"word": "secret"}, caller=Caller(namespace="two")) == {"notes": []}


@pytest.mark.parametrize("value", [{}, {"text": ""}, {"text": "x" * 4_001}, {"text": 1}, None])
def test_what_is_no_note_is_refused(kernel, value):
    with pytest.raises(InputInvalid):
        kernel.call("notes/store:add", value)


def test_sql_in_a_word_is_a_word(kernel):
    kernel.call("notes/store:add", {"text": "a'; DROP TABLE note; --"})
    assert len(kernel.call("notes/store:find", {"word": "'; DROP"})["notes"]) == 1
    assert kernel.findings() == []
