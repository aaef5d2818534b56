"""A home of an older format: refused until its operator looks and says so, upgraded whole or not at all, and kept."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from remit.errors import FormatOld, FormatTooOld, HomeBusy, JournalCorrupt, JournalError
from remit.host import Home, Kernel, examine_files, init, read_journal, restore, upgrade_home, verify_journal
from remit.journal import encode_json, no_progress, tables
from remit.journal.tables import Step
from remit.schemas import formats

STEP = Step("keeps notes", lambda connection: connection.execute("CREATE TABLE note(text TEXT) STRICT"))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """A home with a backup beside it, written in today's format; and what there is in it."""
    folder = tmp_path_factory.mktemp("older")
    init(folder / "home")
    (folder / "tone").mkdir()
    (folder / "tone/unit.toml").write_text(
        'schema = "unit/v1"\nid = "acme/tone"\nversion = "1.0.0"\nkind = "config"\ntitle = "t"\n'
        'license = "Apache-2.0"\n[[patch]]\ntarget = "assistant"\nop = "merge"\nvalue = { tone = "warm" }\n'
    )
    with Kernel.open(folder / "home", serve=False) as kernel:
        kernel.install(str(folder / "tone"), allow_unsigned=True)
        kernel.apply(kernel.plan(add=["acme/tone"]), consent=True)
        kernel.backup(str(folder / "home.backup"))
    return folder, contents(folder / "home")


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """This remit is a later one, whose journal has one format more."""
    monkeypatch.setattr(formats, "JOURNAL", formats.JOURNAL + 1)
    monkeypatch.setattr(tables, "STEPS", {formats.JOURNAL - 1: STEP})
    return formats.JOURNAL


@pytest.fixture
def home(written: tuple[Path, bytes], tmp_path: Path) -> Path:
    return copied(written[0] / "home", tmp_path / "home")


def copied(home: Path, to: Path) -> Path:
    init(to)
    for name in ("journal.db", "head.json"):
        (to / ".remit" / name).write_bytes((home / ".remit" / name).read_bytes())
    for blob in (home / ".remit/blobs").glob("??/*"):
        target = to / blob.relative_to(home)
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(blob.read_bytes())
    (to / "remit.toml").write_bytes((home / "remit.toml").read_bytes())
    return to


def contents(home: Path) -> bytes:
    with Kernel.open(home, serve=False) as kernel:
        return encode_json([kernel.history(), kernel.document("assistant"), kernel.units(), kernel.leases()])


def format_of(home: Path) -> int:
    connection = apsw.Connection(str(home / ".remit/journal.db"))
    try:
        return int(connection.pragma("user_version"))
    finally:
        connection.close()


def dump(home: Path) -> list[object]:
    connection = apsw.Connection(str(home / ".remit/journal.db"))
    try:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return [names, *(connection.execute(f"SELECT * FROM {name}").fetchall() for name in names)]
    finally:
        connection.close()


def test_it_does_not_open_and_the_refusal_names_the_way(home: Path, later: int) -> None:
    for read in (lambda: Kernel.open(home, serve=False), lambda: read_journal(home)):
        with pytest.raises(FormatOld, match=str(later)) as refused:
            read()
        assert "remit journal upgrade --dry-run" in refused.value.remedy


def test_a_dry_run_says_each_step_and_leaves_all_as_it_was(home: Path, later: int) -> None:
    before = dump(home)
    found = upgrade_home(home, dry_run=True)
    assert (found.before, found.after, found.steps, found.done) == (later - 1, later, (STEP.says,), False)
    assert dump(home) == before
    assert not list((home / ".remit").glob("journal.format-*"))


def test_an_upgrade_does_what_the_dry_run_said_and_loses_nothing(
    home: Path, written: tuple[Path, bytes], later: int
) -> None:
    said = upgrade_home(home, dry_run=True)
    done = upgrade_home(home)
    assert (done.before, done.after, done.steps, done.records) == (said.before, said.after, said.steps, said.records)
    assert done.done
    assert contents(home) == written[1]
    verify_journal(home)
    assert upgrade_home(home).steps == ()
    with Kernel.open(home, serve=False) as kernel:
        [record] = kernel.events(prefixes=["home.upgraded"])
        assert (record["event"]["data"]["before"], record["event"]["data"]["after"]) == (later - 1, later)


def test_what_it_was_is_kept_and_opens_where_the_old_remit_is(
    home: Path, written: tuple[Path, bytes], tmp_path: Path
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(formats, "JOURNAL", formats.JOURNAL + 1)
        patch.setattr(tables, "STEPS", {formats.JOURNAL - 1: STEP})
        done = upgrade_home(home)
    old = copied(written[0] / "home", tmp_path / "old")
    (old / ".remit/journal.db").write_bytes((home / ".remit" / done.copy).read_bytes())
    assert contents(old) == written[1]
    assert (home / ".remit" / done.copy).stat().st_mode & 0o777 == 0o600


@pytest.mark.usefixtures("later")
def test_the_doctor_tells_of_the_copy_and_removes_it_when_asked(home: Path) -> None:
    done = upgrade_home(home)
    with Kernel.open(home, serve=False) as kernel:
        [check] = [one for one in kernel.doctor() if one.id == "home.formats"]
        assert done.copy in check.ailments[0].cause
        kernel.mend(["home.formats"])
    assert not (home / ".remit" / done.copy).exists()


def dies(_connection: apsw.Connection) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_killed_in_the_midst_of_it_the_old_home_is_whole_and_the_next_try_does_it(
    home: Path, later: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = dump(home)
    for number, steps in enumerate(
        (
            {later - 1: Step("dies", dies)},
            {later - 1: Step("dies late", lambda connection: (STEP.take(connection), dies(connection)))},
        )
    ):
        monkeypatch.setattr(tables, "STEPS", steps)
        child = multiprocessing.get_context("fork").Process(target=upgrade_home, args=(home,))
        child.start()
        child.join()
        assert child.exitcode == -signal.SIGKILL, number
        assert dump(home) == before
    monkeypatch.setattr(tables, "STEPS", {later - 1: STEP})
    assert upgrade_home(home).done
    assert format_of(home) == later


@pytest.mark.parametrize(
    ("sql", "error"),
    [("DELETE FROM record WHERE seq = 2", JournalCorrupt), ("DELETE FROM nowhere", JournalError)],
)
def test_a_step_that_loses_records_or_fails_changes_nothing(
    home: Path, later: int, monkeypatch: pytest.MonkeyPatch, sql: str, error: type[JournalError]
) -> None:
    before = dump(home)
    monkeypatch.setattr(tables, "STEPS", {later - 1: Step("is wrong", lambda connection: connection.execute(sql))})
    with pytest.raises(error):
        upgrade_home(home)
    assert dump(home) == before


def test_no_upgrade_leads_from_a_format_without_steps(home: Path, later: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "JOURNAL", later + 1)
    with pytest.raises(FormatTooOld):
        upgrade_home(home, dry_run=True)


@pytest.mark.usefixtures("later")
def test_it_waits_for_nobody_who_runs_the_home(home: Path) -> None:
    with Home.open(home).locked("another"), pytest.raises(HomeBusy):
        upgrade_home(home, dry_run=True)


def test_a_backup_of_an_older_format_is_restored_in_ours(
    written: tuple[Path, bytes], tmp_path: Path, later: int
) -> None:
    restore(written[0] / "home.backup", tmp_path / "again")
    assert contents(tmp_path / "again") == written[1]
    assert format_of(tmp_path / "again") == later
    assert not list((tmp_path / "again/.remit").glob("journal.format-*"))


def test_a_home_that_is_up_to_date_has_nothing_to_do(home: Path) -> None:
    assert upgrade_home(home).steps == ()


@pytest.mark.usefixtures("later")
def test_the_doctor_of_an_older_home_names_the_way(home: Path) -> None:
    with pytest.raises(FormatOld) as refused:
        Kernel.open(home, serve=False)
    first, *others = examine_files(home, refused.value, no_progress)
    assert "remit journal upgrade" in first.ailments[0].remedy
    assert [one.id for one in others if one.id == "home.formats" and one.ailments]
