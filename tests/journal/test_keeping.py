"""Read models are kept current beside the writer: neither a reader nor a start after a kill folds a long journal."""

from __future__ import annotations

import threading
from contextlib import closing

import pytest

from remit.journal import Folds, Keeper, fold, keeping
from tests.journal.simulators import open_journal, say, temporary_journal
from tests.journal.test_folds import Tally


class Broken(Tally):
    """Cannot take the word that it does not like."""

    name = "broken"

    def apply(self, state, records, data):
        if any(data(record) == "bad" for record in records):
            raise ValueError("bad")
        return super().apply(state, records, data)


class Slow(Tally):
    """Takes its time with each page."""

    name = "slow"

    def __init__(self):
        super().__init__()
        self.busy, self.go = threading.Event(), threading.Event()

    def apply(self, state, records, data):
        self.busy.set()
        assert self.go.wait(20)
        return super().apply(state, records, data)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(fold, "_SNAPSHOT_EVERY", 50)
    monkeypatch.setattr(keeping, "_EVERY", 10)


def caught_up(folds):
    pause = threading.Event()
    for _ in range(2_000):
        if folds.behind < keeping._EVERY:
            return
        pause.wait(0.01)
    raise AssertionError(folds.behind)


def filled(journal, count):
    for _ in range(count):
        journal.append([say("a.x", "word")])


def test_what_a_start_after_a_kill_folds_is_bounded(tmp_path):
    with closing(open_journal(tmp_path)) as journal:
        folds = Folds(journal, [Tally()])
        keeper = Keeper(journal, folds)
        filled(journal, 500)
        caught_up(folds)
        keeper.close()  # without folds.save(): as a kill would leave it
    with closing(open_journal(tmp_path)) as journal:
        tally = Tally()
        assert Folds(journal, [tally]).state("tally")["counts"] == {"a.x": 500 * len("word")}
        assert tally.applied <= fold._SNAPSHOT_EVERY + keeping._EVERY


def test_a_model_that_is_behind_at_the_start_is_brought_up_before_anybody_asks():
    with temporary_journal() as journal:
        filled(journal, 100)
        tally = Tally()
        folds = Folds(journal, [tally])
        keeper = Keeper(journal, folds)
        caught_up(folds)
        keeper.close()
        assert tally.applied == 100


def test_whoever_closes_a_journal_does_not_wait_for_a_model_that_is_far_behind():
    with temporary_journal() as journal:
        tally = Tally()
        folds = Folds(journal, [tally])
        filled(journal, 200)
        folds.save()
        assert tally.applied == 0
        folds.state("tally")
        filled(journal, 10)
        folds.save()
        assert tally.applied == 210


def test_a_fold_that_fails_keeps_no_other_from_its_records_and_tells_who_asks():
    with temporary_journal() as journal:
        tally = Tally()
        folds = Folds(journal, [Broken(), tally])
        journal.append([say("a.x", "bad"), *[say("a.x", "word")] * 60])
        folds.keep_up()
        assert tally.applied == 61
        with pytest.raises(ValueError, match="bad"):
            folds.state("broken")


def test_only_the_models_that_are_named_are_shown_what_is_new():
    with temporary_journal() as journal:
        tally, other = Tally(), Tally()
        other.name = "other"
        folds = Folds(journal, [tally, other])
        filled(journal, 10)
        folds.keep_up(names=["other"])
        assert (tally.applied, other.applied) == (0, 10)
        assert folds.state("other") == folds.state("tally")


def test_others_get_a_turn_after_each_model_that_had_something_to_fold():
    with temporary_journal() as journal:
        first, second, idle = Tally(), Tally(), Tally()
        second.name, idle.name, idle.topics = "second", "idle", ("elsewhere.",)
        folds, turns = Folds(journal, [first, second, idle]), []
        filled(journal, 3)
        folds.keep_up(rest=lambda: turns.append((first.applied, second.applied, idle.applied)))
        assert turns == [(3, 0, 0), (3, 3, 0)]


def test_nobody_waits_for_another_model():
    with temporary_journal() as journal:
        slow = Slow()
        folds = Folds(journal, [slow, Tally()])
        keeper = Keeper(journal, folds)
        filled(journal, 30)
        assert slow.busy.wait(20)
        assert folds.state("tally")["counts"] == {"a.x": 30 * len("word")}
        slow.go.set()
        keeper.close()
