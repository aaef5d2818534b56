"""Slots: one filler or many, promotion, schemas of the action, suggestions for what is empty."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import tomlkit

from remit.errors import ConfigInvalid, PlanBlocked, SlotUnknown, UsageError
from remit.host import Kernel

Install = Callable[[Path], str]
FILLS = '[[fills]]\nslot = "guard"\naction = "echo"'


@pytest.fixture(autouse=True)
def slot(home: Path) -> None:
    with (home / "remit.toml").open("a") as file:
        file.write("\n[slot.guard]\nmany = false\n")


def declare(home: Path, more: str) -> None:
    path = home / "remit.toml"
    path.write_text(path.read_text().replace("[slot.guard]\n", f"[slot.guard]\n{more}\n"))


def filling(kernel: Kernel) -> tuple[str, ...]:
    [view] = kernel.slots()
    return view.units


def suggested(kernel: Kernel) -> list[tuple[str, str]]:
    found = [record["event"]["data"] for record in kernel.events(prefixes=["unit.suggested"])]
    return [(data["slot"], data["unit"]) for data in found]


# ---- binding ----


def test_a_promoted_unit_takes_an_exclusive_slot_and_the_other_stays_active(
    kernel: Kernel, home: Path, author, install: Install
) -> None:
    for name in ("acme/one", "acme/two"):
        install(author.tool(name, more=FILLS))
    kernel.apply(kernel.plan(add=["acme/one"]))
    plan = kernel.plan(bind={"guard": "acme/two"})
    assert [(change.unit, change.change) for change in plan.units] == [("acme/one", "rebind"), ("acme/two", "add")]
    kernel.apply(plan)
    assert filling(kernel) == ("acme/two",)
    assert {unit.ref.id for unit in kernel.history()[-1].units} == {"acme/one", "acme/two"}
    wanted = {unit["id"]: unit for unit in tomlkit.parse((home / "remit.toml").read_text()).unwrap()["unit"]}
    assert wanted["acme/one"]["slots"] == {"guard": False}
    assert "slots" not in wanted["acme/two"]
    kernel.apply(kernel.plan(bind={"guard": "acme/one"}))
    assert filling(kernel) == ("acme/one",)


def test_a_promotion_is_undone_like_any_change(kernel: Kernel, author, install: Install) -> None:
    for name in ("acme/one", "acme/two"):
        install(author.tool(name, more=FILLS))
    kernel.apply(kernel.plan(add=["acme/one"]))
    kernel.apply(kernel.plan(bind={"guard": "acme/two"}))
    kernel.revert()
    assert filling(kernel) == ("acme/one",)


def test_a_slot_for_many_keeps_who_was_there(kernel: Kernel, home: Path, author, install: Install) -> None:
    path = home / "remit.toml"
    path.write_text(path.read_text().replace("many = false", "many = true"))
    for name in ("acme/one", "acme/two"):
        install(author.tool(name, more=FILLS))
    kernel.apply(kernel.plan(add=["acme/one"]))
    kernel.apply(kernel.plan(bind={"guard": "acme/two"}))
    assert filling(kernel) == ("acme/one", "acme/two")


def test_an_undeclared_slot_and_a_unit_that_does_not_fill_it_are_refused(
    kernel: Kernel, author, install: Install
) -> None:
    install(author.tool("acme/one"))
    with pytest.raises(SlotUnknown):
        kernel.plan(bind={"other": "acme/one"})
    with pytest.raises(UsageError, match="no action that fills"):
        kernel.plan(bind={"guard": "acme/one"})


# ---- schemas ----


def authored(author, output: dict[str, object]) -> Path:
    folder = author.tool("acme/one", more=FILLS)
    text = (folder / "unit.toml").read_text()
    (folder / "unit.toml").write_text(text.replace('name = "echo"', 'name = "echo"\noutput = "out.json"'))
    (folder / "out.json").write_text(json.dumps(output))
    return folder


def test_a_filler_that_answers_otherwise_blocks(kernel: Kernel, home: Path, author, install: Install) -> None:
    declare(home, 'output = { type = "object", required = ["verdict"] }')
    install(authored(author, {"type": "object"}))
    plan = kernel.plan(add=["acme/one"])
    [finding] = plan.blocking
    assert finding.id == "slot.schema"
    assert "verdict may be missing" in finding.message
    with pytest.raises(PlanBlocked):
        kernel.apply(plan)


def test_a_filler_that_fits_is_taken(kernel: Kernel, home: Path, author, install: Install) -> None:
    declare(home, 'output = { type = "object", required = ["verdict"] }\ninput = { type = "object" }')
    install(authored(author, {"type": "object", "required": ["verdict", "why"]}))
    assert kernel.plan(add=["acme/one"]).findings == ()


def test_a_slots_schema_may_lie_in_a_file_of_the_home(kernel: Kernel, home: Path, author, install: Install) -> None:
    declare(home, 'output = "guard.json"')
    install(authored(author, {"type": "object"}))
    with pytest.raises(ConfigInvalid, match="guard"):
        kernel.plan(add=["acme/one"])
    (home / "guard.json").write_text('{"type": "object"}')
    assert kernel.plan(add=["acme/one"]).findings == ()


def test_a_schema_that_is_none_names_where_it_is_declared(kernel: Kernel, home: Path) -> None:
    with (home / "remit.toml").open("a") as file:
        file.write('\n[document.routing.schema]\ntype = "nothing"\n')
    with pytest.raises(ConfigInvalid, match="document 'routing'"):
        kernel.plan()


# ---- empty slots ----


def test_what_is_installed_and_could_fill_an_empty_slot_is_suggested(kernel: Kernel, author, install: Install) -> None:
    install(author.tool("acme/one", more=FILLS))
    install(author.tool("acme/other"))
    assert suggested(kernel) == [("guard", "acme/one")]
    [view] = kernel.slots()
    assert (view.units, view.suggestions) == ((), ("acme/one@1.0.0",))


def test_nothing_is_suggested_for_a_slot_that_is_filled(kernel: Kernel, author, install: Install) -> None:
    install(author.tool("acme/one", more=FILLS))
    kernel.apply(kernel.plan(add=["acme/one"]))
    install(author.tool("acme/two", more=FILLS))
    assert suggested(kernel) == [("guard", "acme/one")]


def test_a_slot_that_becomes_empty_is_told_and_gets_suggestions(kernel: Kernel, author, install: Install) -> None:
    install(author.tool("acme/one", more=FILLS))
    install(author.tool("acme/two", more=FILLS))
    kernel.apply(kernel.plan(add=["acme/one"]))
    before = len(suggested(kernel))
    plan = kernel.plan(remove=["acme/one"])
    assert [finding.id for finding in plan.findings] == ["slot.empty"]
    kernel.apply(plan)
    assert suggested(kernel)[before:] == [("guard", "acme/one"), ("guard", "acme/two")]
