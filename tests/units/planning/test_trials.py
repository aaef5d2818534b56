"""A version on trial beside the active one: whose calls it takes, and on which state."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.errors import (
    StateConflict,
    UsageError,
)
from remit.host import Kernel
from remit.journal.unitstate import rebuild
from remit.kernel.model import Caller
from remit.units import Terms
from remit.units.generations.terms import WHOLE, lot, parse_share, percent
from tests.units.trials import COUNTER, arms, begin, count, episode, rows

# ---- whose calls ----


@given(st.integers(1, WHOLE), st.text(max_size=20), st.text(max_size=20))
def test_an_episode_is_taken_by_a_share_exactly_when_its_lot_is_below_it(share, trial, name):
    drawn = lot(trial, name)
    assert 0 <= drawn < WHOLE
    assert Terms(share=share).takes(trial, Caller(correlation=name)) == (drawn < share)


def test_lots_are_even_over_many_episodes():
    """Twenty thousand fixed episodes: at most four standard deviations (4 * sqrt(n p q)) from the share."""
    taken = sum(lot("acme/counter#2", f"episode {index}") < 1_000 for index in range(20_000))
    assert abs(taken - 2_000) <= 170


@pytest.mark.parametrize(("text", "share"), [("10%", 1_000), ("0.01%", 1), ("100%", WHOLE), ("2.5%", 250)])
def test_a_share_is_a_percentage_and_reads_back(text, share):
    assert parse_share(text) == share
    assert percent(share) == text


@pytest.mark.parametrize("text", ["", "10", "%", "101%", "-1%", "0.001%", "nan%", "inf%", "1e9999999%", "ten%"])
def test_what_is_no_percentage_is_refused(text):
    with pytest.raises(UsageError):
        parse_share(text)


@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, WHOLE), st.integers(1, 200))
def test_the_error_gate_is_exact(calls, failed, errors, least):
    terms = Terms(errors=errors, calls=least)
    assert terms.trips(calls, failed) == (failed * WHOLE > errors * max(calls, least))


def test_an_episode_stays_on_its_arm_whatever_it_calls(counting: Kernel) -> None:
    trial = begin(counting)
    for taken, digest in (
        (True, arms(counting, trial)["trial"]["digest"]),
        (False, arms(counting, trial)["base"]["digest"]),
    ):
        caller = episode(trial, taken=taken)
        outcomes = [counting.call_text(f"acme/counter:{name}", "null", caller=caller) for name in ("increment", "read")]
        assert {outcome.digest for outcome in outcomes} == {digest}


def test_a_call_of_no_episode_begins_one_and_the_journal_says_its_arm(counting: Kernel) -> None:
    trial = begin(counting)
    for _ in range(8):
        counting.call("acme/counter:read")
    for record in counting.events(last=8, prefixes=["action.completed"]):
        data = record["event"]["data"]
        assert data["trial"] == trial
        assert (data["arm"] == "trial") == (lot(trial, record["event"]["correlationid"]) < 5_000)


@pytest.mark.parametrize(
    ("terms", "inside", "outside"),
    [
        (Terms(principal="ada"), Caller(principal="ada"), Caller()),
        (Terms(namespace="lab"), Caller(namespace="lab"), Caller()),
        (Terms(episode="lab-"), Caller(correlation="lab-1"), Caller(correlation="1")),
    ],
)
def test_a_scope_takes_its_calls_and_no_others(home: Path, counting: Kernel, terms, inside, outside) -> None:
    counting.close()
    with (home / "remit.toml").open("a") as file:
        file.write('\n[operator.ada]\nroles = ["operator"]\n')
    with Kernel.open(home, serve=False) as kernel:
        begin(kernel, terms)
        assert (
            kernel.call_text("acme/counter:read", "null", caller=inside).digest
            != kernel.call_text("acme/counter:read", "null", caller=outside).digest
        )


def test_a_reference_with_a_range_is_never_given_a_version_outside_it(counting: Kernel) -> None:
    trial = begin(counting, Terms())
    outcome = counting.call_text("acme/counter:read@=1.0.0", "null")
    assert outcome.digest == arms(counting, trial)["base"]["digest"]


# ---- state ----


def test_the_arm_begins_with_the_state_as_it_was_and_neither_sees_the_other(counting: Kernel) -> None:
    trial = begin(counting)
    inside, outside = episode(trial, taken=True), episode(trial, taken=False)
    assert [count(counting, inside), count(counting, inside), count(counting, outside)] == [4, 5, 4]
    assert [count(counting, outside), count(counting, inside)] == [5, 6]


def test_namespaces_stay_apart_on_a_branch(counting: Kernel) -> None:
    begin(counting, Terms())
    assert [count(counting, Caller()), count(counting, Caller(namespace="other"))] == [4, 1]


def test_a_call_of_the_arm_that_ran_while_its_trial_ended_commits_nothing(counting: Kernel) -> None:
    trial = begin(counting, Terms())
    dispatcher = counting._rooms.dispatcher
    steps = dispatcher.steps("acme/counter:increment", b"null", Caller(), "committed", dispatcher.token())
    step = next(steps)
    while not isinstance(step, tuple):
        step = steps.send(step())
    answer = counting._rooms.runner.run(*step)
    counting.apply(counting.plan(revert=COUNTER))
    with pytest.raises(StateConflict, match="trial"):
        steps.send(answer).result()
    assert counting.call("acme/counter:read") == {"count": 3}
    assert trial not in {row[2] for row in rows(counting)}


def test_the_table_with_a_branch_is_what_the_journal_says(counting: Kernel) -> None:
    begin(counting, Terms())
    count(counting, Caller())
    assert rows(counting) == sorted(rebuild(counting._rooms.journal))
    counting.revert()
    assert rows(counting) == sorted(rebuild(counting._rooms.journal))


def test_a_restart_goes_on_with_the_same_trial(counting: Kernel, home: Path) -> None:
    trial = begin(counting)
    caller = episode(trial, taken=True)
    count(counting, caller)
    counting.close()
    with Kernel.open(home, serve=False) as again:
        assert count(again, caller) == 5
        assert arms(again, trial)["trial"]["calls"] == 2


def test_a_collection_keeps_what_is_on_trial(counting: Kernel) -> None:
    trial = begin(counting)
    assert counting.gc(keep=0).units == ()
    assert count(counting, episode(trial, taken=True)) == 4
