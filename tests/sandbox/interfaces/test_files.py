"""``files``: whole files, never through a link, and what the ledger says of writes."""

from __future__ import annotations

import base64
import os
import socket

import pytest

from remit.sandbox.interfaces import tree
from remit.sandbox.interfaces.tree import MAX_FILE
from tests.swapping import swapping


@pytest.fixture
def granting(new_scope):
    """A call of a unit that may read and write everything below a folder."""

    def grant(folder, *actions):
        scope = new_scope()

        class Below(set):
            def __contains__(self, item):
                action, path = item
                return action in (actions or ("fs:read", "fs:write")) and f"{path}/".startswith(f"{folder}/")

        scope.authority.granted = Below()
        return scope

    return grant


def test_a_file_is_written_whole_and_read_back(granting, ask, tmp_path):
    scope = granting(tmp_path)
    assert ask(scope, "files.write", f"{tmp_path}/a.txt", "grüße", "utf8").value == 7
    assert ask(scope, "files.read", f"{tmp_path}/./x/../a.txt", "utf8").value == "grüße"
    assert ask(scope, "files.read", f"{tmp_path}/a.txt", "base64").value == base64.b64encode("grüße".encode()).decode()
    assert ask(scope, "files.list", str(tmp_path)).value == ["a.txt"]
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o600


def test_binary_content_travels_as_base64(granting, ask, tmp_path):
    scope = granting(tmp_path)
    assert ask(scope, "files.write", f"{tmp_path}/b", base64.b64encode(b"\xff\0").decode(), "base64").value == 2
    assert (tmp_path / "b").read_bytes() == b"\xff\0"
    assert ask(scope, "files.read", f"{tmp_path}/b", "utf8").code == "invalid"
    assert ask(scope, "files.write", f"{tmp_path}/b", "!", "base64").code == "invalid"


def test_replacing_keeps_the_mode_and_leaves_no_temporary(granting, ask, tmp_path):
    (tmp_path / "a").write_text("old")
    (tmp_path / "a").chmod(0o640)
    (tmp_path / "twin").hardlink_to(tmp_path / "a")
    assert ask(granting(tmp_path), "files.write", f"{tmp_path}/a", "new", "utf8").value == 3
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "twin").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "twin"]


def test_a_write_is_intended_durably_and_its_outcome_journalled(granting, ask, tmp_path):
    scope = granting(tmp_path)
    ask(scope, "files.write", f"{tmp_path}/a", "abc", "utf8")
    (first, intent, waited), (second, outcome, _) = scope.record.entries
    assert (first, waited, intent["path"], intent["bytes"]) == ("file.intended", True, f"{tmp_path}/a", 3)
    assert (second, outcome["intent"], outcome["grant"]) == ("file.written", intent["id"], "g1")
    assert ask(scope, "files.write", f"{tmp_path}/no/a", "abc", "utf8").code == "not-found"
    assert scope.record.of("file.failed")[0]["code"] == "not-found"
    assert "abc" not in str(scope.record.entries)


def test_bytes_are_charged_before_they_are_handed_over(granting, ask, tmp_path):
    (tmp_path / "a").write_text("x" * 100)
    scope = granting(tmp_path)
    scope.authority.bytes_left = 99
    assert ask(scope, "files.read", f"{tmp_path}/a", "utf8").code == "exhausted"
    assert ask(scope, "files.write", f"{tmp_path}/b", "x" * 100, "utf8").code == "exhausted"
    assert not (tmp_path / "b").exists()


def test_what_is_too_large_is_refused_before_policy_is_asked(granting, ask, tmp_path):
    scope = granting(tmp_path)
    assert ask(scope, "files.write", f"{tmp_path}/a", "x" * (MAX_FILE + 1), "utf8").code == "invalid"
    assert scope.authority.used == []
    with (tmp_path / "big").open("wb") as file:
        file.truncate(1 << 40)
    assert ask(scope, "files.read", f"{tmp_path}/big", "utf8").code == "exhausted"


def test_a_folder_with_too_many_entries_is_refused(granting, ask, tmp_path, monkeypatch):
    monkeypatch.setattr("remit.sandbox.interfaces.tree.MAX_ENTRIES", 3)
    for name in "abcd":
        (tmp_path / name).touch()
    assert ask(granting(tmp_path), "files.list", str(tmp_path)).code == "exhausted"


def test_folders_are_marked_and_unspeakable_names_left_out(granting, ask, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / os.fsdecode(b"\xff")).touch()
    (tmp_path / "line\nbreak").touch()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    assert ask(granting(tmp_path), "files.list", str(tmp_path)).value == ["folder/", "link"]


# ---- ways out ----


@pytest.fixture
def outside(tmp_path):
    """A granted folder, and a secret beside it."""
    granted, other = tmp_path / "granted", tmp_path / "other"
    granted.mkdir()
    other.mkdir()
    (other / "secret").write_text("secret")
    return granted, other


@pytest.mark.parametrize("path", ["../other/secret", "x/../../other/secret", "./../other/./secret"])
def test_dots_lead_to_what_is_not_granted(granting, ask, outside, path):
    granted, _ = outside
    scope = granting(granted)
    assert ask(scope, "files.read", f"{granted}/{path}", "utf8").code == "denied"
    assert ask(scope, "files.write", f"{granted}/{path}", "x", "utf8").code == "denied"


def test_links_are_followed_nowhere(granting, ask, outside):
    granted, other = outside
    (granted / "file").symlink_to(other / "secret")
    (granted / "folder").symlink_to(other)
    (granted / "loop").symlink_to(granted / "loop")
    (granted / "dangling").symlink_to(other / "new")
    scope = granting(granted)
    for name in ("file", "folder/secret", "loop", "loop/x", "dangling"):
        assert ask(scope, "files.read", f"{granted}/{name}", "utf8").code == "denied", name
        assert ask(scope, "files.write", f"{granted}/{name}", "x", "utf8").code == "denied", name
    assert ask(scope, "files.list", f"{granted}/folder").code == "denied"
    assert (other / "secret").read_text() == "secret"
    assert not (other / "new").exists()


def test_a_granted_folder_that_is_a_link_is_refused(granting, ask, outside):
    granted, other = outside
    alias = granted.parent / "alias"
    alias.symlink_to(other)
    assert ask(granting(alias), "files.read", f"{alias}/secret", "utf8").code == "denied"


def test_what_is_no_regular_file_is_never_opened(granting, ask, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        scope = granting(tmp_path)
        for name in ("pipe", "folder", "socket"):
            assert ask(scope, "files.read", f"{tmp_path}/{name}", "utf8").code == "denied", name
            assert ask(scope, "files.write", f"{tmp_path}/{name}", "x", "utf8").code == "denied", name


def test_a_folder_swapped_for_a_link_during_the_walk_leads_nowhere(granting, ask, outside):
    granted, other = outside
    inner = granted / "inner"
    inner.mkdir()
    (inner / "secret").write_text("mine")
    link = granted.parent / "link"
    link.symlink_to(other)
    spare = granted.parent / "spare"
    with swapping(inner, link, spare):
        scope = granting(granted)
        answers = {
            getattr(answer, "value", None) or answer.code
            for answer in (ask(scope, "files.read", f"{inner}/secret", "utf8") for _ in range(2_000))
        }
    assert "mine" in answers
    assert answers <= {"mine", "denied", "not-found"}


def test_an_error_of_the_system_is_told_in_our_words(granting, ask, tmp_path, monkeypatch):
    def broken(*_):
        raise OSError(5, "Input/output error", "/private/path/of/the/host")

    monkeypatch.setattr(tree.os, "open", broken)
    refused = ask(granting(tmp_path), "files.read", f"{tmp_path}/a", "utf8")
    assert refused.code == "unavailable"
    assert "/private" not in refused.message


@pytest.mark.parametrize("path", ["", "a", "a\0b", "/a\0b", "/" + "x" * 5000])
def test_what_is_no_path_never_reaches_policy(granting, ask, tmp_path, path):
    scope = granting(tmp_path)
    assert ask(scope, "files.read", path, "utf8").code == "invalid"
    assert ask(scope, "files.list", path).code == "invalid"
    assert scope.authority.used == []


def test_a_name_that_is_too_long_is_invalid(granting, ask, tmp_path):
    assert ask(granting(tmp_path), "files.read", f"{tmp_path}/{'x' * 300}", "utf8").code == "invalid"
