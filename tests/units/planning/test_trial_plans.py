"""A trial is planned like any change: its grants, its terms, and what it may not be of."""

from __future__ import annotations

from pathlib import Path

import pytest

from remit.errors import (
    ConsentNeeded,
    UnitInUse,
    UsageError,
)
from remit.host import Kernel
from remit.units import Terms
from remit.units.generations.terms import WHOLE
from tests.units.trials import COUNTER, HALF, arms, begin, count, episode, version


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
