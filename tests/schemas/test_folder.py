"""Reading from a folder that may be hostile."""

from __future__ import annotations

import os

import pytest

from remit.errors import ValueInvalid
from remit.schemas.folder import read_inside


def test_a_file_is_read_whole(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a").write_bytes(b"12345")
    assert read_inside(tmp_path, "sub/a", limit=5) == b"12345"


def test_a_missing_file_is_none(tmp_path):
    (tmp_path / "a").write_bytes(b"")
    assert read_inside(tmp_path, "b", limit=5) is None
    assert read_inside(tmp_path, "a/b", limit=5) is None
    assert read_inside(tmp_path / "absent", "a", limit=5) is None


def test_a_link_inside_the_folder_is_followed(tmp_path):
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "b").symlink_to("a")
    assert read_inside(tmp_path, "b", limit=5) == b"x"


@pytest.mark.parametrize("target", ["../outside", "/etc/passwd", "/dev/zero"])
def test_a_link_out_of_the_folder_is_refused(tmp_path, target):
    (tmp_path / "outside").write_bytes(b"secret")
    inner = tmp_path / "unit"
    inner.mkdir()
    (inner / "link").symlink_to(target)
    with pytest.raises(ValueInvalid, match="leads out"):
        read_inside(inner, "link", limit=5)


def test_names_that_climb_are_refused(tmp_path):
    (tmp_path / "outside").write_bytes(b"secret")
    inner = tmp_path / "unit"
    inner.mkdir()
    for name in ("../outside", str(tmp_path / "outside")):
        with pytest.raises(ValueInvalid, match="leads out"):
            read_inside(inner, name, limit=50)


def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    for name in ("pipe", "folder", "loop", "nul\0"):
        with pytest.raises(ValueInvalid):
            read_inside(tmp_path, name, limit=5)


def test_a_larger_file_is_refused(tmp_path):
    (tmp_path / "a").write_bytes(b"123456")
    with pytest.raises(ValueInvalid, match="more than 5 bytes"):
        read_inside(tmp_path, "a", limit=5)
