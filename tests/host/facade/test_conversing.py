"""Working together: requests and replies, gathering, tenders and barriers; and nothing is left of any of them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remit.errors import Denied, SourceReserved, Unanswered, UsageError
from remit.kernel.model import Caller

QUICK = 50


@pytest.fixture
def answering(served):
    """Answers each event of a topic with what a function makes of it, until the test ends."""
    stop, threads = threading.Event(), []

    def start(topic, answer):
        feed = served.subscribe(topic)

        def run():
            with feed:
                while not stop.is_set():
                    for record in feed.receive(wait_ms=20).records:
                        for data in answer(record):
                            served.reply(record, data)

        threads.append(threading.Thread(target=run))
        threads[-1].start()

    yield start
    stop.set()
    for thread in threads:
        thread.join(30)


def words(records):
    return [record["event"]["data"] for record in records]


def test_a_request_has_an_answer_of_the_same_run(facade, served, answering):
    answering("sum.wanted", lambda record: [sum(record["event"]["data"])])
    answer = facade.ask("sum.wanted", [1, 2, 3])
    assert answer["event"]["data"] == 6
    [asked] = served.events(prefixes=["sum.wanted"])
    assert answer["event"]["type"] == asked["event"]["replyto"]
    assert answer["event"]["causationid"] == answer["event"]["correlationid"] == asked["event"]["id"]
    assert answer["event"]["hops"] == 7
    assert len(served._rooms.listeners._open) == 1, "the answerer's own is left"


def test_who_is_not_answered_is_told_and_leaves_nothing(facade, served):
    with pytest.raises(Unanswered):
        facade.ask("sum.wanted", [], timeout_ms=QUICK)
    assert facade.gather("sum.wanted", first=1, timeout_ms=0).records == []
    assert len(served._rooms.listeners._open) == 0


def test_two_requests_at_once_get_their_own_answers(facade, answering):
    answering("echo.wanted", lambda record: [record["event"]["data"]])
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: facade.ask("echo.wanted", n)["event"]["data"], range(40)))
    assert found == list(range(40))


def test_the_first_so_many_answers_or_those_that_came(facade, answering):
    answering("word.wanted", lambda _record: ["a", "b", "c"])
    some = facade.gather("word.wanted", first=2)
    assert (words(some.records), some.complete) == (["a", "b"], True)
    every = facade.gather("word.wanted", timeout_ms=500)
    assert (words(every.records), every.complete) == (["a", "b", "c"], False)
    partial = facade.gather("word.wanted", first=9, timeout_ms=500)
    assert (words(partial.records), partial.complete) == (["a", "b", "c"], False)


def test_the_best_proposals_are_awarded_and_report(facade, served, answering):
    answering("job.offered", lambda _record: [{"price": price} for price in (30, 10, 20)])
    with served.subscribe(prefixes=["job.offered."]) as told:
        reports = threading.Thread(target=lambda: report(served, told))
        reports.start()
        tender = facade.tender(
            "job.offered", rank=lambda one: -one["event"]["data"]["price"], awards=2, first=3, results_ms=10_000
        )
        reports.join(30)
    assert [one["price"] for one in words(tender.awarded)] == [10, 20]
    assert [one["price"] for one in words(tender.rejected)] == [30]
    assert words(tender.results) == ["done", "done"]


def report(served, told):
    """Two are awarded and report, one is rejected."""
    heard = []
    while len(heard) < 3:
        heard += told.receive().records
    [offered] = served.events(prefixes=["job.offered"], limit=1)
    for record in heard:
        if record["event"]["data"]["accepted"]:
            assert record["event"]["type"] == "job.offered.awarded"
            served.reply(offered, "done")
        else:
            assert record["event"]["type"] == "job.offered.rejected"


def test_a_proposal_may_be_refused_by_everybody_and_ties_go_to_the_earlier(facade, answering):
    answering("job.offered", lambda _record: [1, 2, 3])
    nobody = facade.tender("job.offered", rank=lambda _one: None, first=3)
    assert (nobody.awarded, words(nobody.rejected), nobody.results) == ([], [1, 2, 3], [])
    first = facade.tender("job.offered", rank=lambda _one: 0.0, first=3)
    assert (words(first.awarded), words(first.rejected)) == ([1], [2, 3])


def test_a_rank_that_fails_leaves_nothing(served, answering):
    answering("job.offered", lambda _record: [1])
    with pytest.raises(ZeroDivisionError):
        served.tender("job.offered", rank=lambda _one: 1 / 0, first=1)
    assert len(served._rooms.listeners._open) == 1, "the answerer's own is left"


def test_a_barrier_lets_everybody_go_with_the_same_list(facade):
    with ThreadPoolExecutor(5) as pool:
        lists = list(pool.map(lambda n: facade.barrier("round.1", 5, f"m{n}"), range(5)))
    assert len({tuple(one) for one in lists}) == 1
    assert sorted(lists[0]) == [f"m{n}" for n in range(5)]
    assert facade.barrier("round.1", 5, "late", timeout_ms=0) == lists[0]


def test_a_barrier_says_who_came(facade):
    for _ in range(2):  # who comes again counts once
        with pytest.raises(Unanswered) as caught:
            facade.barrier("round.2", 2, "alone", timeout_ms=QUICK)
        assert caught.value.details["arrived"] == ["alone"]
    for noise in ({"member": 7}, "text", None):
        facade.emit("barrier.round.2", noise)
    facade.emit("barrier.round.2.more", {"member": "other"})
    with pytest.raises(Unanswered):
        facade.barrier("round.2", 2, "alone", timeout_ms=0)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(members=st.lists(st.sampled_from("abcde"), min_size=1, max_size=12), data=st.data())
def test_whoever_asks_a_barrier_when_gets_the_first_that_came(served, members, data):
    name = f"n{served.home().head}.x"
    first = list(dict.fromkeys(members))
    parties = data.draw(st.integers(1, len(first)))
    came = []
    for member in members:
        came += [member] * (member not in came)
        if len(came) >= parties:
            assert served.barrier(name, parties, member, timeout_ms=0) == first[:parties]
        else:
            with pytest.raises(Unanswered) as caught:
                served.barrier(name, parties, member, timeout_ms=0)
            assert caught.value.details["arrived"] == came


def test_policy_decides_who_may_ask(served):
    asked = served.gather("a.b", timeout_ms=0, caller=Caller(principal="caller"))
    assert asked.records == []
    with pytest.raises(Denied):
        served.gather("a.b", timeout_ms=0, caller=Caller(principal="viewer"))
    assert len(served._rooms.listeners._open) == 0


def test_a_request_that_may_not_be_emitted_leaves_nothing(served):
    with pytest.raises(SourceReserved):
        served.gather("unit.applied", timeout_ms=0)
    assert len(served._rooms.listeners._open) == 0


@pytest.mark.parametrize("wrong", [
    lambda kernel: kernel.gather("a.b", first=0), lambda kernel: kernel.gather("a.b", first=10**6),
    lambda kernel: kernel.ask("a.b", timeout_ms=-1), lambda kernel: kernel.barrier("a", 0, "m"),
    lambda kernel: kernel.tender("a.b", rank=lambda _one: 1, awards=0),
    lambda kernel: kernel.reply(kernel.emit("a.b"), 1),
])  # fmt: skip
def test_what_makes_no_sense_is_refused_and_leaves_nothing(served, wrong):
    with pytest.raises(UsageError):
        wrong(served)
    assert len(served._rooms.listeners._open) == 0
