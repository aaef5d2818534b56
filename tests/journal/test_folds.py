"""Folds: the same state whether folded at once, piecewise, from a snapshot or as of any record."""

from __future__ import annotations

import itertools
import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remit.errors import ModelUnknown
from remit.journal import Folds, fold, verify
from tests.journal.simulators import open_journal, say, temporary_journal


class Tally:
    """Counts by topic, and the last number seen: enough to see a record that is skipped, repeated or out of order."""

    name = "tally"
    topics = ("a.", "b.")

    def __init__(self, version=1):
        self.version = version
        self.applied = 0

    def init(self):
        return {"counts": {}, "seen": []}

    def apply(self, state, records, data):
        counts = dict(state["counts"])
        for record in records:
            self.applied += 1
            counts[record.event.type] = counts.get(record.event.type, 0) + len(data(record))
        return {"counts": counts, "seen": state["seen"] + [record.seq for record in records]}

    def snapshot(self, state):
        return json.dumps(state).encode()

    def restore(self, data):
        return json.loads(data)

    def view(self, state):
        return state["counts"]


def _plain(records, until):
    """The fold as a plain loop."""
    tally = Tally()
    state = tally.init()
    for record in records:
        if record.seq <= until and record.event.type.startswith(tally.topics):
            state = tally.apply(state, [record], lambda r: r.event.data)
    return state


STEPS = st.lists(
    st.tuples(st.just("append"), st.sampled_from(["a.x", "b.y", "c.z"]), st.integers(1, 9))
    | st.tuples(st.sampled_from(["save", "state", "keep", "reopen"]), st.just(""), st.just(0)),
    max_size=25,
)


@settings(max_examples=40, deadline=None)
@given(steps=STEPS, every=st.integers(1, 12), batch=st.integers(1, 5), data=st.data())
def test_state_now_and_at_any_record_is_the_plain_fold(steps, every, batch, data):
    with pytest.MonkeyPatch.context() as patch, temporary_journal() as journal:
        patch.setattr(fold, "_SNAPSHOT_EVERY", every)
        patch.setattr(fold, "_BATCH", batch)
        folds = Folds(journal, [Tally()])
        for step, kind, count in steps:
            if step == "append":
                journal.append([say(kind, "x" * count)] * count)
            elif step == "save":
                folds.save()
            elif step == "state":
                folds.state("tally")
            elif step == "keep":
                folds.keep_up()
            else:
                folds = Folds(journal, [Tally()])
        records = list(journal.read())
        assert folds.state("tally") == _plain(records, journal.head.seq) == folds.at("tally", journal.head.seq)
        seq = data.draw(st.integers(0, journal.head.seq))
        assert folds.at("tally", seq) == _plain(records, seq)
        assert folds.view("tally", seq) == _plain(records, seq)["counts"]
        journal.append([])  # whatever snapshots wait are written
        assert Folds(journal, [Tally()]).state("tally") == _plain(records, journal.head.seq)


def _snapshots(journal):
    journal.append([])  # the writer works in order: earlier snapshots are written when this returns
    return [row[0] for row in journal.execute("SELECT seq FROM snapshot ORDER BY seq")]


def test_a_start_from_a_snapshot_replays_only_what_came_after(journal):
    folds = Folds(journal, [Tally()])
    journal.append([say("a.x", "1")] * 30)
    folds.save()
    journal.append([say("a.x", "1")] * 3)
    tally = Tally()
    assert Folds(journal, [tally]).view("tally") == {"a.x": 33}
    assert tally.applied == 3


def test_a_fold_that_did_not_move_writes_no_second_snapshot(journal):
    folds = Folds(journal, [Tally()])
    journal.append([say("a.x", "1")])
    folds.save()
    folds.save()
    assert _snapshots(journal) == [2]
    assert verify(journal).records == 2


@pytest.mark.parametrize("damage", [
    "UPDATE snapshot SET data = x'00ff'",
    "UPDATE snapshot SET hash = x'00'",
    "UPDATE snapshot SET seq = seq + 5",
    "UPDATE snapshot SET version = 9",
    "UPDATE snapshot SET fold = 'other'",
])  # fmt: skip
def test_a_snapshot_that_does_not_fit_is_ignored(journal, damage):
    folds = Folds(journal, [Tally()])
    journal.append([say("a.x", "1")] * 5)
    folds.save()
    journal.append([])
    journal._connection.execute(damage)
    tally = Tally()
    assert Folds(journal, [tally]).view("tally") == {"a.x": 5}
    assert tally.applied == 5


def test_a_new_version_of_a_fold_replays_and_drops_the_old_snapshots(journal):
    folds = Folds(journal, [Tally(version=1)])
    journal.append([say("a.x", "1")] * 5)
    folds.save()
    newer = Folds(journal, [Tally(version=2)])
    journal.append([say("a.x", "1")])
    assert newer.view("tally") == {"a.x": 6}
    newer.save()
    _snapshots(journal)
    assert journal.execute("SELECT version, seq FROM snapshot") == [(2, 7)]


def test_long_histories_keep_few_snapshots_dense_near_the_end(journal, monkeypatch):
    monkeypatch.setattr(fold, "_SNAPSHOT_EVERY", 10)
    folds = Folds(journal, [Tally()])
    for _ in range(160):
        journal.append([say("a.x", "1")] * 4)
        folds.state("tally")
    for _ in range(3):
        journal.append([say("a.x", "1")])
        folds.save()
    kept = _snapshots(journal)
    head = journal.head.seq
    assert kept[-1] == head
    assert len(kept) <= 4 * math.log2(head / 10)
    assert kept[0] <= 13, "the beginning of history keeps one"
    for older, newer in itertools.pairwise(kept):
        assert newer - older <= max(head - older, 13), "no gap is longer than the way to the end"
        assert newer - older <= (head - older) * 0.75 + 13, "gaps grow with the distance from the end"
    records = list(journal.read())
    for seq in (1, 11, head // 3, head // 2, head - 1):
        assert folds.at("tally", seq) == _plain(records, seq)


def test_asking_for_the_past_starts_from_the_nearest_snapshot_before_it(journal, monkeypatch):
    monkeypatch.setattr(fold, "_SNAPSHOT_EVERY", 10)
    tally = Tally()
    folds = Folds(journal, [tally])
    for _ in range(100):
        journal.append([say("a.x", "1")])
        folds.state("tally")
    kept = _snapshots(journal)
    seq = 95
    tally.applied = 0
    folds.at("tally", seq)
    assert tally.applied == seq - max(number for number in kept if number <= seq)


def test_an_unknown_model_is_named(journal):
    with pytest.raises(ModelUnknown, match="nope"):
        Folds(journal, []).state("nope")


def test_names_are_sorted(journal):
    other = Tally()
    other.name = "alpha"
    assert Folds(journal, [Tally(), other]).names() == ["alpha", "tally"]


def test_a_state_that_somebody_holds_does_not_change(journal):
    folds = Folds(journal, [Tally()])
    journal.append([say("a.x", "1")])
    before = folds.state("tally")
    journal.append([say("a.x", "1")])
    assert folds.state("tally") != before == {"counts": {"a.x": 1}, "seen": [2]}


def test_a_reader_of_a_stopped_home_folds_too(folder):
    journal = open_journal(folder)
    journal.append([say("a.x", "1")] * 3)
    Folds(journal, [Tally()]).save()
    journal.close()
    reader = open_journal(folder, write=False)
    assert Folds(reader, [Tally()]).view("tally", 3) == {"a.x": 2}
    reader.close()
