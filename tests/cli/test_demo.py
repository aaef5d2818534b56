"""The demo: its sample, its stage, and the whole show, which must fail if a promise is broken."""

from __future__ import annotations

import json
import stat

import pytest

from remit.cli.demo import sample, stage
from remit.errors import HomeExists, SourceUnknown

ROOT = stage.find_units(None).parent


def test_the_sample_is_a_real_text_with_things_to_mask_and_things_to_leave():
    lines = sample.tickets()
    assert len(lines) >= 200
    assert len(set(lines)) == len(lines)
    assert all(count >= 20 for count in sample.PLANTED.values())
    assert len(lines) - len(sample.leftovers(lines)) >= sample.UNTOUCHED


def test_units_are_named_or_beside_the_source_and_their_absence_is_explained(tmp_path, remit):
    assert (stage.find_units(ROOT / "units") / "redact").is_dir()
    with pytest.raises(SourceUnknown):
        stage.find_units(tmp_path)
    assert "--units" in remit("demo", "--units", tmp_path, code=1).stderr


def test_a_folder_with_something_in_it_is_not_taken_for_the_home(tmp_path, remit):
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(HomeExists), stage.home_folder(tmp_path):
        pass
    assert "RM-1102" in remit("demo", "--keep", tmp_path, code=1).stderr
    assert (tmp_path / "mine").read_text() == "precious"


def test_compiled_code_is_kept_owner_only_and_handed_to_the_next_home(home, tmp_path, remit):
    (home / ".remit" / "keys" / "code-cache").write_bytes(b"k" * 32)
    (home / ".remit" / "cache" / "piece").write_bytes(b"code")
    stage.keep_code(home)
    store = tmp_path / "user-cache" / "remit" / "demo"
    assert stat.S_IMODE(store.stat().st_mode) == 0o700
    assert sorted(path.name for path in store.iterdir()) == ["cache", "keys", "lock"]
    remit("init", tmp_path / "next")
    stage.borrow_code(tmp_path / "next")
    assert (tmp_path / "next" / ".remit" / "keys" / "code-cache").read_bytes() == b"k" * 32
    assert (tmp_path / "next" / ".remit" / "cache" / "piece").read_bytes() == b"code"


@pytest.mark.parametrize("name", ["", "cache", "keys"])
def test_kept_code_that_others_could_have_written_is_not_used(home, tmp_path, remit, name):
    (home / ".remit" / "keys" / "code-cache").write_bytes(b"k" * 32)
    (home / ".remit" / "cache" / "piece").write_bytes(b"code")
    stage.keep_code(home)
    (tmp_path / "user-cache" / "remit" / "demo" / name).chmod(0o770)
    remit("init", tmp_path / "next")
    stage.borrow_code(tmp_path / "next")
    assert not (tmp_path / "next" / ".remit" / "cache" / "piece").exists()


def test_code_that_piled_up_is_dropped_and_other_keys_never_leave_the_home(home, tmp_path, monkeypatch):
    (home / ".remit" / "keys" / "code-cache").write_bytes(b"k" * 32)
    (home / ".remit" / "keys" / "other").write_bytes(b"o" * 32)
    (home / ".remit" / "cache" / "piece").write_bytes(b"x" * 1_000)
    stage.keep_code(home)
    store = tmp_path / "user-cache" / "remit" / "demo"
    assert [path.name for path in (store / "keys").iterdir()] == ["code-cache"]
    monkeypatch.setattr(stage, "_MOST_KEPT", 999)
    stage.keep_code(home)
    assert [path.name for path in store.iterdir()] == ["lock"]


def test_a_link_in_the_place_of_the_store_is_not_followed(home, tmp_path):
    (tmp_path / "user-cache" / "remit").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "user-cache" / "remit" / "demo").symlink_to(tmp_path / "elsewhere")
    stage.keep_code(home)
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.slow
def test_the_whole_demo_keeps_its_promises_and_its_home(tmp_path, remit):
    folder = tmp_path / "kept"
    shown = remit("demo", "--keep", folder).stdout
    for words in ("$ remit unit install", "$ remit unit plan acme/redact acme/tone", "guard.undeclared", "mail █"):
        assert words in shown
    assert (
        shown.index("$ remit unit revert acme/tone") < shown.index("the chain is whole") < shown.index("What you saw")
    )
    document = json.loads(remit("document", "show", "assistant", "--home", folder).stdout)
    assert "style" not in document
    active = [
        row for row in json.loads(remit("unit", "list", "--home", folder, "--json").stdout)["units"] if row["active"]
    ]
    assert {row["ref"]["id"] for row in active} == {"acme/redact", "acme/sneaky"}
    again = json.loads(remit("demo", "--json").stdout)
    assert (again["ok"], again["home"]) == (True, None)


@pytest.mark.slow
def test_a_broken_promise_ends_the_demo_with_an_error(monkeypatch, remit):
    monkeypatch.setitem(sample.PLANTED, "email", 81)
    result = remit("demo", code=1)
    assert "broke a promise" in result.stderr
    assert "What you saw" not in result.stdout
