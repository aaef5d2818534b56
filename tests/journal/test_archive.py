"""The archive: what was moved reads and verifies as before, and whatever happens to its files is found."""

from __future__ import annotations

import zlib

import apsw
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remit.errors import ChainBroken, DiskFull, JournalCorrupt
from remit.journal import Folds, archive, verify
from remit.journal.segments import Archive
from tests.journal.simulators import open_journal, say, temporary_folder

SEGMENT = 10


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr("remit.journal.segments.SEGMENT", SEGMENT)
    monkeypatch.setattr("remit.journal.archiving.SEGMENT", SEGMENT)
    monkeypatch.setattr("remit.journal.segments._MOST", 2 << 20)
    monkeypatch.setattr("remit.journal.log._RECENT", 1)


def filled(folder, count=35):
    """A journal with so many records, row 1 included, which was closed and opened again: nothing of it in memory."""
    journal = open_journal(folder)
    drafts = [say("a.b", {"n": n, "text": "x" * (n * 300 % 5_000)}) for n in range(2, count + 1)]
    journal.append(drafts[:12])
    journal.append(drafts[12:], namespace="other")
    journal.close()
    return open_journal(folder)


class Counting:
    """A read model that remembers every number."""

    name, version, topics = "numbers", 1, ("a.",)

    def init(self):
        return ()

    def apply(self, state, records, data):
        return (*state, *(data(record)["n"] for record in records))

    def snapshot(self, state):
        return msgspec.json.encode(state)

    def restore(self, data):
        return tuple(msgspec.json.decode(data))

    def view(self, state):
        return list(state)


def everything(journal):
    return [(record, journal.data(record)) for record in journal.read(0)]


def test_what_is_archived_reads_and_verifies_as_before(folder):
    journal = filled(folder)
    before, report = everything(journal), verify(journal)
    done = archive(journal, keep=5)
    assert (done.records, done.last) == (30, 30)
    assert everything(journal)[:35] == before
    assert [record.seq for record in journal.last(40)] == list(range(1, 37))
    assert verify(journal).records == report.records + 1, "the archiving itself is a record"
    assert Folds(journal, [Counting()]).at("numbers", 12) == tuple(range(2, 13))
    journal.close()
    for write in (True, False):
        again = open_journal(folder, write=write)
        assert everything(again)[:35] == before
        assert again.home_id == journal.home_id
        verify(again)
        again.close()


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 25), st.integers(0, 40)), max_size=5))
def test_however_often_it_is_archived_nothing_changes(steps):
    with temporary_folder() as folder:
        journal = open_journal(folder)
        for count, keep in steps:
            journal.append([say("a.b", {"n": n}) for n in range(count)])
            before, head = everything(journal), journal.head.seq
            done = archive(journal, keep)
            assert done.last <= max(0, head - keep) or done.records == 0
            assert everything(journal)[:head] == before
            verify(journal)
        journal.close()


def test_the_room_is_given_back(folder):
    journal = filled(folder, 400)
    done = archive(journal, keep=0)
    assert done.freed > 0
    assert 0 < done.size < done.freed
    assert archive(journal, keep=0).records == 0
    journal.append([say("a.b", {"n": 1})])
    verify(journal)
    journal.close()


DAMAGE = {
    "gone": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-3]),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"x"),
    "flipped": lambda path: path.write_bytes(bytes(b ^ (n == 60) for n, b in enumerate(path.read_bytes()))),
    "another": lambda path: path.write_bytes(path.with_name(f"{SEGMENT + 1:012}.events").read_bytes()),
    "too many": lambda path: path.write_bytes(path.read_bytes()[:17] + zlib.compress(bytes(1 << 20))),
    "bomb": lambda path: path.write_bytes(path.read_bytes()[:17] + zlib.compress(bytes(3 << 20))),
    "folder": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_file_is_found(folder, how):
    journal = filled(folder)
    archive(journal, keep=0)
    DAMAGE[how](journal.archive.path(0))
    journal.archive = Archive(folder / "archive")  # nothing in memory
    with pytest.raises(ChainBroken) as caught:
        verify(journal)
    assert caught.value.details["row"] == 1
    if how != "another":
        with pytest.raises(JournalCorrupt):
            next(journal.read(0))
    journal.close()


def test_an_emptied_row_that_was_never_archived_is_found(folder):
    journal = filled(folder)
    journal.close()
    connection = apsw.Connection(str(folder / "journal.db"))
    connection.execute("UPDATE record SET event = X'' WHERE seq = 7")
    connection.close()
    journal = open_journal(folder, write=False)
    with pytest.raises(ChainBroken) as caught:
        verify(journal)
    assert caught.value.details["row"] == 7
    journal.close()


def test_a_broken_stretch_is_not_archived(folder):
    journal = filled(folder)
    journal.close()
    connection = apsw.Connection(str(folder / "journal.db"))
    connection.execute("UPDATE record SET generation = 9 WHERE seq = 15")
    connection.close()
    journal = open_journal(folder)
    with pytest.raises(ChainBroken) as caught:
        archive(journal, keep=0)
    assert caught.value.details["row"] == 15
    rows = journal.execute("SELECT seq FROM record WHERE event = X''")
    assert [row[0] for row in rows] == list(range(1, 11)), "the stretch before it was whole"
    journal.close()


def test_a_full_disk_leaves_what_was_there(folder, monkeypatch):
    journal = filled(folder)
    before = everything(journal)

    def full(*_arguments):
        raise DiskFull("no room")

    with monkeypatch.context() as patch:
        patch.setattr("remit.journal.segments.write_atomically", full)
        with pytest.raises(DiskFull):
            archive(journal, keep=0)
    assert everything(journal) == before
    # Killed between the file and the rows: the file is there, and is written again.
    journal.archive.write(0, [b"other"] * SEGMENT)
    assert archive(journal, keep=0).records == 30
    assert everything(journal)[:35] == before
    verify(journal)
    journal.close()


def test_appends_go_on_while_room_is_given_back(folder):
    journal = filled(folder, 100)
    archive(journal, keep=0)
    futures = [journal.submit([say("a.b", {"n": n})]) for n in range(50)]
    journal.compact()
    futures += [journal.submit([say("a.b", {"n": n})]) for n in range(50)]
    journal.compact()
    assert len({journal.durable(future)[0].seq for future in futures}) == 100
    verify(journal)
    journal.close()
