"""Random lives of a trial against two counters in plain Python: calls, other terms, promotions, reverts, restarts."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from remit.host import Kernel, init
from remit.journal.unitstate import rebuild
from remit.kernel.model import Caller
from remit.units import Terms
from remit.units.generations.terms import WHOLE, lot

SEQUENCES = 12 * int(os.environ.get("REMIT_SOAK", "1"))
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
VERSIONS = ("1.0.0", "1.1.0")
COUNTER = "acme/counter"


@pytest.fixture(scope="module")
def counter_home(unit, tmp_path_factory) -> Path:
    """A home with both versions of the counter, the first of them active."""
    folder = tmp_path_factory.mktemp("trials")
    init(folder / "home")
    with Kernel.open(folder / "home", serve=False) as kernel:
        for version in VERSIONS:
            shutil.copytree(unit("counter"), folder / version)
            manifest = folder / version / "unit.toml"
            manifest.write_text(manifest.read_text().replace('version = "1.0.0"', f'version = "{version}"'))
            kernel.install(str(folder / version), allow_unsigned=True)
        kernel.apply(kernel.plan(add=[f"{COUNTER}@=1.0.0"]), consent=True)
    return folder / "home"


class Lives(RuleBasedStateMachine):
    template: Path

    @initialize()
    def start(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="remit-trials-", dir=MEMORY))
        shutil.copytree(self.template, self.folder / "home")
        self.kernel = Kernel.open(self.folder / "home", serve=False)
        self.active = "1.0.0"
        self.trial = ""
        self.share = 0
        self.count = 0
        self.branch: int | None = None
        self.wrote = False
        self.calls = {"base": 0, "trial": 0}

    @precondition(lambda self: not self.trial)
    @rule(share=st.integers(1, WHOLE))
    def begin(self, share: int) -> None:
        [other] = [version for version in VERSIONS if version != self.active]
        terms = Terms(share=share, errors=WHOLE)
        generation = self.kernel.apply(self.kernel.plan(trial=[f"{COUNTER}@={other}"], terms=terms), consent=True)
        [trial] = generation.trials
        self.trial, self.share, self.branch, self.wrote = trial.id, share, self.count, False
        self.calls = {"base": 0, "trial": 0}

    @precondition(lambda self: self.trial)
    @rule(share=st.integers(1, WHOLE))
    def adjust(self, share: int) -> None:
        self.kernel.apply(self.kernel.plan(trial=[COUNTER], terms=Terms(share=share, errors=WHOLE)))
        self.share = share

    @rule(number=st.integers(0, 200))
    def call(self, number: int) -> None:
        caller = Caller(correlation=f"e{number}")
        taken = bool(self.trial) and lot(self.trial, caller.correlation) < self.share
        if taken:
            assert self.branch is not None
            self.branch += 1
            self.wrote = True
        else:
            self.count += 1
        self.calls["trial" if taken else "base"] += 1
        outcome = self.kernel.call_text("acme/counter:increment", "null", caller=caller)
        assert outcome.output == {"count": self.branch if taken else self.count}

    @precondition(lambda self: self.trial)
    @rule(keep=st.booleans())
    def promote(self, keep: bool) -> None:
        plan = self.kernel.plan(promote=[COUNTER], keep_state=keep, override="a test")
        generation = self.kernel.apply(plan, consent=True)
        assert generation.units == plan.candidate.units
        [self.active] = [version for version in VERSIONS if version != self.active]
        if keep and self.wrote:
            assert self.branch is not None
            self.count = self.branch
        self.trial, self.branch = "", None

    @precondition(lambda self: self.trial)
    @rule()
    def end(self) -> None:
        self.kernel.revert(COUNTER)
        self.trial, self.branch = "", None

    @rule()
    def restart(self) -> None:
        self.kernel.close()
        self.kernel = Kernel.open(self.folder / "home", serve=False)

    @invariant()
    def the_generation_is_the_models(self) -> None:
        generation = self.kernel.history()[-1]
        assert [unit.ref.version for unit in generation.units] == [self.active]
        assert [trial.id for trial in generation.trials] == ([self.trial] if self.trial else [])
        assert len(generation.grants) == (2 if self.trial else 1)

    @invariant()
    def every_call_is_counted_for_its_arm(self) -> None:
        found: list[dict[str, Any]] = self.kernel.state("experiments")
        if self.trial:
            [one] = [one for one in found if one["id"] == self.trial]
            assert {arm: one[arm]["calls"] for arm in self.calls} == self.calls

    @invariant()
    def the_table_is_what_the_journal_says(self) -> None:
        journal = self.kernel._rooms.journal
        assert sorted(journal.execute("SELECT * FROM unit_state")) == sorted(rebuild(journal))

    def teardown(self) -> None:
        self.kernel.close()
        shutil.rmtree(self.folder)


def test_a_trial_is_two_counters_until_one_is_kept(counter_home: Path) -> None:
    machine = type("Lives", (Lives,), {"template": counter_home})
    run_state_machine_as_test(machine, settings=settings(max_examples=SEQUENCES, stateful_step_count=25))
