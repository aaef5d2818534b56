"""Receipts: whoever waits for an append, or asked to be told, hears of its end, once, on whatever thread."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from remit.errors import Denied
from tests.journal.simulators import say


@pytest.fixture
def held(journal):
    """An append that has no answer until the event is set; then it is written, or refused where ``refusal`` says so."""
    gate = threading.Event()
    refusal = []

    def hold(_connection):
        gate.wait(30)
        if refusal:
            raise refusal[0]

    receipt = journal.submit([say("a.b", 1)], guard=hold)
    yield receipt, gate, refusal
    gate.set()


def test_all_who_wait_get_the_same_records(held):
    receipt, gate, _ = held
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(receipt.result) for _ in range(8)]
        assert not receipt.done()
        gate.set()
        found = [one.result(30) for one in waiting]
    assert [records[0].seq for records in found] == [2] * 8
    assert receipt.done()
    assert receipt.result() == found[0]
    assert receipt.exception() is None


def test_each_who_waits_for_a_refusal_gets_an_error_of_its_own(held):
    receipt, gate, refusal = held
    refusal.append(Denied("no", policies=["p"], remedy="ask"))
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(receipt.result) for _ in range(4)]
        gate.set()
        errors = [one.exception(30) for one in waiting]
    assert {(type(one), one.message, one.remedy) for one in errors} == {(Denied, "no", "ask")}
    assert all(one.details == {"policies": ["p"]} for one in errors)
    assert len({id(one) for one in errors}) == 4
    assert receipt.exception() is refusal[0]


def test_who_has_no_patience_is_told_so(held):
    receipt, gate, _ = held
    with pytest.raises(TimeoutError):
        receipt.result(0.01)
    with pytest.raises(TimeoutError):
        receipt.exception(0.01)
    gate.set()
    assert receipt.result(30)[0].seq == 2


def test_who_asked_before_and_who_asks_after_is_told_once(held):
    receipt, gate, _ = held
    told, early = [], threading.Event()
    receipt.when_done(lambda: told.append("first"))
    receipt.when_done(early.set)
    assert told == []
    gate.set()
    assert early.wait(30)
    receipt.result(30)
    receipt.when_done(lambda: told.append("later"))
    assert sorted(told) == ["first", "later"]


def test_asking_to_be_told_while_the_answer_comes_loses_nobody(journal):
    for _ in range(200):
        told = threading.Semaphore(0)
        receipt = journal.submit([say("a.b")])
        for _ in range(5):
            receipt.when_done(told.release)
        assert all(told.acquire(timeout=30) for _ in range(5))
        assert not told.acquire(blocking=False)
