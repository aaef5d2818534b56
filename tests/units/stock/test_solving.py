"""The resolver's answer meets every range, exists whenever one does, and changes only where it must."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.errors import UnitsUnresolved
from remit.kernel.model import Release
from remit.schemas.versions import Version, in_range
from remit.units.stock.solving import solve

NAMES = ("a/a", "a/b", "a/c", "a/d")
VERSIONS = ("1.0.0", "1.1.0", "2.0.0", "2.1.0-rc.1")
RANGES = ("*", "^1.0.0", "^2.0.0", ">=1.1.0", "<2.0.0", "=2.1.0-rc.1")


def digest(name, version):
    return f"sha256:{name}-{version}"


@st.composite
def worlds(draw):
    world = {}
    for name in NAMES:
        for version in draw(st.sets(st.sampled_from(VERSIONS))):
            others = st.sampled_from([other for other in NAMES if other != name])
            requires = draw(st.dictionaries(others, st.sampled_from(RANGES), max_size=2))
            mark = draw(st.sampled_from(["", "", "", "yanked", "killed"]))
            world.setdefault(name, []).append(
                Release(name, version, digest(name, version), "there", requires, mark, "")
            )
    return world


wanted = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(RANGES), min_size=1, max_size=3)


def fits(chosen, needs):
    """Whether a choice, by unit, meets what is wanted and what it needs itself, and holds nothing else."""
    reached, todo = set(), list(needs.items())
    while todo:
        name, text = todo.pop()
        if name not in chosen or not in_range(chosen[name].version, text):
            return False
        if name not in reached:
            reached.add(name)
            todo += chosen[name].requires.items()
    return True


def some_choice_fits(world, needs):
    options = [[None, *(one for one in world.get(name, []) if not one.withdrawn)] for name in NAMES]
    return any(
        fits({one.id: one for one in combination if one is not None}, needs)
        for combination in itertools.product(*options)
    )


@given(worlds(), wanted)
def test_an_answer_meets_every_range_and_there_is_one_whenever_one_exists(world, needs):
    try:
        chosen = {one.id: one for one in solve(needs, lambda name: world.get(name, []), {})}
    except UnitsUnresolved:
        assert not some_choice_fits(world, needs)
    else:
        assert fits(chosen, needs)
        assert not any(one.withdrawn for one in chosen.values())


@given(worlds(), wanted)
def test_what_was_chosen_before_is_chosen_again(world, needs):
    try:
        first = solve(needs, lambda name: world.get(name, []), {})
    except UnitsUnresolved:
        return
    held = {one.id: one.digest for one in first}
    newer = {name: [*found, Release(name, "3.0.0", digest(name, "3.0.0"), "there")] for name, found in world.items()}
    assert solve(needs, lambda name: newer.get(name, []), held) == first


@given(worlds(), wanted)
def test_what_is_needed_comes_before_what_needs_it(world, needs):
    try:
        order = [one.id for one in solve(needs, lambda name: world.get(name, []), {})]
    except UnitsUnresolved:
        return
    chosen = {one.id: one for one in solve(needs, lambda name: world.get(name, []), {})}
    edges = {(name, other) for name, one in chosen.items() for other in one.requires}
    if not any(reaches(edges, name, name) for name in chosen):
        assert all(order.index(other) < order.index(name) for name, other in edges)


def reaches(edges, start, goal):
    seen, todo = set(), [start]
    while todo:
        at = todo.pop()
        for name, other in edges:
            if name == at and other not in seen:
                seen.add(other)
                todo.append(other)
    return goal in seen


def test_the_best_version_is_taken_where_nothing_is_held():
    world = [Release("a/a", version, digest("a/a", version), "there") for version in VERSIONS]
    [chosen] = solve({"a/a": "*"}, lambda _name: world, {})
    assert chosen.version == max((one for one in VERSIONS if "-" not in one), key=Version)


def test_a_refusal_says_who_needs_what_and_what_there_is():
    world = {
        "a/a": [Release("a/a", "1.0.0", "sha256:1", "there", {"a/c": "^2.0.0"})],
        "a/b": [Release("a/b", "1.0.0", "sha256:2", "there", {"a/c": "^1.0.0"})],
        "a/c": [Release("a/c", version, f"sha256:{version}", "there") for version in ("1.0.0", "2.0.0")],
    }
    with pytest.raises(UnitsUnresolved) as caught:
        solve({"a/a": "*", "a/b": "*"}, lambda name: world.get(name, []), {})
    assert "a/a@1.0.0 needs a/c ^2.0.0" in caught.value.message
    assert "a/b@1.0.0 needs a/c ^1.0.0" in caught.value.message
    assert "a/c has 2.0.0, 1.0.0" in caught.value.message


def test_a_chain_of_a_thousand_units_is_resolved():
    world = {
        f"a/u{index}": [Release(f"a/u{index}", "1.0.0", f"sha256:{index}", "there", {f"a/u{index + 1}": "^1.0.0"})]
        for index in range(1_000)
    }
    world["a/u1000"] = [Release("a/u1000", "1.0.0", "sha256:1000", "there")]
    order = [one.id for one in solve({"a/u0": "*"}, lambda name: world.get(name, []), {})]
    assert order == [f"a/u{index}" for index in range(1_000, -1, -1)]
