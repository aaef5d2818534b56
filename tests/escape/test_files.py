"""Files: a unit with folders of its own reaches for what lies beside them."""

from __future__ import annotations

import os

import pytest

from tests.swapping import swapping


@pytest.fixture
def maze(arena):
    """Ways out of the granted folder."""
    names = {"link": "secret", "folder": "", "loop": None}
    for name, leads in names.items():
        target = arena.granted / name if leads is None else arena.outside / leads
        (arena.granted / name).symlink_to(target)
    os.mkfifo(arena.granted / "pipe")
    with (arena.granted / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    yield arena.granted
    for name in (*names, "pipe", "sparse"):
        (arena.granted / name).unlink()


PATHS = {
    "dots out of the folder": "../outside/secret",
    "dots through a name that is not there": "x/../../outside/secret",
    "a link to a file": "link",
    "a link to a folder": "folder/secret",
    "a link to itself": "loop",
    "a named pipe": "pipe",
    "/etc/shadow": "/etc/shadow",
    "/proc/self/environ": "/proc/self/environ",
    "the kernel's own keys": "../home/.remit/keys/code-cache",
    "a sibling with the same beginning": "../granted-not/file",
}


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize("action", ["read", "write"])
def test_path(maze, arena, attack, ends, name, action):
    path = PATHS[name] if PATHS[name].startswith("/") else f"{maze}/{PATHS[name]}"
    code, _ = attack(action, path)
    assert code in {"denied", "invalid"}
    assert (arena.outside / "secret").read_text() == "outside"
    ends(f"refused: {code}")


def test_a_file_of_a_tebibyte(maze, attack, ends):
    assert attack("read", f"{maze}/sparse")[0] == "exhausted"
    ends("refused: exhausted")


def test_a_folder_swapped_for_a_link_in_a_race(arena, attack, ends):
    inner, spare, link = arena.granted / "inner", arena.root / "spare", arena.root / "swap"
    inner.mkdir()
    (inner / "secret").write_text("inside")
    link.symlink_to(arena.outside)
    with swapping(inner, link, spare):
        seen = {attack("read", f"{inner}/secret") for _ in range(60)}
    assert {text for code, text in seen if code == "answered"} <= {'"inside"'}
    assert {code for code, _ in seen} <= {"answered", "denied", "not-found"}
    ends("refused: denied, or the file inside; never the one outside")
