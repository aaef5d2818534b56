"""The author's code cache: a build fills it, homes that go afterwards live on it, others never see it."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest

from remit.errors import ImportRefused
from remit.host import Kernel, init, lend_code
from remit.host.authoring.trying import built_unit, try_unit

UNITS = Path(__file__).parents[3] / "units" / "wat"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """The folder that stands for this user's caches."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    return tmp_path / "caches" / "remit"


@pytest.fixture
def folder(tmp_path):
    def copy(name):
        return Path(shutil.copytree(UNITS / name, tmp_path / name, ignore=shutil.ignore_patterns("*.wasm", ".cache")))

    return copy


def opened(root, *, lent):
    init(root)
    if lent:
        lend_code(root)
    return Kernel.open(root, program="pytest", serve=False)


def test_what_was_built_is_compiled_in_a_home_to_which_the_cache_is_lent_and_in_no_other(folder, tmp_path):
    built = built_unit(folder("echo"))
    assert built.code > 0
    with opened(tmp_path / "lent", lent=True) as kernel:
        assert [entry["artifact"] for entry in kernel.cache()] == [built.digest]
        kernel.apply(kernel.plan(add=[kernel.install(str(tmp_path / "echo"), allow_unsigned=True)]), consent=True)
        assert kernel.call("acme/echo:echo", 1) == 1
    with opened(tmp_path / "own", lent=False) as kernel:
        assert kernel.cache() == []


def test_the_cache_and_its_key_are_the_users_alone(folder, cache):
    built_unit(folder("echo"))
    assert stat.S_IMODE((cache / "code").stat().st_mode) == 0o700
    assert stat.S_IMODE((cache / "code.key").stat().st_mode) == 0o600
    assert sorted(path.name for path in cache.iterdir()) == ["code", "code.key"]


def test_a_build_refuses_what_an_install_would(folder):
    with pytest.raises(ImportRefused, match="does not declare"):
        built_unit(folder("undeclared"))


def test_a_cache_that_is_full_is_emptied_and_goes_on(folder, cache, monkeypatch):
    built_unit(folder("echo"))
    monkeypatch.setattr("remit.host.authoring.workbench._MOST_BYTES", 1)
    built = built_unit(folder("counter"))
    assert [path.name[:10] for path in (cache / "code").glob("*.sealed")] == [built.digest.removeprefix("sha256:")[:10]]


def test_without_a_place_for_a_cache_units_are_tried_all_the_same(folder, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")
    unit = folder("echo")
    assert built_unit(unit).code > 0
    assert try_unit(unit).passed
