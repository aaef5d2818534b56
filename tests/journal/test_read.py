"""Reading: in order, by prefix, from the end, and waiting for more."""

from __future__ import annotations

import threading

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remit.errors import JournalCorrupt
from remit.journal import log, pages
from tests.journal.simulators import open_journal, say, temporary_journal

KINDS = st.sampled_from(["a.b", "a.c", "b.a", "ab.c"])
PREFIXES = st.lists(st.sampled_from(["", "a.", "a", "b.", "ab.c", "q"]), max_size=3)


@settings(max_examples=30, deadline=None)
@given(
    kinds=st.lists(KINDS, max_size=30),
    after=st.integers(-5, 40),
    limit=st.none() | st.integers(0, 10),
    prefixes=PREFIXES,
    last=st.integers(0, 40),
)
def test_reading_is_a_filter_of_the_whole(kinds, after, limit, prefixes, last):
    with temporary_journal() as journal:
        for kind in kinds:
            journal.submit([say(kind)])
        journal.append([say("end.here")])
        every = list(journal.read())
        assert [record.seq for record in every] == list(range(1, len(kinds) + 3))
        chosen = [r for r in every if r.event.type.startswith(tuple(prefixes))]
        expected = [r for r in chosen if r.seq > after][:limit]
        reader = open_journal(journal._path.parent, write=False)
        for source in (journal, reader):
            assert list(source.read(after, limit=limit, prefixes=prefixes)) == expected
            assert source.last(last, prefixes=prefixes) == chosen[len(chosen) - min(last, len(chosen)) :]
        reader.close()


def test_more_prefixes_than_sqlite_is_asked_for_find_the_same(journal):
    journal.append([say("a.b"), say("c.d", '"type":"q.r'), say("a.c")])
    many = [f"x{number}." for number in range(5_000)]
    assert [record.event.type for record in journal.last(9, prefixes=["a.", *many])] == ["a.b", "a.c"]
    assert journal.last(9, prefixes=["q.", '"', "%", "\0"]) == []


@pytest.mark.parametrize("after", [10**30, -(10**30)])
def test_a_place_beyond_any_row_is_no_fault(journal, after):
    assert [record.seq for record in journal.read(after)] == ([] if after > 0 else [1])


def test_pages_join_without_gap_or_repetition(journal, monkeypatch):
    monkeypatch.setattr(log, "PAGE", 7)
    monkeypatch.setattr(pages, "PAGE", 7)
    journal._recent.clear()
    for n in range(40):
        journal.submit([say("a.b", n)])
    journal.append([say("a.b", 40)])
    recent = list(journal._recent)
    journal._recent.clear()
    journal._recent.extend(recent[-5:])
    assert [record.event.data for record in journal.read(1)] == list(range(41))
    assert [record.event.data for record in journal.last(20)] == list(range(21, 41))


def test_a_record_is_found_by_its_number_and_one_that_is_missing_is_named(journal):
    journal.append([say("a.b", number) for number in range(5)])
    assert [journal.record(seq) for seq in range(1, 7)] == list(journal.read())
    with pytest.raises(JournalCorrupt, match=r"row 7 .* missing"):
        journal.record(7)


def test_waiting_ends_when_a_record_comes(journal):
    seen = []
    thread = threading.Thread(target=lambda: seen.append(journal.wait(1, 30)))
    thread.start()
    journal.append([say("a.b")])
    thread.join(30)
    assert seen == [True]
    assert journal.wait(1, 0) is True


def test_waiting_ends_when_everybody_is_woken(journal):
    seen = []
    thread = threading.Thread(target=lambda: seen.append(journal.wait(1)))
    thread.start()
    journal.wake()
    thread.join(30)
    assert seen == [False]
    assert journal.wait(1) is False


def test_waiting_ends_when_its_time_is_over(journal):
    assert journal.wait(1, 0) is False


@pytest.mark.parametrize("event", ["x'7b'", "x'ff00'", "x''", "x'5b5d'", "CAST('{\"id\": 1}' AS BLOB)"])
def test_a_row_that_holds_no_event_is_named(journal, event):
    journal.append([say("a.b"), say("a.b")])
    journal._connection.execute(f"UPDATE record SET event = {event} WHERE seq = 2")
    journal._recent.clear()
    with pytest.raises(JournalCorrupt, match="row 2 "):
        list(journal.read())


def test_a_deep_event_is_named_too(journal):
    journal.append([say("a.b")])
    journal._connection.execute("UPDATE record SET event = ? WHERE seq = 2", (b'{"data":' + b"[" * 200_000,))
    journal._recent.clear()
    with pytest.raises(JournalCorrupt, match="row 2 "):
        list(journal.read())


def test_a_first_row_that_names_no_home_keeps_the_journal_shut(folder):
    journal = open_journal(folder)
    journal.close()
    (folder / "head.json").unlink()
    connection = apsw.Connection(str(folder / "journal.db"))
    connection.execute("UPDATE record SET event = x'7b7d' WHERE seq = 1")
    connection.close()
    for write in (True, False):
        with pytest.raises(JournalCorrupt, match="row 1 "):
            open_journal(folder, write=write)
