"""A rehearsal's state against the journal's: the same calls find the same, call after call."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.errors import RemitError
from remit.journal.effects import Effects
from remit.journal.rehearsalstate import RehearsalState
from remit.kernel.model import Limits

KEYS = st.sampled_from(["a", "b", "ba", "c", "é", "b\x00"])
CALLS = st.lists(
    st.lists(
        st.one_of(
            st.tuples(st.just("put"), KEYS, st.sampled_from(["", "x", "█"]), st.none() | st.integers(0, 3)),
            st.tuples(st.just("delete"), KEYS),
            st.tuples(st.just("get"), KEYS),
            st.tuples(st.just("list"), st.sampled_from(["", "b"]), st.sampled_from(["", "b"]), st.integers(1, 3)),
        ),
        max_size=5,
    ),
    max_size=6,
)


@given(CALLS)
def test_what_a_call_commits_is_what_the_next_one_finds(calls):
    state, model, versions = RehearsalState(), {}, {}
    for call in calls:
        effects, now, written = Effects(state, "//x/unit/a/b@1", Limits(), None), dict(model), set()
        for name, *given_ in call:
            if name == "put":
                key, value, expected = given_
                fresh = versions.get(key, 0) + 1
                version = fresh if key in written or key not in now else versions.get(key, 0)
                live = 0 if key not in now else version
                if expected is not None and expected != live:
                    with pytest.raises(RemitError):
                        effects.put(key, value, expected)
                    continue
                assert effects.put(key, value, expected) == fresh
                now[key] = value
                written.add(key)
            elif name == "delete":
                assert effects.delete(given_[0]) is (given_[0] in now)
                if now.pop(given_[0], None) is not None:
                    written.add(given_[0])
            elif name == "get":
                found = effects.get(given_[0])
                assert (found and found[0]) == now.get(given_[0])
            else:
                prefix, after, limit = given_
                live_keys = sorted(key for key in now if key.startswith(prefix) and key > after)
                assert effects.list(prefix, after, limit) == live_keys[:limit]
        state.take(effects.writes)
        model = now
        for key in written:
            versions[key] = versions.get(key, 0) + 1
    assert state.size() == sum(len(key.encode()) + len(value.encode()) for key, value in model.items())
