"""A version on trial beside the active one: whose calls, on which state, under which grants, and how it ends."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.errors import (
    ConsentNeeded,
    Denied,
    GuestTrapped,
    PlanBlocked,
    StateConflict,
    TrialUnknown,
    UnitInUse,
    UsageError,
)
from remit.host import Kernel
from remit.journal.unitstate import rebuild
from remit.kernel.model import Caller
from remit.units import Terms, Withdrawn
from remit.units.terms import WHOLE, lot, parse_share, percent

HALF = Terms(share=5_000, calls=2, errors=WHOLE)
COUNTER = "acme/counter"


def version(folder: Path, number: str, target: Path, *, without: str = "", more: str = "") -> Path:
    """Another version of a built unit."""
    shutil.copytree(folder, target)
    manifest = (target / "unit.toml").read_text().replace('version = "1.0.0"', f'version = "{number}"')
    (target / "unit.toml").write_text(manifest.replace(without, "") + more)
    return target


@pytest.fixture
def counting(kernel: Kernel, unit, tmp_path: Path) -> Kernel:
    """``acme/counter@1.0.0`` is active and has counted to 3; 1.1.0 is installed."""
    kernel.install(str(unit("counter")), allow_unsigned=True)
    kernel.apply(kernel.plan(add=[COUNTER]), consent=True)
    for _ in range(3):
        kernel.call("acme/counter:increment")
    kernel.install(str(version(unit("counter"), "1.1.0", tmp_path / "next")), allow_unsigned=True)
    return kernel


def begin(kernel: Kernel, terms: Terms = HALF, item: str = COUNTER) -> str:
    return kernel.apply(kernel.plan(trial=[item], terms=terms), consent=True).trials[0].id


def episode(trial: str, *, taken: bool, number: int = 0) -> Caller:
    """The caller of an episode that the arm takes at a share of a half, or does not."""
    found = (f"e{index}" for index in range(10_000) if (lot(trial, f"e{index}") < 5_000) is taken)
    return Caller(correlation=[next(found) for _ in range(number + 1)][-1])


def count(kernel: Kernel, caller: Caller) -> int:
    return kernel.call("acme/counter:increment", caller=caller)["count"]


def arms(kernel: Kernel, trial: str) -> dict[str, Any]:
    [found] = [one for one in kernel.state("experiments") if one["id"] == trial]
    return found


def rows(kernel: Kernel) -> list[tuple[Any, ...]]:
    return sorted(kernel._rooms.journal.execute("SELECT * FROM unit_state"))


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


# ---- plans ----


def test_a_plan_says_what_is_tried_and_an_apply_does_exactly_that(counting: Kernel) -> None:
    plan = counting.plan(trial=[COUNTER], terms=HALF)
    [change] = plan.trials
    assert (change.change, change.version, change.base_version) == ("start", "1.1.0", "1.0.0")
    generation = counting.apply(plan, consent=True)
    assert generation.trials == plan.candidate.trials
    assert counting.plan(trial=[COUNTER], terms=HALF).changed is False


def test_the_version_on_trial_has_grants_of_its_own(counting: Kernel) -> None:
    begin(counting)
    assert {view.version for view in counting.leases()} == {"1.0.0", "1.1.0"}


def test_a_trial_that_widens_needs_consent(counting: Kernel, unit, tmp_path: Path) -> None:
    more = '\n[[capability]]\naction = "events:emit"\nresource = "counter.more"\nreason = "more"\n'
    wide = version(unit("counter"), "1.2.0", tmp_path / "wide", more=more)
    counting.install(str(wide), allow_unsigned=True)
    with pytest.raises(ConsentNeeded, match=r"counter\.more"):
        counting.apply(counting.plan(trial=[COUNTER]))


def test_what_the_version_on_trial_is_denied_the_other_may_still_do(counting: Kernel) -> None:
    trial = begin(counting)
    [grant] = [view.id for view in counting.leases() if view.version == "1.1.0"]
    counting.revoke(grant)
    for taken in (True, False):
        count(counting, episode(trial, taken=taken))
    assert arms(counting, trial)["new_denials"] == ["events:emit on counter.changed"]


def test_other_terms_go_on_with_the_same_branch_and_counts(counting: Kernel) -> None:
    trial = begin(counting)
    caller = episode(trial, taken=True)
    count(counting, caller)
    plan = counting.plan(trial=[COUNTER], terms=Terms(share=9_000))
    assert [change.change for change in plan.trials] == ["adjust"]
    counting.apply(plan)
    assert count(counting, caller) == 5
    assert arms(counting, trial)["trial"]["calls"] == 2


def test_a_trial_goes_on_through_other_changes(counting: Kernel, author) -> None:
    trial = begin(counting)
    counting.install(str(author.config("acme/tone", "{ a = 1 }")), allow_unsigned=True)
    counting.apply(counting.plan(add=["acme/tone"]))
    assert counting.history()[-1].trials[0].id == trial


def test_a_unit_on_trial_changes_its_version_by_promotion_only(counting: Kernel) -> None:
    begin(counting)
    plan = counting.plan(add=[f"{COUNTER}@=1.1.0"])
    assert {"trial.same"} <= {finding.id for finding in plan.blocking}


def test_removing_the_unit_ends_its_trial(counting: Kernel) -> None:
    begin(counting)
    plan = counting.plan(remove=[COUNTER])
    assert [(change.change, change.state) for change in plan.trials] == [("end", "dropped")]
    assert counting.apply(plan).trials == ()


@pytest.mark.parametrize(
    "terms",
    [
        Terms(share=0),
        Terms(share=WHOLE + 1),
        Terms(errors=-1),
        Terms(slower=-1),
        Terms(calls=0),
        Terms(episode="x" * 201),
    ],
)
def test_terms_that_nothing_could_meet_are_refused(counting: Kernel, terms) -> None:
    with pytest.raises(UsageError):
        counting.plan(trial=[COUNTER], terms=terms)


def test_only_a_unit_that_is_active_is_tried(counting: Kernel) -> None:
    with pytest.raises(UsageError, match="not active"):
        counting.plan(trial=["acme/other"])


def test_the_active_version_is_not_tried_beside_itself(counting: Kernel) -> None:
    plan = counting.plan(trial=[f"{COUNTER}@=1.0.0"])
    assert [finding.id for finding in plan.blocking] == ["trial.same"]


def test_a_config_unit_is_applied_not_tried(kernel: Kernel, author) -> None:
    kernel.install(str(author.config("acme/tone", "{ a = 1 }")), allow_unsigned=True)
    kernel.apply(kernel.plan(add=["acme/tone"]))
    kernel.install(str(author.config("acme/tone", "{ a = 2 }", version="1.1.0")), allow_unsigned=True)
    assert [finding.id for finding in kernel.plan(trial=["acme/tone"]).blocking] == ["trial.kind"]


def test_a_version_on_trial_is_not_uninstalled(counting: Kernel) -> None:
    begin(counting)
    with pytest.raises(UnitInUse, match="on trial"):
        counting.uninstall(COUNTER, "=1.1.0")


def test_what_the_version_lacks_stays_with_the_other(counting: Kernel, unit, tmp_path: Path) -> None:
    less = version(unit("counter"), "1.2.0", tmp_path / "less", without='[[action]]\nname       = "spoil"\n')
    counting.install(str(less), allow_unsigned=True)
    plan = counting.plan(trial=[f"{COUNTER}@=1.2.0"])
    assert "trial.actions" in {finding.id for finding in plan.findings}


# ---- evidence, promotion and the end ----


def evidence(kernel: Kernel, trial: str) -> None:
    for taken in (True, False):
        for number in range(2):
            kernel.call("acme/counter:read", caller=episode(trial, taken=taken, number=number))


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
    assert counting.call("acme/counter:increment") == {"count": 4}


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
