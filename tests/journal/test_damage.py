"""Cut off, corrupted, full, read-only, older and newer: a clear error or a migration, and nothing is lost."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remit.errors import (
    ChainBroken,
    DiskFull,
    FormatTooNew,
    FormatTooOld,
    JournalCorrupt,
    JournalTruncated,
    RemitError,
    SqliteTooOld,
)
from remit.journal import digest_of, verify
from remit.schemas import formats
from tests.journal.simulators import copy_of, open_journal, say, temporary_folder


def _payload(data):
    return {digest_of(data): data}


def _growing(folder):
    """A journal that is still open, and the size of its write-ahead log after each commit."""
    journal = open_journal(folder)
    sizes = [(folder / "journal.db-wal").stat().st_size]
    for n in range(12):
        journal.append([say("a.b", {"n": n, "text": "x" * (n * 300)})], payloads=_payload(b"p" * 500) if n % 3 else {})
        sizes.append((folder / "journal.db-wal").stat().st_size)
    return journal, sizes


@pytest.fixture(scope="module")
def torn(tmp_path_factory):
    """The files of a journal as a power cut leaves them, what it had acknowledged, and its records."""
    folder = tmp_path_factory.mktemp("torn") / "journal"
    (folder / "blobs").mkdir(parents=True)
    journal, sizes = _growing(folder)
    copy = copy_of(folder, folder.with_name("copy"))
    records = list(journal.read())
    journal.close()
    return copy, sizes, records


def _cut(source, target, size):
    shutil.copytree(source, target)
    with (target / "journal.db-wal").open("r+b") as file:
        file.truncate(size)
    return target


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_torn_tail_leaves_a_whole_prefix_with_all_that_was_acknowledged_before_it(torn, data):
    source, sizes, records = torn
    size = data.draw(st.sampled_from(sizes) | st.integers(0, sizes[-1]))
    survivors = sum(1 for end in sizes if end <= size)
    with tempfile.TemporaryDirectory() as name:
        journal = open_journal(_cut(source, Path(name) / "cut", size), prefix="ID")
        try:
            found = list(journal.read())
            assert len(found) >= max(survivors, 1)
            assert found == records[: len(found)]
            assert verify(journal).records == len(found)
            assert journal.append([say("a.b")])[0].seq == len(found) + 1
        finally:
            journal.close()


def test_a_cut_below_the_checkpoint_is_reported(torn, tmp_path):
    source, sizes, records = torn
    for number in (1, 5, len(sizes) - 1):
        cut = _cut(source, tmp_path / f"cut{number}", sizes[number] - 1)
        head = records[number]
        (cut / "head.json").write_text(f'{{"seq": {head.seq}, "hash": "{head.hash.hex()}"}}')
        with pytest.raises(JournalTruncated, match=f"row {head.seq}"):
            open_journal(cut)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A closed journal's folder, and its records."""
    folder = tmp_path_factory.mktemp("whole") / "journal"
    (folder / "blobs").mkdir(parents=True)
    journal, _ = _growing(folder)
    records = list(journal.read())
    journal.close()
    return folder, records


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_database_cut_off_anywhere_is_reported_or_lost_nothing(whole, data):
    source, source_records = whole
    size = (source / "journal.db").stat().st_size
    end = data.draw(st.integers(0, size // 512 - 1).map(lambda n: n * 512) | st.integers(0, size - 1))
    write = data.draw(st.booleans())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(shutil.copytree(source, Path(name) / "cut"))
        os.truncate(folder / "journal.db", end)
        try:
            found = _verified(folder, write=write)
        except (JournalCorrupt, JournalTruncated, ChainBroken):
            return
        assert [record for record, _ in found] == source_records  # only the padding of the last page was cut


def _verified(folder, *, write):
    journal = open_journal(folder, write=write)
    try:
        verify(journal)
        return [(record, journal.data(record)) for record in journal.read()]
    finally:
        journal.close()


@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_random_damage_is_a_typed_error_or_changes_nothing_that_verifies(whole, data):
    source, records = whole
    size = (source / "journal.db").stat().st_size
    # The schema and the roots of the tables are in the first page: half of the damage is done there.
    places = data.draw(st.lists(st.integers(0, 4_095) | st.integers(0, size - 1), min_size=1, max_size=4))
    values = data.draw(st.lists(st.integers(1, 255), min_size=len(places), max_size=len(places)))
    write = data.draw(st.booleans())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(shutil.copytree(source, Path(name) / "damaged"))
        content = bytearray((folder / "journal.db").read_bytes())
        for place, value in zip(places, values, strict=True):
            content[place] ^= value
        (folder / "journal.db").write_bytes(content)
        try:
            found = _verified(folder, write=write)
        except RemitError:
            return
        assert [record for record, _ in found] == records


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0", b"not a database at all" * 500, bytes(8192)])
def test_another_file_in_its_place_is_no_journal(whole, tmp_path, content):
    folder = copy_of(whole[0], tmp_path / "copy")
    (folder / "journal.db").write_bytes(content)
    with pytest.raises((JournalCorrupt, JournalTruncated)):
        open_journal(folder)


# ---- full disk ----


def test_a_full_disk_refuses_whole_batches_and_works_again_when_there_is_room(journal):
    acknowledged = [1]
    pages = int(journal._connection.pragma("page_count"))
    journal._connection.pragma("max_page_count", pages + 6)

    def fill():
        while True:
            said = [say("a.b", "x" * 3_000), say("a.c", "y" * 3_000)]
            records = journal.append(said, payloads=_payload(os.urandom(2_000)))
            acknowledged.extend(record.seq for record in records)

    with pytest.raises(DiskFull):
        fill()
    with pytest.raises(DiskFull):
        journal.append([say("a.b", "x" * 4_000)] * 20)
    assert [record.seq for record in journal.read()] == acknowledged
    assert verify(journal).records == len(acknowledged)
    journal._connection.pragma("max_page_count", 1 << 20)
    assert journal.append([say("a.b", "x" * 4_000)] * 20)[0].seq == len(acknowledged) + 1
    assert verify(journal).records == len(acknowledged) + 20


def test_a_file_that_may_not_grow_is_a_typed_error_and_nothing_is_half_written():
    with temporary_folder() as folder:
        script = (
            "import resource, sys\n"
            "from pathlib import Path\n"
            "from remit.errors import RemitError\n"
            "from tests.journal.simulators import open_journal, say\n"
            "journal = open_journal(Path(sys.argv[1]))\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, resource.RLIM_INFINITY))\n"
            "done = 0\n"
            "try:\n"
            "    while True:\n"
            "        done = journal.append([say('a.b', 'x' * 3_000)] * 2)[-1].seq\n"
            "except RemitError as error:\n"
            "    print(done, error.code)\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
            "print(journal.append([say('a.b')])[-1].seq)\n"
        )
        done = subprocess.run([sys.executable, "-c", script, str(folder)], capture_output=True, text=True, check=True,
                              cwd=Path(__file__).parents[2])  # fmt: skip
        last, code, again = done.stdout.split()
        assert code.startswith("RM-")
        assert int(again) == int(last) + 1
        journal = open_journal(folder, write=False)
        assert verify(journal).records == int(again)
        journal.close()


# ---- read-only home ----

READ_ONLY = """
import os, sys
from pathlib import Path
import cedarpy, wasmtime
import remit.host, remit.host.wire.server, remit.policy.plugin
from remit.errors import HomeReadOnly, RemitError
from remit.host import Home, Kernel, verify_journal
from tests.journal.simulators import open_journal

root = Path(sys.argv[1])
if os.geteuid() == 0:  # the superuser may write anything: become somebody who may not
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
for folder, _, files in os.walk(root, topdown=False):
    for name in files:
        os.chmod(Path(folder) / name, 0o400)
    os.chmod(folder, 0o500)
for write in (lambda: open_journal(root / ".remit"), lambda: Kernel.open(root)):
    try:
        write()
    except HomeReadOnly as error:
        print(error.code)
print(verify_journal(root).records)
journal = remit.host.read_journal(root)
print([record.event.type for record in journal.read()][0])
for folder, folders, _ in os.walk(root):
    os.chmod(folder, 0o700)
"""


def test_a_read_only_home_refuses_writers_and_serves_readers(home_template):
    root = Path(tempfile.mkdtemp(prefix="remit-read-only-"))  # below /tmp itself: pytest's folders are closed to others
    try:
        home = root / "home"
        shutil.copytree(home_template, home)
        if os.geteuid() == 0:
            for folder, _, files in os.walk(root):
                os.chown(folder, 65534, 65534)
                for name in files:
                    os.chown(Path(folder) / name, 65534, 65534)
        done = subprocess.run([sys.executable, "-B", "-c", READ_ONLY, str(home)], capture_output=True, text=True,
                              check=False, cwd=Path(__file__).parents[2])  # fmt: skip
        assert done.stderr == ""
        assert done.stdout.split() == ["RM-1104", "RM-1104", "1", "home.created"]
    finally:
        shutil.rmtree(root)


# ---- formats ----


def _set_format(folder, number):
    connection = apsw.Connection(str(folder / "journal.db"))
    connection.pragma("user_version", number)
    connection.close()


@pytest.mark.parametrize("write", [True, False])
def test_a_later_format_is_refused_and_left_alone(whole, tmp_path, write):
    folder = copy_of(whole[0], tmp_path / "copy")
    _set_format(folder, formats.JOURNAL + 1)
    before = (folder / "journal.db").read_bytes()
    with pytest.raises(FormatTooNew, match=str(formats.JOURNAL + 1)):
        open_journal(folder, write=write)
    assert (folder / "journal.db").read_bytes() == before


@pytest.mark.parametrize("write", [True, False])
def test_a_format_that_no_upgrade_leads_from_is_refused(whole, tmp_path, write):
    folder = copy_of(whole[0], tmp_path / "copy")
    _set_format(folder, formats.JOURNAL - 1)
    with pytest.raises(FormatTooOld):
        open_journal(folder, write=write)


def test_an_sqlite_that_may_lose_pages_is_refused(folder, monkeypatch):
    monkeypatch.setattr(apsw, "sqlite_lib_version", lambda: "3.51.2")
    with pytest.raises(SqliteTooOld):
        open_journal(folder)


def test_a_closed_journal_is_whole_in_its_one_file(folder, tmp_path):
    journal = open_journal(folder)
    journal.append([say("a.b", "x" * 3_000)] * 5)
    assert len(journal.execute("SELECT seq FROM record")) == 6, "a reading connection stays open"
    journal.close()
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(folder / "journal.db", alone)
    assert len(_verified(alone, write=False)) == 6


def test_the_database_is_the_owners_alone_and_fully_synchronous(journal, folder):
    assert (folder / "journal.db").stat().st_mode & 0o777 == 0o600
    assert journal._connection.pragma("synchronous") == 2
    assert journal._connection.pragma("journal_mode") == "wal"
