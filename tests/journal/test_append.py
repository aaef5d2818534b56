"""Appending: durable, in order, chained, together, and only what may be said."""

from __future__ import annotations

import hashlib
import json
import struct
import threading
from concurrent.futures import ThreadPoolExecutor

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remit.errors import (
    Denied,
    EventInvalid,
    HomeMissing,
    JournalClosed,
    JournalCorrupt,
    PayloadMissing,
    RemitError,
    SourceReserved,
)
from remit.journal import Draft, check_topic, digest_of, encode_json, verify, writer
from remit.journal.event import KERNEL_TOPICS
from tests.journal.simulators import copy_of, open_journal, rows_of, say, temporary_journal

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
DRAFTS = st.builds(
    say, st.sampled_from(["a.b", "ticket.created", "z.y.x"]), JSON, subject=st.text(max_size=10), id=st.just("")
)


def test_row_one_is_the_creation_of_the_home_and_carries_its_id(folder):
    journal = open_journal(folder)
    first = next(journal.read())
    journal.close()
    assert (first.seq, first.event.type, first.from_kernel) == (1, "home.created", True)
    assert first.event.data["id"] == journal.home_id
    again = open_journal(folder, prefix="XX")
    assert again.home_id == journal.home_id
    assert [record.event.type for record in again.read()] == ["home.created"]
    again.close()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(DRAFTS, max_size=5), max_size=6))
def test_the_chain_follows_the_published_formula(batches):
    with temporary_journal() as journal:
        for batch in batches:
            journal.append(batch)
        prev = bytes(32)
        for number, row in enumerate(rows_of(journal), start=1):
            seq, generation, _, before, digest, event = row
            expected = hashlib.sha256(
                b"remit/journal/1" + prev + struct.pack(">QQ", number, generation) + event
            ).digest()
            assert (seq, before, digest) == (number, prev, expected)
            prev = digest
        assert verify(journal).records == 1 + sum(map(len, batches))
        assert journal.head.hash == prev


@settings(max_examples=25, deadline=None)
@given(st.lists(DRAFTS, min_size=1, max_size=6))
def test_event_bytes_are_json_with_sorted_keys_and_read_back_as_said(drafts):
    with temporary_journal() as journal:
        records = journal.append(drafts)
        for (*_, event), record, draft in zip(rows_of(journal)[1:], records, drafts, strict=True):
            document = json.loads(event)
            assert list(document) == sorted(document)
            assert b'": ' not in event.split(b'"data"')[0]
            assert encode_json(journal.data(record)) == encode_json(draft.data)
        assert list(journal.read(1)) == records
        assert records[0].event.data is not drafts[0].data or not isinstance(drafts[0].data, list | dict)
        reader = open_journal(journal._path.parent, write=False)
        assert list(reader.read(1)) == records
        reader.close()


def test_appends_of_many_threads_are_all_there_once_and_in_one_chain(journal):
    def work(worker):
        return [journal.append([say("work.done", [worker, n])])[0].seq for n in range(40)]

    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(work, range(8)))
    assert sorted(number for own in numbers for number in own) == list(range(2, 322))
    assert all(own == sorted(own) for own in numbers)
    assert sorted(record.event.data for record in journal.read(1)) == [[w, n] for w in range(8) for n in range(40)]
    assert verify(journal).records == 321


def _group(journal, submits):
    """What these submissions give when the writer finds them all waiting: one transaction."""
    gate, reached = threading.Event(), threading.Event()

    def hold(_connection):
        reached.set()
        gate.wait(10)

    commits = []
    journal._connection.set_commit_hook(lambda: bool(commits.append(1)))
    first = journal.submit([say("gate.held")], guard=hold)
    assert reached.wait(10)
    futures = [submit() for submit in submits]
    gate.set()
    first.result(10)
    for future in futures:
        future.exception(10)
    return futures, len(commits)


def test_what_waits_together_is_committed_together(journal):
    submits = [lambda n=n: journal.submit([say("a.b", n)]) for n in range(20)]
    futures, commits = _group(journal, submits)
    assert [future.result()[0].seq for future in futures] == list(range(3, 23))
    assert commits == 2


def test_what_nobody_waits_for_is_gathered_and_goes_with_what_somebody_does(journal, monkeypatch):
    monkeypatch.setattr(writer, "_PATIENCE_S", 3_600)
    commits = []
    journal._connection.set_commit_hook(lambda: bool(commits.append(1)))
    for n in range(20):
        journal.post([say("a.b", n)])
    (record,) = journal.append([say("a.b", 20)])
    assert record.seq == 22
    assert [record.event.data for record in journal.read(1)] == list(range(21))
    assert len(commits) == 1


def test_what_nobody_waits_for_is_written_all_the_same(journal):
    journal.post([say("a.b")])
    assert journal.wait(1, 10)


def test_closing_hurries_what_is_gathered(folder, monkeypatch):
    monkeypatch.setattr(writer, "_PATIENCE_S", 3_600)
    journal = open_journal(folder)
    journal.post([say("a.b")])
    journal.close()
    assert journal.head.seq == 2


def test_a_guard_that_refuses_fails_its_own_batch_only(journal):
    def refuse(_connection):
        raise Denied("no", policies=["p"])

    submits = [
        lambda: journal.submit([say("a.b", 1)]),
        lambda: journal.submit([say("a.b", 2), say("a.b", 3)], guard=refuse, payloads={digest_of(b"never"): b"never"}),
        lambda: journal.submit([say("a.b", 4)]),
    ]
    futures, commits = _group(journal, submits)
    assert commits == 2
    with pytest.raises(Denied) as caught:
        journal.durable(futures[1])
    assert caught.value.details == {"policies": ["p"]}
    assert [record.event.data for record in journal.read(2)] == [1, 4]
    assert verify(journal).payloads == 0


def test_a_batch_that_cannot_be_written_fails_alone(journal):
    submits = [lambda n=n: journal.submit([say("a.b", n)], generation=-1 if n == 2 else n) for n in range(5)]
    futures, _ = _group(journal, submits)
    assert [future.exception() is None for future in futures] == [True, True, False, True, True]
    assert [record.event.data for record in journal.read(2)] == [0, 1, 3, 4]
    assert verify(journal).records == 6


def test_a_text_that_is_not_unicode_is_refused_before_it_waits(journal):
    with pytest.raises(EventInvalid):
        journal.submit([say("a.b"), Draft(type="a.b", source="//h/client/x", subject="\ud800")])
    assert journal.append([say("a.b")])[0].seq == 2


def test_a_projection_that_fails_takes_its_rows_with_it(journal):
    def project(connection, records):
        connection.execute("INSERT INTO outcome VALUES('n','p','a','k',?)", (records[0].seq,))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        journal.append([say("a.b")], project=project)
    assert journal.head.seq == 1
    assert journal.execute("SELECT * FROM outcome") == []
    assert journal.append([say("a.b")])[0].seq == 2


def test_a_commit_is_in_any_copy_taken_after_it(journal, folder, tmp_path):
    for n in range(5):
        journal.append([say("a.b", n)])
        copy = open_journal(copy_of(folder, tmp_path / f"copy{n}"))
        assert copy.head == journal.head
        assert verify(copy).records == n + 2
        copy.close()


@pytest.mark.parametrize("word", sorted(KERNEL_TOPICS))
def test_topics_of_the_kernel_are_refused_from_anybody_else(journal, word):
    with pytest.raises(SourceReserved):
        journal.append([say(f"{word}.happened")])
    with pytest.raises(SourceReserved):
        check_topic(f"{word}.happened")
    assert journal.head.seq == 1
    assert journal.append([Draft(type=f"{word}.happened")])[0].from_kernel


@pytest.mark.parametrize(
    "topic", ["", "ticket", "Ticket.created", "a..b", ".a", "a.", "a b.c", "a.b\n", "é.a", "a." * 200 + "b"]
)
def test_a_name_that_is_not_dot_case_is_no_topic(topic):
    with pytest.raises(EventInvalid):
        check_topic(topic)


@pytest.mark.parametrize(
    "source", ["//h/unit/a/kernel", "//h/client/kernel", "/h/kernel", "//kernel", "https://h/kernel"]
)
def test_only_a_kernel_looks_like_one(journal, source):
    record = journal.append([Draft(type="a.b", source=source)])[0]
    assert not record.from_kernel


def test_data_that_is_large_goes_beside_the_chain(journal):
    small, medium, large = "s" * 4_000, "m" * 60_000, "l" * 70_000
    records = journal.append([say("a.b", text) for text in (small, medium, large)])
    assert [bool(record.event.dataref) for record in records] == [False, True, True]
    assert records[0].event.data == small
    assert [record.event.data for record in records[1:]] == [None, None]
    held = {row[0] for row in journal.execute("SELECT digest FROM payload")}
    assert held == {records[1].event.dataref}
    assert set(journal.blobs.digests()) == {records[2].event.dataref}
    assert [journal.data(record) for record in records] == [small, medium, large]


def test_payloads_are_committed_with_the_rows_that_name_them(journal):
    payload = b"x" * 1_000
    with pytest.raises(Denied):
        journal.append([say("a.b")], payloads={digest_of(payload): payload}, guard=_refuse)
    with pytest.raises(PayloadMissing):
        journal.payload(digest_of(payload))
    journal.append([say("a.b", digest_of(payload))], payloads={digest_of(payload): payload})
    assert journal.payload(digest_of(payload)) == payload


def _refuse(_connection):
    raise Denied("no")


@pytest.mark.parametrize("size", [10_000, 100_000])
def test_an_erased_payload_is_missed_and_the_chain_still_verifies(journal, size):
    record = journal.append([say("a.b", "x" * size)])[0]
    digest = record.event.dataref
    journal._connection.execute("DELETE FROM payload WHERE digest = ?", (digest,))
    journal.blobs.path(digest).unlink(missing_ok=True)
    with pytest.raises(PayloadMissing):
        journal.data(record)
    assert verify(journal).records == 2


def test_a_changed_payload_is_not_given_out(journal):
    record = journal.append([say("a.b", "x" * 10_000)])[0]
    journal._connection.execute("UPDATE payload SET bytes = x'22'")
    with pytest.raises(PayloadMissing, match="changed"):
        journal.data(record)


def test_a_closed_journal_refuses_and_answers_everybody(folder):
    journal = open_journal(folder)
    futures = [journal.submit([say("a.b", n)]) for n in range(50)]
    journal.close()
    journal.close()
    assert [future.result(5)[0].seq for future in futures] == list(range(2, 52))
    with pytest.raises(JournalClosed):
        journal.append([say("a.b")])


def test_closing_while_others_append_loses_nobody(folder):
    journal = open_journal(folder)
    done, refused = [], []

    def work():
        while True:
            try:
                done.append(journal.append([say("a.b")])[0].seq)
            except JournalClosed:
                refused.append(1)
                return

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    journal.wait(20, 10)
    journal.close()
    for thread in threads:
        thread.join(10)
    assert len(refused) == 4
    again = open_journal(folder, write=False)
    assert [record.seq for record in again.read(1)] == sorted(done)
    again.close()


def test_a_journal_opened_for_reading_does_not_write(folder, journal):
    reader = open_journal(folder, write=False)
    with pytest.raises(JournalCorrupt, match="reading only"):
        reader.append([say("a.b")])
    reader.close()
    assert journal.head.seq == 1


def test_reading_where_no_journal_is(tmp_path):
    with pytest.raises(HomeMissing):
        open_journal(tmp_path, write=False)


def test_the_generation_in_force_is_stamped_on_each_row(journal):
    journal.append([say("a.b")])
    journal.generation = 7
    journal.append([say("a.b")])
    journal.append([say("a.b")], generation=3)
    assert [record.generation for record in journal.read()] == [0, 0, 7, 3]
    assert verify(journal).records == 4


def test_a_namespace_is_in_the_row_and_in_the_event(journal):
    record = journal.append([say("a.b")], namespace="staging")[0]
    assert (record.namespace, record.event.namespace) == ("staging", "staging")
    assert rows_of(journal)[-1][2] == "staging"
    assert journal.append([say("a.b")])[0].event.namespace == ""


LOOP: list[object] = []
LOOP.append(LOOP)


@pytest.mark.parametrize("data", [object(), "\ud800", {"a": {1j}}, LOOP, {("a", "b"): 1}])
def test_data_that_is_not_json_is_refused_and_nothing_is_written(journal, data):
    with pytest.raises(EventInvalid):
        journal.append([say("a.b", 1), say("a.b", data)])
    assert journal.head.seq == 1
    assert journal.append([say("a.b")])[0].seq == 2


@pytest.mark.parametrize("error", [apsw.FullError, apsw.IOError, apsw.BusyError, MemoryError, ZeroDivisionError])
def test_a_commit_that_fails_in_any_way_is_rolled_back_and_the_writer_goes_on(journal, monkeypatch, error):
    def fail(*_):
        raise error("no")

    with monkeypatch.context() as patch:
        patch.setattr(journal._writer, "_insert", fail)
        expected = RemitError if issubclass(error, apsw.Error) else error
        with pytest.raises(expected):
            journal.append([say("a.b")])
    assert journal.append([say("a.b", 2)])[0].seq == 2
    assert [record.event.data for record in journal.read(1)] == [2]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_writer_that_ends_answers_everybody_who_waits(journal, monkeypatch):
    def end(*_):
        raise SystemExit

    monkeypatch.setattr(journal._writer, "_committed", end)
    futures = []
    with pytest.raises(JournalClosed):  # noqa: PT012 - which of them meets the end depends on the writer
        while True:
            futures.append(journal.submit([say("a.b")]))
            journal._writer._thread.join(0.01)
    for future in futures[1:]:
        assert isinstance(future.exception(10), JournalClosed)
