"""What is done once: the record that a key made, and turns."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from remit.journal import Draft
from remit.journal.once import Key, Turns, find, remember, taken

PART = st.text(max_size=8)
KEYS = st.builds(Key, PART, PART, PART, PART)


def keep(journal, key):
    draft = Draft(type="test.made", data={})
    return journal.append([draft], project=lambda connection, records: remember(connection, key, records[0].seq))[0]


def test_a_key_gives_the_record_that_it_made_first(journal):
    key = Key("main", "user:local", "emit a.b", "k")
    assert find(journal, key) is None
    first = keep(journal, key)
    keep(journal, key)
    assert find(journal, key) == first
    for other in (key._replace(namespace="x"), key._replace(principal="x"), key._replace(action="emit a.c")):
        assert find(journal, other) is None


def test_a_transaction_sees_what_is_taken(journal):
    key, seen = Key("main", "user:local", "emit a.b", "k"), []
    for _ in range(2):
        journal.append(
            [Draft(type="test.made", data={})],
            guard=lambda connection: seen.append(taken(connection, key)),
            project=lambda connection, records: remember(connection, key, records[0].seq),
        )
    assert seen == [False, True]


@given(st.lists(KEYS, max_size=10))
def test_turns_forget_keys_that_nobody_has(keys):
    turns = Turns()
    for key in keys:
        with turns.of(key):
            assert len(turns) == 1
    assert len(turns) == 0
