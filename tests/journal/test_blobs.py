"""Blobs: named by their content, whole or not there, checked when read."""

from __future__ import annotations

import errno
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remit.errors import BlobCorrupt, BlobMissing, DiskFull, HomeError, HomeReadOnly
from remit.journal import Blobs, SystemClock, SystemIds, digest_of, translate_os_error, write_atomically
from tests.journal.simulators import SimIds, temporary_folder


@pytest.fixture
def blobs(folder):
    return Blobs(folder / "blobs", SystemIds(SystemClock()))


@settings(max_examples=40, deadline=None)
@given(items=st.lists(st.binary(max_size=200), max_size=6), start=st.integers(0, 250), length=st.integers(0, 250))
def test_what_is_put_is_got_by_the_hash_of_its_bytes(items, start, length):
    with temporary_folder() as folder:
        blobs = Blobs(folder / "blobs", SimIds())
        digests = blobs.put_many(items)
        assert digests == [f"sha256:{hashlib.sha256(item).hexdigest()}" for item in items]
        assert set(blobs.digests()) == set(digests)
        for digest, item in zip(digests, items, strict=True):
            assert blobs.has(digest)
            assert blobs.get(digest) == item
            assert blobs.range(digest, start, length) == item[start : start + length]


def test_the_same_bytes_put_by_many_threads_are_one_blob(blobs):
    data = os.urandom(100_000)
    with ThreadPoolExecutor(8) as pool:
        digests = set(pool.map(lambda _: blobs.put(data), range(32)))
    assert digests == {digest_of(data)} == set(blobs.digests())
    assert blobs.get(digest_of(data)) == data
    assert [path.name for path in blobs.path(digest_of(data)).parent.iterdir()] == [digest_of(data)[7:]]


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-1], lambda data: data + b"x", lambda data: b"y" + data[1:], lambda _: b""]
)
def test_a_blob_with_other_bytes_is_not_given_out(blobs, damage):
    digest = blobs.put(b"some bytes")
    blobs.path(digest).write_bytes(damage(b"some bytes"))
    with pytest.raises(BlobCorrupt):
        blobs.get(digest)


NAMES = st.one_of(
    st.text(max_size=90),
    st.sampled_from(["", "sha256:", "../../etc/passwd", "sha256:../../../etc/passwd", "sha256:" + "A" * 64,
                     "sha256:" + "0" * 63, "sha256:" + "0" * 65, "sha256:" + "0" * 64 + "\n", "sha512:" + "0" * 64,
                     "sha256:" + "\u0660" * 64, "/etc/passwd", "sha256:" + "0" * 62 + "/."]),
)  # fmt: skip


@given(NAMES)
def test_a_name_that_is_no_digest_never_becomes_a_path(name):
    blobs = Blobs(Path("/nonexistent"), SimIds())
    for use in (blobs.path, blobs.get, blobs.has, lambda text: blobs.range(text, 0, 1)):
        with pytest.raises(BlobMissing):
            use(name)


def test_a_blob_that_is_not_there_is_missing(blobs):
    digest = digest_of(b"nothing")
    assert not blobs.has(digest)
    with pytest.raises(BlobMissing):
        blobs.get(digest)
    with pytest.raises(BlobMissing):
        blobs.range(digest, 0, 1)


@pytest.mark.parametrize(("start", "length"), [(-1, 5), (0, -1), (3, 10**30), (10**30, 1)])
def test_a_range_beyond_the_blob_is_what_there_is(blobs, start, length):
    data = b"0123456789"
    start_in, length_in = max(start, 0), max(length, 0)
    assert blobs.range(blobs.put(data), start, length) == data[start_in : start_in + length_in]


@pytest.mark.parametrize(
    ("number", "expected"),
    [(errno.ENOSPC, DiskFull), (errno.EDQUOT, DiskFull), (errno.EROFS, HomeReadOnly), (errno.EACCES, HomeReadOnly),
     (errno.EPERM, HomeReadOnly), (errno.EIO, HomeError)],
)  # fmt: skip
@pytest.mark.parametrize("step", ["open", "fsync", "rename"])
def test_a_write_that_fails_at_any_step_is_typed_and_leaves_nothing(blobs, folder, monkeypatch, number, expected, step):
    def fail(*_args, **_kwargs):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        if step == "rename":
            patch.setattr(Path, "rename", fail)
            patch.setattr(Path, "replace", fail)
        else:
            patch.setattr(os, step, fail)
        for write in (lambda: blobs.put(b"data"), lambda: write_atomically(folder / "file", b"new")):
            with pytest.raises(HomeError) as caught:
                write()
            assert type(caught.value) is expected
    assert list(blobs.digests()) == []
    assert [path for path in folder.rglob("*") if path.is_file()] == []
    assert blobs.get(blobs.put(b"data")) == b"data"


def test_a_crash_before_the_rename_leaves_nothing_visible(blobs):
    digest = digest_of(b"data")
    folder = blobs.path(digest).parent
    folder.mkdir()
    (folder / ".01J0000000000000000000000.tmp").write_bytes(b"da")
    assert list(blobs.digests()) == []
    assert not blobs.has(digest)
    assert blobs.put(b"data") == digest
    assert list(blobs.digests()) == [digest]


def test_one_sync_of_a_folder_serves_all_its_blobs(blobs, monkeypatch):
    synced = []
    monkeypatch.setattr("remit.journal.blobs.sync_folder", synced.append)
    items = [bytes([n]) for n in range(200)]
    digests = blobs.put_many(items)
    assert len(synced) == len(set(synced)) == len({blobs.path(digest).parent for digest in digests}) + 1


def test_blobs_are_the_owners_alone(blobs):
    path = blobs.path(blobs.put(b"data"))
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_an_atomic_write_keeps_the_old_file_until_the_new_one_is_whole(folder, monkeypatch):
    target = folder / "file"
    write_atomically(target, b"old", mode=0o644)
    seen = []
    real = os.fsync

    def look(descriptor):
        seen.append(target.read_bytes())
        real(descriptor)

    monkeypatch.setattr(os, "fsync", look)
    write_atomically(target, b"new")
    assert seen[0] == b"old"
    assert target.read_bytes() == b"new"


def test_other_faults_keep_the_systems_words():
    assert "Input/output error" in translate_os_error(OSError(errno.EIO, "Input/output error"), "reading").message
