"""Verifying: whatever was changed is found, and the row is named."""

from __future__ import annotations

import apsw
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from remit.errors import ChainBroken, JournalTruncated, RemitError
from remit.journal import Journal, verify
from remit.journal.writer import chain_hash
from tests.journal.simulators import SimClock, SimIds, copy_of, open_journal, rows_of, say, temporary_folder

ROWS = 6
COLUMNS = ("seq", "generation", "namespace", "prev", "hash", "event")


def _written(folder):
    """A closed journal of :data:`ROWS` rows without a checkpoint."""
    journal = open_journal(folder)
    for n in range(2, ROWS + 1):
        journal.append([say("a.b", {"n": n})], namespace="other" if n % 2 else "main", generation=n)
    journal.close()
    (folder / "head.json").unlink()


def _flip(folder, row, column, position, bit):
    """Flip one bit of one column of one row, as bytes on disk: types and constraints do not protect it."""
    connection = apsw.Connection(str(folder / "journal.db"))
    value = connection.execute(f"SELECT {column} FROM record WHERE seq = ?", (row,)).fetchall()[0][0]
    if column in ("seq", "generation"):
        number = value ^ (1 << (position % 8 * 8 + bit))
        changed = number - (1 << 64) if number >= 1 << 63 else number
        assume(column != "seq" or not 1 <= changed <= ROWS)  # the database itself keeps two rows from one number
    else:
        data = bytearray(value.encode() if isinstance(value, str) else value)
        data[position % len(data)] ^= 1 << bit
        changed = bytes(data)
    as_text = "CAST(? AS TEXT)" if column == "namespace" else "?"
    connection.execute(f"UPDATE record SET {column} = {as_text} WHERE seq = ?", (changed, row))
    connection.close()


@settings(max_examples=150, deadline=None)
@given(row=st.integers(1, ROWS), column=st.sampled_from(COLUMNS), position=st.integers(0, 400), bit=st.integers(0, 7))
def test_any_flipped_bit_of_any_column_is_found_and_its_row_is_named(row, column, position, bit):
    with temporary_folder() as folder:
        _written(folder)
        journal = Journal(folder, SimClock(), SimIds(), write=False)
        try:
            _flip(folder, row, column, position, bit)
            with pytest.raises((ChainBroken, JournalTruncated)) as caught:
                verify(journal)
        finally:
            journal.close()
        details = caught.value.details.get("row")
        if column == "seq":  # the row that stands elsewhere now is missing where it stood
            assert isinstance(caught.value, JournalTruncated) or details == row or details < 1
        else:
            assert details == row
            assert f"row {row} " in str(caught.value)


@settings(max_examples=60, deadline=None)
@given(row=st.integers(1, ROWS), column=st.sampled_from(COLUMNS), position=st.integers(0, 400), bit=st.integers(0, 7))
def test_a_flipped_journal_is_refused_or_found_out_by_the_next_to_open_it(row, column, position, bit):
    with temporary_folder() as folder:
        _written(folder)
        _flip(folder, row, column, position, bit)
        with pytest.raises(RemitError) as caught:
            _open_and_verify(folder)
        assert caught.value.code in {"RM-3001", "RM-3002", "RM-3003"}


def _open_and_verify(folder):
    journal = open_journal(folder, write=False)
    try:
        verify(journal)
    finally:
        journal.close()


def test_an_untouched_journal_verifies(folder):
    _written(folder)
    journal = open_journal(folder, write=False)
    report = verify(journal)
    assert (report.records, report.head) == (ROWS, journal.head.hash.hex())
    journal.close()


@pytest.mark.parametrize("row", range(1, ROWS))
def test_a_row_taken_out_is_missed(folder, row):
    _written(folder)
    journal = open_journal(folder, write=False)
    _execute(folder, "DELETE FROM record WHERE seq = ?", row)
    with pytest.raises(ChainBroken) as caught:
        verify(journal)
    assert caught.value.details == {"row": row}
    journal.close()


def test_a_last_row_taken_out_is_missed_while_its_head_is_known(folder):
    _written(folder)
    journal = open_journal(folder, write=False)
    _execute(folder, "DELETE FROM record WHERE seq = ?", ROWS)
    with pytest.raises(JournalTruncated, match=f"ends at row {ROWS - 1}"):
        verify(journal)
    journal.close()


@pytest.mark.usefixtures("journal")
def test_rows_below_a_later_checkpoint_are_not_enough(folder):
    reader = open_journal(folder, write=False)
    (folder / "head.json").write_text('{"seq": 9, "hash": ""}')
    with pytest.raises(JournalTruncated, match="checkpoint at row 9"):
        verify(reader)
    reader.close()


@pytest.mark.parametrize("value", [-1, -(1 << 63)])
def test_a_number_that_no_hash_can_be_over_is_a_finding(folder, value):
    _written(folder)
    _execute(folder, f"UPDATE record SET generation = {value} WHERE seq = ?", 3)
    with pytest.raises(ChainBroken) as caught:
        _open_and_verify(folder)
    assert caught.value.details == {"row": 3}


def test_a_row_that_hashes_well_but_holds_no_event_is_a_finding(folder):
    _written(folder)
    journal = open_journal(folder, write=False)
    prev = rows_of(journal)[ROWS - 2][4]
    journal.close()
    digest = chain_hash(prev, ROWS, 0, b"not json").hex()
    _execute(
        folder,
        f"UPDATE record SET generation = 0, event = x'{b'not json'.hex()}', hash = x'{digest}' WHERE seq = ?",
        ROWS,
    )
    with pytest.raises(ChainBroken, match="no event") as caught:
        _open_and_verify(folder)
    assert caught.value.details == {"row": ROWS}


def test_two_rows_that_changed_places_are_found(folder):
    _written(folder)
    journal = open_journal(folder, write=False)
    for old, new in ((3, 100), (4, 3), (100, 4)):
        _execute(folder, f"UPDATE record SET seq = {new} WHERE seq = ?", old)
    with pytest.raises(ChainBroken) as caught:
        verify(journal)
    assert caught.value.details == {"row": 3}
    journal.close()


def test_a_changed_payload_is_found(journal, folder):
    digest = journal.append([say("a.b", "x" * 10_000)])[0].event.dataref
    assert verify(journal).payloads == 1
    _execute(folder, "UPDATE payload SET bytes = x'00' WHERE digest = ?", digest)
    with pytest.raises(ChainBroken, match=digest):
        verify(journal)


def test_a_journal_that_was_replaced_by_an_older_copy_is_known_by_its_checkpoint(journal, folder, tmp_path):
    old = copy_of(folder, tmp_path / "old")
    journal.append([say("a.b")])
    journal.checkpoint()
    (old / "head.json").write_bytes((folder / "head.json").read_bytes())
    for write in (True, False):
        with pytest.raises(JournalTruncated, match="row 2"):
            open_journal(old, write=write)


def test_a_checkpoint_of_another_chain_is_known(journal, folder, tmp_path):
    old = copy_of(folder, tmp_path / "old")
    journal.append([say("a.b", 1)])
    journal.checkpoint()
    other = open_journal(old)
    other.append([say("a.b", 2)])
    other.close()
    (old / "head.json").write_bytes((folder / "head.json").read_bytes())
    with pytest.raises(JournalTruncated, match="not the one"):
        open_journal(old)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"seq": 1}', '{"seq": "x", "hash": ""}', '{"seq": 1, "hash": 5}', '{"seq": 1, "hash": "zz"}',
     '{"seq": 9' + "9" * 40 + ', "hash": ""}', '{"seq": -4, "hash": ""}', "[" * 200_000, '{"seq": null, "hash": null}'],
)  # fmt: skip
def test_a_checkpoint_that_cannot_be_read_is_none(journal, folder, text):
    journal.append([say("a.b")])
    (folder / "head.json").write_text(text)
    assert journal.read_checkpoint() is None
    reader = open_journal(folder, write=False)
    assert verify(reader).records == 2
    reader.close()


def test_rows_that_a_running_kernel_adds_meanwhile_are_no_finding(journal, folder):
    reader = open_journal(folder, write=False)
    journal.append([say("a.b")])
    journal.checkpoint()
    assert verify(reader).records >= 1
    reader.close()


def test_progress_ends_at_one(journal):
    seen = []
    journal.append([say("a.b")] * 3)
    verify(journal, lambda stage, share: seen.append((stage, share)))
    assert seen[-1][1] == 1
    assert all(stage for stage, _ in seen)


def test_progress_of_a_long_journal_comes_now_and_then(journal):
    seen = []
    for _ in range(21):
        journal.append([say("a.b")] * 1_000)
    verify(journal, lambda _stage, share: seen.append(share))
    assert seen == sorted(seen)
    assert 2 <= len(seen) <= 4
    assert seen[-1] == 1


def _execute(folder, sql, *bindings):
    connection = apsw.Connection(str(folder / "journal.db"))
    connection.execute(sql, bindings)
    connection.close()
