"""The doctor: each thing that can go wrong with a home is found, named and, where that may be, put right."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from remit.errors import JournalError, UsageError
from remit.host import Client, Home, Kernel, examine_files, init
from remit.host.facade.views import Ailment
from remit.journal import SystemClock, no_progress
from remit.journal.checks import Check, Trouble
from remit.kernel.hookspecs import hookimpl

HOUR_AGO_S = 7_200


@pytest.fixture
def home(tmp_path: Path) -> Path:
    init(tmp_path / "home")
    return tmp_path / "home"


def config_unit(folder: Path, value: str = "true") -> str:
    folder.mkdir()
    (folder / "unit.toml").write_text(
        'schema = "unit/v1"\nid = "acme/tone"\nversion = "1.0.0"\nkind = "config"\ntitle = "t"\n'
        f'license = "Apache-2.0"\n[[patch]]\ntarget = "assistant"\nop = "merge"\nvalue = {{ tone = {value} }}\n'
    )
    return str(folder)


@pytest.fixture
def kernel(home: Path, tmp_path: Path) -> Iterator[Kernel]:
    with Kernel.open(home) as opened:
        opened.install(config_unit(tmp_path / "tone"), allow_unsigned=True)
        opened.apply(opened.plan(add=["acme/tone"]), consent=True)
        yield opened


def found(facade: Kernel | Client, check: str) -> list[Ailment]:
    [one] = [one for one in facade.doctor() if one.id == check]
    return list(one.ailments)


def aged(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"left behind")
    then = path.stat().st_mtime - HOUR_AGO_S
    os.utime(path, (then, then))
    return path


def test_a_healthy_home_has_no_errors_and_says_so_over_the_socket_too(kernel: Kernel, home: Path) -> None:
    client = Client(Home.open(home))
    seen = client.doctor()
    client.close()
    assert seen == kernel.doctor()
    assert {one.severity for check in seen for one in check.ailments} <= {"note"}
    ids = [check.id for check in seen]
    assert len(ids) == len(set(ids)) >= 12


def test_a_file_that_a_killed_process_left_is_found_and_mended(kernel: Kernel, home: Path) -> None:
    left = aged(home / ".remit/blobs/aa/.01.tmp")
    fresh = home / ".remit/blobs/aa/.02.tmp"
    fresh.write_bytes(b"somebody is at it")
    assert [one.cause for one in found(kernel, "home.files")] == [".remit/blobs/aa/.01.tmp was never finished"]
    assert left.exists()
    [mended] = [one for one in kernel.mend(["home.files"]) if one.id == "home.files"]
    assert [one.mended for one in mended.ailments] == [True]
    assert not left.exists()
    assert fresh.exists()
    assert found(kernel, "home.files") == []
    [record] = kernel.events(prefixes=["home.mended"])
    assert record["event"]["data"]["check"] == "home.files"


def test_mending_one_check_leaves_what_the_others_found(kernel: Kernel, home: Path) -> None:
    left = aged(home / ".remit/.head.json.1.1.tmp")
    kernel.mend(["journal.blobs"])
    assert left.exists()


def test_a_check_that_nobody_has_cannot_be_mended(kernel: Kernel) -> None:
    with pytest.raises(UsageError):
        kernel.mend(["nothing"])


def test_a_changed_blob_is_found_and_goes_and_then_its_unit_is_not_whole(kernel: Kernel, home: Path) -> None:
    [unit] = kernel.units()
    name = unit.ref.digest.removeprefix("sha256:")
    path = home / ".remit/blobs" / name[:2] / name
    path.chmod(0o600)
    path.write_bytes(b"other bytes")
    assert [one.severity for one in found(kernel, "journal.blobs")] == ["error"]
    kernel.mend(["journal.blobs"])
    assert not path.exists()
    assert "acme/tone@1.0.0 is not here whole" in found(kernel, "units.blobs")[0].cause


def test_an_edit_that_no_apply_has_taken_up_is_drift(kernel: Kernel, home: Path) -> None:
    path = home / "remit.toml"
    path.write_text(path.read_text().replace("acme/tone", "acme/other"))
    assert [one.severity for one in found(kernel, "units.drift")] == ["note", "note"]


def test_a_lock_that_says_otherwise_than_what_runs_is_found(kernel: Kernel, home: Path) -> None:
    kernel.adopt()
    assert found(kernel, "units.drift") == []
    lock = home / "remit.lock"
    digest = kernel.units()[0].ref.digest
    lock.write_text(lock.read_text().replace(digest, "sha256:" + "0" * 64))
    assert ["remit.lock says" in one.cause for one in found(kernel, "units.drift")] == [True]


def test_a_clock_that_went_back_is_an_error(home: Path) -> None:
    class Behind(SystemClock):
        def now_ms(self) -> int:
            return super().now_ms() - 3_600_000

    with Kernel.open(home, clock=Behind(), serve=False) as kernel:
        assert ["behind the journal" in one.cause for one in found(kernel, "home.clock")] == [True]


def test_a_seal_that_is_not_ours_is_found_in_the_cache(kernel: Kernel, home: Path) -> None:
    folder = home / ".remit/cache/code"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / f"{'a' * 64}-engine.sealed").write_bytes(b"x" * 100)
    assert [bool(one.fix) for one in found(kernel, "cache")] == [True]
    kernel.mend(["cache"])
    assert found(kernel, "cache") == []


def test_a_pinned_root_that_cannot_be_read_is_an_error(kernel: Kernel, home: Path) -> None:
    with (home / "remit.toml").open("a") as file:
        file.write('\n[registry.main]\nurl = "oci://registry.example"\nroot = "root.json"\n')
    kernel.plan()
    assert [one.severity for one in found(kernel, "trust.root")] == ["error"]
    (home / "root.json").write_text('{"signed": {"expires": "2001-01-01T00:00:00Z", "version": 3}}')
    assert ["version 3) ended" in one.cause for one in found(kernel, "trust.root")] == [True]


class Checking:
    """A plugin with a check of its own."""

    def __init__(self, run: Callable[[object], list[Trouble]]) -> None:
        self._run = run

    @hookimpl
    def remit_doctor_checks(self) -> list[Check]:
        return [Check("acme.thing", "a plugin's own", self._run)]


def test_a_plugin_has_checks_of_its_own(home: Path) -> None:
    done = []
    trouble = Trouble("warning", "a thing", fix="mend the thing", mend=lambda: done.append(1))
    with Kernel.open(home, serve=False, plugins={"acme": Checking(lambda _progress: [trouble])}) as kernel:
        assert [one.cause for one in found(kernel, "acme.thing")] == ["a thing"]
        kernel.mend(["acme.thing"])
    assert done == [1]


def test_a_plugins_check_that_breaks_is_its_plugins_fault(home: Path) -> None:
    def broken(_progress: object) -> list[Trouble]:
        raise ZeroDivisionError

    with Kernel.open(home, serve=False, plugins={"acme": Checking(broken)}) as kernel:
        assert found(kernel, "acme.thing") == []
        assert ["acme failed" in one.cause for one in found(kernel, "plugins")] == [True]


def test_a_home_that_does_not_open_is_examined_from_outside(home: Path) -> None:
    path = home / ".remit/journal.db"
    data = bytearray(path.read_bytes())
    data[100:] = bytes(len(data) - 100)
    path.write_bytes(data)
    with pytest.raises(JournalError) as refused:
        Kernel.open(home)
    checks = {one.id: one.ailments for one in examine_files(home, refused.value, no_progress)}
    assert refused.value.code in checks["home.opens"][0].cause
    assert checks["journal.chain"][0].severity == "error"
    assert checks["home.disk"] == ()
