"""Budgets against a plain model: any order of uses, time, activations and restarts gives what the model gives."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from remit.errors import LeaseDenied, LeaseExhausted
from remit.kernel.model import Budget

SEQUENCES = 15 * int(os.environ.get("REMIT_SOAK", "1"))
WINDOW = 60_000
CALLS, BYTES = 5, 100
TOPICS = ("alpha", "beta")


class Budgets(RuleBasedStateMachine):
    new_world = None

    def __init__(self):
        super().__init__()
        self.world = self.new_world()
        self.unit = self.world.unit()
        budget = Budget(WINDOW, calls=CALLS, bytes=BYTES)
        self.grants = {topic: self.world.grant(self.unit, "events:emit", topic, budget=budget) for topic in TOPICS}
        self.authority = self.world.started(*self.grants.values())
        self.active = set(TOPICS)
        self.revoked = set()
        self.spent = {}  # (topic, window): [calls, bytes]
        self.blurred = set()  # (topic, window) where a crash cost up to a block that nothing has shown yet

    def window(self, topic):
        """The latest window in which the topic was charged, or today's if that is later."""
        charged = [window for one, window in self.spent if one == topic]
        return max([self.world.clock.wall // WINDOW, *charged])

    @rule(topic=st.sampled_from(TOPICS), calls=st.integers(0, 3), nbytes=st.integers(0, 60))
    def use(self, topic, calls, nbytes):
        window = self.window(topic)
        spent = self.spent.get((topic, window), [0, 0])
        standing = topic in self.active and topic not in self.revoked
        fits = spent[0] + calls <= CALLS and spent[1] + nbytes <= BYTES
        if not standing:
            with pytest.raises(LeaseDenied):
                self.authority.use(self.unit, "events:emit", topic, calls=calls, nbytes=nbytes)
        elif not fits:
            with pytest.raises(LeaseExhausted):
                self.authority.use(self.unit, "events:emit", topic, calls=calls, nbytes=nbytes)
        else:
            grant = self.authority.use(self.unit, "events:emit", topic, calls=calls, nbytes=nbytes)
            assert grant == self.grants[topic]
            self.spent[topic, window] = [spent[0] + calls, spent[1] + nbytes]

    @rule(ms=st.integers(0, 2 * WINDOW))
    def time_passes(self, ms):
        self.world.clock.advance(ms)

    @rule(ms=st.integers(0, 3 * WINDOW))
    def the_wall_clock_is_set_back(self, ms):
        self.world.clock.wall -= ms

    @rule(topics=st.sets(st.sampled_from(TOPICS)))
    def a_generation_is_applied(self, topics):
        self.authority.activate([self.unit], [self.grants[topic] for topic in sorted(topics)])
        self.active = topics
        # An account that nobody holds is let go when its window is over; if the clock comes back, its block is lost.
        over = {(topic, window) for topic, window in self.spent if window < self.world.clock.wall // WINDOW}
        self.blurred |= {(topic, window) for topic, window in over if topic not in topics}

    @rule()
    def the_process_restarts(self):
        self.authority.settle()
        self._start()

    @rule()
    def the_process_crashes(self):
        """What was reserved counts as used: never more is left than the model says, and at most a block less."""
        active, self.active = self.active, set(TOPICS)
        self._start()
        # The loss is in the window that was charged last, which may be over: it shows when that window is asked for.
        self.blurred |= {(topic, max(w for one, w in self.spent if one == topic)) for topic, _ in self.spent}
        self._look()
        self.a_generation_is_applied(active)

    def _look(self):
        """Learn what a crash cost, where it shows: at most a block, and never less than nothing."""
        for status in self.authority.grants():
            topic = status.grant.capability.resource
            place = (topic, self.window(topic))
            if place in self.blurred:
                spent = self.spent[place]
                lost = (CALLS - spent[0] - status.calls_left, BYTES - spent[1] - status.bytes_left)
                assert 0 <= lost[0] <= CALLS // 8
                assert 0 <= lost[1] <= BYTES // 8
                self.spent[place] = [spent[0] + lost[0], spent[1] + lost[1]]
                self.blurred.discard(place)

    def _start(self):
        self.authority = self.world.authority()
        self.authority.activate([self.unit], [self.grants[topic] for topic in sorted(self.active)])

    @rule(topic=st.sampled_from(TOPICS))
    def a_grant_is_revoked(self, topic):
        if topic in self.active and len(self.revoked) == 0:
            self.authority.revoke(self.grants[topic].id)
            self.world.journal.say("grant.revoked", {"id": self.grants[topic].id})
            self.revoked.add(topic)

    @invariant()
    def what_is_left_is_what_the_model_says(self):
        self._look()
        for status in self.authority.grants():
            topic = status.grant.capability.resource
            spent = self.spent.get((topic, self.window(topic)), [0, 0])
            assert (status.calls_left, status.bytes_left) == (CALLS - spent[0], BYTES - spent[1])
            assert status.state == ("revoked" if topic in self.revoked else "standing")


def test_budgets_follow_the_model_through_time_activations_and_restarts(new_world):
    # Hypothesis makes the machine anew for each example, and fixtures cannot reach into that.
    machine = type("BudgetsOfOneWorld", (Budgets,), {"new_world": staticmethod(new_world)})
    run_state_machine_as_test(machine, settings=settings(max_examples=SEQUENCES, stateful_step_count=30, deadline=None))
