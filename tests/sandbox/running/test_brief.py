"""Who is tried for a moment on an event loop: those that need more are tried less and less."""

from __future__ import annotations

import pytest

from remit.sandbox.running.brief import Tries

KIND, OTHER = ("sha256:a", "provider.call", "act"), ("sha256:a", "provider.call", "other")


def rests(tries, count):
    """How many calls go by before each of so many tries, all of them in vain."""
    between = []
    for _ in range(count):
        between.append(0)
        while not tries.worth(KIND):
            between[-1] += 1
        tries.failed(KIND)
    return between


@pytest.mark.parametrize(
    ("first", "longest", "between"),
    [(1, 128, [0, 1, 2, 4, 8, 16, 32, 64, 128, 128]), (128, 1 << 11, [0, 128, 256, 512, 1024, 2048, 2048])],
)
def test_who_needs_more_again_and_again_is_tried_less_and_less(first, longest, between):
    assert rests(Tries(first, longest), len(between)) == between


def test_who_was_brief_again_is_tried_at_once():
    tries = Tries(1, 128)
    rests(tries, 5)
    tries.succeeded(KIND)
    assert tries.worth(KIND)


def test_each_brief_call_makes_up_for_one_call_of_rest():
    tries = Tries(8, 1024)
    tries.failed(KIND)
    for _ in range(3):
        tries.succeeded(KIND)
    assert rests(tries, 2) == [0, 10]


def test_one_action_does_not_answer_for_another():
    tries = Tries(1, 128)
    rests(tries, 5)
    assert tries.worth(OTHER)
