"""``remit doctor`` at the command line: its exit codes, and that nothing is put right without a yes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest


@pytest.fixture
def left(home: Path) -> Path:
    """What a killed process left long ago."""
    path = home / ".remit/blobs/.x.tmp"
    path.write_bytes(b"")
    os.utime(path, (0, 0))
    return path


@pytest.mark.usefixtures("home")
def test_a_new_home_is_in_order(remit) -> None:
    data = json.loads(remit("doctor", "--json").stdout)
    assert data["ok"]
    assert {check["id"] for check in data["checks"]} >= {"journal.chain", "cache", "trust.root", "toolchains"}


def test_what_may_be_put_right_is_said_and_waits_for_a_yes(left: Path, remit) -> None:
    assert "--fix would remove .remit/blobs/.x.tmp" in remit("doctor").stdout
    remit("doctor", "--fix", "--dry-run")
    remit("doctor", "--fix", code=3)
    assert left.exists()
    assert "mended" in remit("doctor", "--fix", "--yes").stdout
    assert not left.exists()


def test_an_error_is_the_exit_code(home: Path, remit) -> None:
    blob = home / ".remit/blobs/aa" / ("a" * 64)
    blob.parent.mkdir()
    blob.write_bytes(b"not that")
    remit("doctor", code=1)


def test_a_home_that_does_not_start_is_looked_at(home: Path, remit) -> None:
    (home / "remit.toml").write_text("this is not TOML")
    data = json.loads(remit("doctor", "--json", code=1).stdout)
    assert not data["ok"]
    assert data["checks"][0]["id"] == "home.opens"
    assert data["checks"][0]["ailments"][0]["severity"] == "error"


def test_where_there_is_no_home_the_error_is_that(tmp_path: Path, remit) -> None:
    assert "RM-1101" in remit("doctor", "--home", tmp_path / "none", "--json", code=1).stdout


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("words", [["--dry-run"], ["--yes"]])
def test_words_that_go_with_fix_are_refused_alone(remit, words: list[str]) -> None:
    remit("doctor", *words, code=64)
