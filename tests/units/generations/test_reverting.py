"""Going back: the last change, a generation, one unit; and the operator's file with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from remit.errors import (
    GenerationUnknown,
    NothingToRevert,
    PlanStale,
    RemitError,
    UsageError,
)
from remit.host import Kernel

EMIT = 'action = "events:emit"\nresource = "ticket.created"\nreason = "tell"'
HTTP = 'action = "net:http"\nresource = "https://api.example.com"\nmethods = ["GET"]\nreason = "look up"'

Install = Callable[[Path], str]


def edit(home: Path, old: str, new: str) -> None:
    path = home / "remit.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


# ---- going back ----


def test_undo_walks_back_change_by_change(kernel: Kernel, author, install: Install) -> None:
    install(author.config("acme/one", "{ a = 1 }"))
    install(author.config("acme/two", "{ b = 1 }"))
    kernel.apply(kernel.plan(add=["acme/one"]))
    kernel.apply(kernel.plan(add=["acme/two"]))
    base = {"model": "small", "guards": {}}
    kernel.revert()
    assert kernel.document("assistant") == base | {"a": 1}
    kernel.revert()
    assert kernel.document("assistant") == base
    with pytest.raises(NothingToRevert):
        kernel.revert()


def test_reverting_one_unit_leaves_the_others(kernel: Kernel, author, install: Install) -> None:
    install(author.config("acme/one", "{ a = 1 }"))
    install(author.config("acme/two", "{ b = 1 }"))
    kernel.apply(kernel.plan(add=["acme/one", "acme/two"]))
    kernel.revert("acme/one")
    assert kernel.document("assistant") == {"model": "small", "guards": {}, "b": 1}


def test_revert_then_apply_again_gives_everything_back(kernel: Kernel, author, install: Install) -> None:
    install(author.tool("acme/tool", HTTP, schema={"type": "object"}))
    install(author.config("acme/one", "{ a = 1 }"))
    edits = {"add": ["acme/one", "acme/tool"], "set": {"acme/tool.mask": "#"}}
    first = kernel.apply(kernel.plan(**edits), consent=True)
    kernel.revert(consent=True)
    again = kernel.revert("1", consent=True)
    assert (again.units, again.documents) == (first.units, first.documents)


def test_a_revert_is_decided_by_todays_policy(kernel: Kernel, home: Path, author, install: Install) -> None:
    install(author.tool("acme/tool", EMIT))
    kernel.apply(kernel.plan(add=["acme/tool"]), consent=True)
    kernel.revert()
    kernel.close()
    (home / "policy" / "quiet.cedar").write_text(
        '@id("quiet")\nforbid (principal, action == Remit::Action::"events:emit", resource);\n'
    )
    with Kernel.open(home, serve=False) as again:
        assert [f.id for f in again.plan(revert="1").blocking] == ["capability.denied"]


def test_a_generation_whose_unit_is_gone_cannot_come_back(kernel: Kernel, author, install: Install) -> None:
    install(author.config("acme/one", "{ a = 1 }"))
    kernel.apply(kernel.plan(add=["acme/one"]))
    kernel.revert()
    kernel.uninstall("acme/one")
    assert [f.id for f in kernel.plan(revert="1").blocking] == ["unit.unresolved"]


def test_an_unknown_generation_is_an_error(kernel: Kernel) -> None:
    with pytest.raises(GenerationUnknown):
        kernel.plan(revert="99")


# ---- the operator's file ----


@pytest.mark.parametrize("value", [float("inf"), {"a": {"b": None}}, [None]])
def test_a_parameter_that_the_file_cannot_say_is_refused_before_anything_happens(
    kernel: Kernel, author, install: Install, value: object
) -> None:
    install(author.tool("acme/tool", schema={"type": "object"}))
    with pytest.raises(RemitError):
        kernel.apply(kernel.plan(add=["acme/tool"], set={"acme/tool.k": value}))
    assert kernel.home().generation == 0
    assert not kernel.plan().changed


def test_a_parameter_nested_beyond_the_files_bound_is_refused_before_the_commit(
    kernel: Kernel, author, install: Install
) -> None:
    value: object = 1
    for _ in range(70):
        value = {"a": value}
    install(author.tool("acme/tool", schema={"type": "object"}))
    with pytest.raises(RemitError):
        kernel.apply(kernel.plan(add=["acme/tool"], set={"acme/tool.k": value}))
    assert kernel.home().generation == 0


def test_true_is_not_one(kernel: Kernel, author, install: Install) -> None:
    install(author.tool("acme/tool", schema={"type": "object"}))
    kernel.apply(kernel.plan(add=["acme/tool"], set={"acme/tool.k": True}))
    kernel.apply(kernel.plan(set={"acme/tool.k": 1}))
    assert kernel.history()[-1].units[0].parameters["k"] is not True


def test_an_edit_while_an_apply_compiles_is_not_lost(
    kernel: Kernel, home: Path, author, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(author.tool("acme/tool"))
    runner = kernel._rooms.runner
    prepare = runner.prepare

    def slow(*arguments: object, **options: object) -> None:
        edit(home, 'model = "small"', 'model = "edited"')
        prepare(*arguments, **options)

    plan = kernel.plan(add=["acme/tool"])
    monkeypatch.setattr(runner, "prepare", slow)
    with pytest.raises(PlanStale, match="edited"):
        kernel.apply(plan)
    assert 'model = "edited"' in (home / "remit.toml").read_text()


def test_slots_and_pins_come_back_with_a_revert(kernel: Kernel, home: Path, author, install: Install) -> None:
    with (home / "remit.toml").open("a") as file:
        file.write("\n[slot.guard]\nmany = true\n")
    install(author.tool("acme/tool", more='[[fills]]\nslot = "guard"\naction = "echo"'))
    kernel.apply(kernel.plan(add=["acme/tool"]))
    edit(home, 'id = "acme/tool"', 'id = "acme/tool"\nslots = { guard = false }')
    kernel.apply(kernel.plan())
    kernel.revert()
    assert "guard = false" not in (home / "remit.toml").read_text()
    assert not kernel.plan().changed
    kernel.revert("2")
    assert kernel.history()[-1].units[0].slots == ()


def test_units_written_inline_keep_their_slots(kernel: Kernel, home: Path, author, install: Install) -> None:
    install(author.tool("acme/tool", more='[[fills]]\nslot = "guard"\naction = "echo"'))
    install(author.config("acme/tone", "{ a = 1 }"))
    text = (home / "remit.toml").read_text()
    inline = 'unit = [{ id = "acme/tool", slots = { guard = false } }]\n'
    (home / "remit.toml").write_text(text.replace("[policy]", f"{inline}\n[slot.guard]\n\n[policy]", 1))
    kernel.apply(kernel.plan(add=["acme/tone"]))
    assert not kernel.plan().changed
    assert kernel.history()[-1].units[0].slots == ()


def test_a_document_that_was_taken_out_comes_back_with_a_revert(
    kernel: Kernel, home: Path, author, install: Install
) -> None:
    with (home / "remit.toml").open("a") as file:
        file.write("\n[document.routing]\nbase = { a = 1 }\n")
    install(author.config("acme/tone", "{ a = 1 }"))
    kernel.apply(kernel.plan(add=["acme/tone"]))
    edit(home, "\n[document.routing]\nbase = { a = 1 }\n", "\n")
    kernel.apply(kernel.plan())
    kernel.revert()
    assert kernel.document("routing") == {"a": 1}
    assert not kernel.plan().changed


def test_a_linked_file_stays_a_link(kernel: Kernel, home: Path, tmp_path: Path, author, install: Install) -> None:
    real = tmp_path / "elsewhere.toml"
    (home / "remit.toml").rename(real)
    (home / "remit.toml").symlink_to(real)
    install(author.config("acme/tone", "{ a = 1 }"))
    kernel.apply(kernel.plan(add=["acme/tone"]))
    assert (home / "remit.toml").is_symlink()
    assert 'id = "acme/tone"\nversion' in real.read_text()


def test_going_back_to_nothing_in_particular_is_a_usage_error(kernel: Kernel) -> None:
    with pytest.raises(UsageError):
        kernel.revert("")


def test_what_was_delegated_to_a_unit_is_not_its_own(kernel: Kernel, author, install: Install) -> None:
    install(author.tool("acme/giver", HTTP))
    install(author.tool("acme/taker"))
    kernel.apply(kernel.plan(add=["acme/giver", "acme/taker"]), consent=True)
    [given] = [lease.id for lease in kernel.leases() if lease.unit == "acme/giver"]
    kernel.delegate(given, "acme/taker", "https://api.example.com", methods=["GET"])
    install(author.tool("acme/taker", HTTP, version="1.1.0"))
    plan = kernel.plan(add=["acme/taker"])
    assert {answer.status for answer in plan.capabilities if answer.unit == "acme/taker"} == {"consent"}
    assert [item.unit for item in plan.widening] == ["acme/taker"]
    assert all(not grant.parent for grant in plan.candidate.grants)
