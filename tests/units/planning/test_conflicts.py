"""Units that stand in each other's way: places written twice, ground that goes with a unit, circles of needs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.errors import PlanBlocked
from remit.host import Kernel
from remit.kernel.model import UnitRef
from remit.units.generations.documents import pointers
from remit.units.generations.generation import ActiveUnit
from remit.units.manifest import Patch
from remit.units.planning.conflicts import overlaps

Install = Callable[[Path], str]

paths = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=3)


def writing(name: str, *places: list[str]) -> ActiveUnit:
    operations = [{"op": "add", "path": "/" + "/".join(place), "value": 1} for place in places]
    ref = UnitRef(f"acme/{name}", "1.0.0", f"sha256:{name}", "config", "local")
    return ActiveUnit(ref, "*", {}, (), {}, "", (Patch(target="assistant", op="json-patch", value=operations),))


def related(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")


@given(st.lists(st.lists(paths, min_size=1, max_size=3), min_size=1, max_size=5))
def test_a_place_is_told_exactly_when_an_earlier_unit_wrote_it_or_above_or_below(places) -> None:
    units = [writing(f"u{index}", *mine) for index, mine in enumerate(places)]
    expected = set()
    for index, unit in enumerate(units):
        earlier = [at for other in units[:index] for patch in other.patches for at in pointers(patch)]
        mine = {at for patch in unit.patches for at in pointers(patch)}
        expected |= {(unit.ref.id, at) for at in mine if any(related(at, other) for other in earlier)}
    found = {(f.unit, f.message.split()[1].removeprefix("assistant").rstrip(",")) for f in overlaps(units)}
    assert found == expected


def test_an_overlap_names_the_other_unit_and_what_to_do(kernel: Kernel, author, install: Install) -> None:
    install(author.config("acme/one", "{ style = { tone = 'warm' } }"))
    install(author.config("acme/two", "{ style = 'none' }"))
    [finding] = kernel.plan(add=["acme/one", "acme/two"]).findings
    assert finding.severity == "warning"
    assert "acme/one" in finding.message
    assert finding.remedy


@pytest.mark.parametrize("length", [2, 3])
def test_a_circle_of_needs_blocks_and_is_shown_whole(kernel: Kernel, author, install: Install, length: int) -> None:
    names = [f"acme/u{index}" for index in range(length)]
    for name, needed in zip(names, [*names[1:], names[0]], strict=True):
        install(author.config(name, "{ a = 1 }", more=f'[requires.units]\n"{needed}" = "*"'))
    circles = [f for f in kernel.plan(add=names).findings if f.id == "requires.circle"]
    assert len(circles) == 1
    assert circles[0].severity == "blocking"
    assert all(name in circles[0].message for name in names)


def test_needs_that_meet_in_one_unit_are_no_circle(kernel: Kernel, author, install: Install) -> None:
    install(author.config("acme/base", "{ a = 1 }"))
    for name in ("acme/left", "acme/right"):
        install(author.config(name, f"{{ {name[5:]} = 1 }}", more='[requires.units]\n"acme/base" = "*"'))
    install(author.config("acme/top", "{ t = 1 }", more='[requires.units]\n"acme/left" = "*"\n"acme/right" = "*"'))
    assert not kernel.plan(add=["acme/base", "acme/left", "acme/right", "acme/top"]).blocking


# ---- removing what others built on ----


def test_a_patch_that_fails_without_the_removed_unit_blocks(kernel: Kernel, author, install: Install) -> None:
    install(author.config("acme/base", "{ list = ['x'] }"))
    body = 'target = "assistant"\nop = "json-patch"\nvalue = [{ op = "add", path = "/list/-", value = "y" }]'
    install(author.config("acme/more", body))
    kernel.apply(kernel.plan(add=["acme/base", "acme/more"]))
    plan = kernel.plan(remove=["acme/base"])
    assert [(f.id, f.unit) for f in plan.blocking] == [("patch.failed", "acme/more")]
    assert plan.blocking[0].remedy
    with pytest.raises(PlanBlocked):
        kernel.apply(plan)


def test_a_patch_that_would_copy_another_value_blocks(kernel: Kernel, author, install: Install) -> None:
    install(author.config("acme/base", "{ model = 'huge' }"))
    body = 'target = "assistant"\nop = "json-patch"\nvalue = [{ op = "copy", from = "/model", path = "/fallback" }]'
    install(author.config("acme/copy", body))
    kernel.apply(kernel.plan(add=["acme/base", "acme/copy"]))
    [finding] = kernel.plan(remove=["acme/base"]).blocking
    assert (finding.id, finding.unit) == ("patch.meaning", "acme/copy")
    assert "/model" in finding.message


def test_who_writes_into_what_the_removed_unit_made_is_told(kernel: Kernel, author, install: Install) -> None:
    install(author.config("acme/base", "{ style = { tone = 'warm' } }"))
    install(author.config("acme/more", "{ style = { length = 'short' } }"))
    kernel.apply(kernel.plan(add=["acme/base", "acme/more"]))
    [finding] = kernel.plan(remove=["acme/base"]).findings
    assert (finding.id, finding.severity, finding.unit) == ("patch.ground", "warning", "acme/more")
    assert "acme/base" in finding.message


def test_removing_what_nobody_built_on_finds_nothing(kernel: Kernel, author, install: Install) -> None:
    install(author.config("acme/base", "{ x = 1 }"))
    install(author.config("acme/more", "{ guards = { y = true } }"))
    kernel.apply(kernel.plan(add=["acme/base", "acme/more"]))
    assert kernel.plan(remove=["acme/base"]).findings == ()
