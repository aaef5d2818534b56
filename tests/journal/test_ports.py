"""Ids sort by the time of their making and do not repeat."""

from __future__ import annotations

import os
import re

from remit.journal import SystemClock, SystemIds
from remit.journal.event import timestamp
from tests.journal.simulators import SimClock


def test_ids_are_ulids_that_sort_by_time():
    clock = SimClock()
    ids = SystemIds(clock)
    made = []
    for _ in range(3_000):
        made.append(ids.new())
        clock.advance(1)
    assert made == sorted(made)
    assert len(set(made)) == 3_000
    assert all(re.fullmatch("[0-7][0-9A-HJKMNP-TV-Z]{25}", one) for one in made)


def test_ids_of_one_millisecond_differ():
    ids = SystemIds(SimClock())
    assert len({ids.new() for _ in range(1_000)}) == 1_000
    assert len(ids.random(32)) == 32 != ids.random(32)


def test_a_forked_child_draws_ids_of_its_own(tmp_path):
    ids = SystemIds(SimClock())
    ids.new()
    child = os.fork()
    if child == 0:
        (tmp_path / "ids").write_text("\n".join(ids.new() for _ in range(100)))
        os._exit(0)
    os.waitpid(child, 0)
    theirs = (tmp_path / "ids").read_text().split()
    assert len({*theirs, *(ids.new() for _ in range(100))}) == 200


def test_the_monotonic_clock_never_goes_back():
    clock = SystemClock()
    looks = [clock.monotonic_ns() for _ in range(100)]
    assert looks == sorted(looks)


def test_times_are_rfc_3339_in_utc_with_milliseconds():
    assert timestamp(1_800_000_000_007) == "2027-01-15T08:00:00.007Z"
