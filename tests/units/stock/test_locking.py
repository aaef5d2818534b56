"""``remit.lock``: what is written is read back, two homes write the same, and what is malformed is refused whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.errors import LockInvalid
from remit.units.stock.locking import Lock, Locked, read_lock, write_lock

names = st.from_regex(r"[a-z0-9]{1,5}/[a-z0-9]{1,5}", fullmatch=True)
lines = st.text(st.characters(blacklist_categories=("Cs",)), max_size=40)
entries = st.builds(
    Locked,
    id=names,
    version=st.sampled_from(["1.0.0", "2.3.4-rc.1+build"]),
    digest=st.from_regex(r"sha256:[0-9a-f]{64}", fullmatch=True),
    source=lines,
    signer=lines,
    checkpoint=lines,
    requires=st.dictionaries(names, st.sampled_from(["*", "^1.0"]), max_size=3),
)
locks = st.lists(entries, unique_by=lambda one: one.id, max_size=5)


@given(locks)
def test_what_is_written_is_read_back(units):
    assert set(read_lock(write_lock(units).encode()).digests.items()) == {(one.id, one.digest) for one in units}
    assert sorted(read_lock(write_lock(units).encode()).units, key=lambda one: one.id) == sorted(
        units, key=lambda one: one.id
    )


@given(locks, st.randoms())
def test_the_order_of_entries_does_not_matter(units, random):
    shuffled = list(units)
    random.shuffle(shuffled)
    assert write_lock(shuffled) == write_lock(units)


DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("schema = ", "end of document"),
        ("", "schema: is missing"),
        ('schema = "lock/v2"', "schema"),
        (f'schema = "lock/v1"\n[[unit]]\nid = "A/b"\nversion = "1.0.0"\ndigest = "{DIGEST}"', "unit[0].id"),
        (f'schema = "lock/v1"\n[[unit]]\nid = "a/b"\nversion = "banana"\ndigest = "{DIGEST}"', "unit[0].version"),
        ('schema = "lock/v1"\n[[unit]]\nid = "a/b"\nversion = "1.0.0"\ndigest = "md5:1"', "unit[0].digest"),
        ('schema = "lock/v1"\nunit = []\nmore = 1', "more"),
        (
            'schema = "lock/v1"\n' + f'[[unit]]\nid = "a/b"\nversion = "1.0.0"\ndigest = "{DIGEST}"\n' * 2,
            "listed twice",
        ),
    ],
)
def test_a_malformed_lock_is_refused_naming_the_place(text, said):
    with pytest.raises(LockInvalid, match=r"remit\.lock") as caught:
        read_lock(text.encode())
    assert said in caught.value.message


@given(st.binary(max_size=300))
def test_any_bytes_are_a_lock_or_refused(data):
    try:
        assert isinstance(read_lock(data), Lock)
    except LockInvalid as error:
        assert error.message  # noqa: PT017 - one of the two is the property
