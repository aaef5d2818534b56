from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.journal import pages
from remit.journal.event import Event, Record
from remit.journal.pages import Pages

SIZE = 5
EVENT = Event(
    specversion="1.0", id="e", source="remit://h/kernel", type="a.b", time="2026-01-01T00:00:00.000Z", data=None
)


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(pages, "PAGE", SIZE)


class Table:
    """Rows that grow, and where they were read from."""

    def __init__(self, count):
        self.rows = [Record(seq, 0, "default", b"", b"", EVENT) for seq in range(1, count + 1)]
        self.reads = []

    def read(self, seq):
        self.reads.append(seq)
        return self.rows[seq : seq + SIZE]


@given(st.integers(0, 23), st.lists(st.integers(0, 25), max_size=20))
def test_a_page_is_what_comes_next_wherever_readers_are(count, places):
    table = Table(count)
    read = Pages(table.read)
    for place in places:
        found = [record.seq for record in read.after(place)]
        assert found == list(range(place + 1, min(count, place - place % SIZE + SIZE) + 1))


def test_readers_that_catch_up_together_read_each_page_once():
    table = Table(4 * SIZE)
    read = Pages(table.read)
    at = [0] * 10
    while min(at) < 4 * SIZE:
        at = [(read.after(place) or table.rows[-1:])[-1].seq for place in at]
    assert table.reads == [0, SIZE, 2 * SIZE, 3 * SIZE]


def test_a_page_that_is_not_full_yet_is_read_again():
    table = Table(SIZE - 1)
    read = Pages(table.read)
    before = len(read.after(0))
    table.rows = Table(SIZE).rows
    assert (before, len(read.after(0))) == (SIZE - 1, SIZE)


def test_only_a_few_pages_are_kept():
    table = Table(100 * SIZE)
    read = Pages(table.read)
    for place in range(0, 100 * SIZE, SIZE):
        read.after(place)
    assert len(read._pages) <= 8


def test_many_threads_read_the_same():
    table = Table(40 * SIZE)
    read, found = Pages(table.read), []

    def follow():
        place, seen = 0, []
        while page := read.after(place):
            seen += [record.seq for record in page]
            place = seen[-1]
        found.append(seen == list(range(1, 40 * SIZE + 1)))

    threads = [threading.Thread(target=follow) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 8
