"""How a trial ends: with evidence, an owner's word, failures, a withdrawal or a revert."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from remit.errors import (
    Denied,
    GuestTrapped,
    PlanBlocked,
    StateConflict,
    TrialUnknown,
)
from remit.host import Kernel
from remit.kernel.model import Caller
from remit.units import Terms, Withdrawn
from remit.units.generations.terms import WHOLE
from tests.units.trials import COUNTER, arms, begin, count, episode, evidence, version


def test_a_promotion_wants_evidence(counting: Kernel) -> None:
    trial = begin(counting)
    plan = counting.plan(promote=[COUNTER])
    assert {finding.id for finding in plan.blocking} == {"trial.gate"}
    with pytest.raises(PlanBlocked):
        counting.apply(plan, consent=True)
    assert counting.history()[-1].trials[0].id == trial


def test_with_evidence_the_version_becomes_the_active_one(counting: Kernel) -> None:
    slow = Terms(share=5_000, calls=2, errors=WHOLE, slower=100 * WHOLE)
    trial = begin(counting, slow)
    evidence(counting, trial)
    plan = counting.plan(promote=[COUNTER])
    assert [(change.change, change.state) for change in plan.trials] == [("promote", "dropped")]
    generation = counting.apply(plan)
    assert (generation.trials, generation.units[0].ref.version) == ((), "1.1.0")
    assert arms(counting, trial)["outcome"] == "promoted"


def test_an_override_is_journalled_with_its_reason(counting: Kernel) -> None:
    begin(counting)
    counting.apply(counting.plan(promote=[COUNTER], override="the old one is broken"))
    [promoted] = counting.events(prefixes=["unit.promoted"])
    assert promoted["event"]["data"]["override"] == "the old one is broken"


OWNERS_INSIST = """
@id("test.proven")
@why("operators promote what has proved itself")
forbid (principal in Remit::Role::"operator", action == Remit::Action::"unit:apply", resource)
when { context has override && context.override };
"""


def test_policy_hears_that_a_promotion_lacks_its_evidence(home: Path, counting: Kernel) -> None:
    counting.close()
    with (home / "remit.toml").open("a") as file:
        file.write('\n[operator.ada]\nroles = ["operator"]\n')
    (home / "policy" / "proven.cedar").write_text(OWNERS_INSIST)
    ada = Caller(principal="ada")
    with Kernel.open(home, serve=False) as kernel:
        trial = begin(kernel, Terms(share=5_000, calls=2, errors=WHOLE, slower=100 * WHOLE))
        with pytest.raises(Denied) as denied:
            kernel.apply(kernel.plan(promote=[COUNTER], override="in a hurry"), caller=ada)
        assert denied.value.details["policies"] == ["test.proven"]
        evidence(kernel, trial)
        # With the evidence a reason to do without it overrides nothing.
        assert kernel.apply(kernel.plan(promote=[COUNTER], override="in a hurry"), caller=ada).trials == ()


def test_an_owner_may_promote_without_evidence_where_policy_reserves_it(home: Path, counting: Kernel) -> None:
    counting.close()
    (home / "policy" / "proven.cedar").write_text(OWNERS_INSIST)
    with Kernel.open(home, serve=False) as kernel:
        begin(kernel)
        assert kernel.apply(kernel.plan(promote=[COUNTER], override="in a hurry")).trials == ()


def test_a_promotion_past_the_range_takes_the_range_along(counting: Kernel, unit, tmp_path: Path, home: Path) -> None:
    counting.install(str(version(unit("counter"), "2.0.0", tmp_path / "two")), allow_unsigned=True)
    begin(counting, item=f"{COUNTER}@=2.0.0")
    counting.apply(counting.plan(promote=[COUNTER], override="a test"))
    assert '"^2.0.0"' in (home / "remit.toml").read_text()
    assert counting.plan().changed is False


def test_a_promotion_of_what_is_not_on_trial_is_refused(counting: Kernel) -> None:
    with pytest.raises(TrialUnknown):
        counting.plan(promote=[COUNTER])


def test_a_kept_branch_is_new_versions_of_its_keys_and_nothing_is_lost(counting: Kernel) -> None:
    trial = begin(counting)
    for taken in (True, True, False):
        count(counting, episode(trial, taken=taken))
    counting.apply(counting.plan(promote=[COUNTER], keep_state=True, override="a test"))
    assert counting.call("acme/counter:read") == {"count": 5}
    [merged] = counting.events(prefixes=["state.merged"])
    assert merged["event"]["data"]["keys"] == 1


def test_reverting_a_unit_on_trial_ends_the_trial_and_nothing_else(counting: Kernel) -> None:
    trial = begin(counting)
    before = counting.history()[-1]
    generation = counting.revert(COUNTER)
    assert (generation.trials, generation.units, len(generation.grants)) == ((), before.units, 1)
    assert arms(counting, trial)["outcome"] == "ended"


def test_undoing_the_end_begins_the_trial_anew(counting: Kernel) -> None:
    trial = begin(counting)
    count(counting, episode(trial, taken=True))
    counting.revert(COUNTER)
    again = counting.revert().trials[0].id
    assert again != trial
    assert count(counting, episode(again, taken=True)) == 4


def test_an_arm_that_fails_too_often_is_ended_by_the_kernel(counting: Kernel) -> None:
    trial = begin(counting, Terms(errors=1_000, calls=10))
    ended = counting.follow(counting.home().head, prefixes=["unit.reverted"])
    for _ in range(2):
        with pytest.raises(GuestTrapped):
            counting.call("acme/counter:spoil")
    data = next(iter(ended))["event"]["data"]
    assert data["trials"][0]["why"] == "2 of its 2 calls failed; its terms allow 10%"
    assert data["principal"] == "kernel"
    assert arms(counting, trial)["outcome"] == "ended"
    assert once_in_force(lambda: counting.call("acme/counter:increment")) == {"count": 4}


def once_in_force(call):
    """What a call gives that may come between the end of a trial and its being in force: then it is to call again."""
    for _ in range(1_000):
        with suppress(StateConflict):
            return call()
    raise AssertionError("the end of the trial is never in force")


def test_failures_of_the_other_arm_end_nothing(counting: Kernel) -> None:
    trial = begin(counting, Terms(share=5_000, errors=0, calls=1))
    with pytest.raises(GuestTrapped):
        counting.call("acme/counter:spoil", caller=episode(trial, taken=False))
    counting._rooms.canary.turn()
    assert arms(counting, trial)["outcome"] == "running"


def test_terms_that_its_failures_exceed_already_are_not_accepted(counting: Kernel) -> None:
    trial = begin(counting)
    with pytest.raises(GuestTrapped):
        counting.call("acme/counter:spoil", caller=episode(trial, taken=True))
    plan = counting.plan(trial=[COUNTER], terms=Terms(errors=0))
    assert [finding.id for finding in plan.blocking] == ["trial.errors"]


def test_a_version_that_its_registry_kills_is_not_tried_any_longer(counting: Kernel) -> None:
    trial = begin(counting)
    digest = arms(counting, trial)["trial"]["digest"]
    killed = Withdrawn(COUNTER, "1.1.0", digest, "killed", "a test")
    counting._rooms.lifecycle.withdraw([killed], Caller())
    assert counting.history()[-1].trials == ()
    assert count(counting, episode(trial, taken=True)) == 4
