"""Leases against a fresh decision of plain Cedar at each use, through random policies, grants, facts, time and crashes.

Grants are delegated, budgets of every kind are held and settled, versions are killed. The suite must notice each of the
planted faults. ``REMIT_SOAK=10`` runs a million steps.
"""

from __future__ import annotations

import os

import pytest

from tests.policy.soundness.book import UnsoundError
from tests.policy.soundness.driver import histories
from tests.policy.soundness.faults import MUTANTS
from tests.policy.soundness.pool import Pool

SOAK = int(os.environ.get("REMIT_SOAK", "1"))
STEPS = 5_000 if SOAK == 1 else 100_000 * SOAK
MUTANT_STEPS = 100_000


@pytest.fixture(scope="module")
def pool():
    return Pool()


@pytest.fixture(autouse=True)
def small_sets_are_sliced_too(monkeypatch):
    monkeypatch.setattr("remit.policy.sets.engine._SMALL", 0)


def test_every_use_that_is_allowed_is_one_that_cedar_allows_now(new_world, pool, record_property):
    record_property("random steps", STEPS)
    seen = histories(new_world, pool, STEPS, 0)
    # The histories must not be trivial.
    assert min(seen["allowed"], seen["denied"]) > STEPS // 20
    assert min(seen["exhausted"], seen["delegated"], seen["held"]) > STEPS // 1_000
    assert seen["not held"]


@pytest.mark.parametrize("fault", sorted(MUTANTS))
def test_a_planted_fault_is_noticed(new_world, pool, monkeypatch, fault):
    MUTANTS[fault](monkeypatch)
    with pytest.raises(UnsoundError):
        histories(new_world, pool, MUTANT_STEPS, 1_000)
