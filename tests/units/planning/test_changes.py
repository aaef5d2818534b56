"""What a plan says of each unit, and of what the operator edited meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from remit.host import Kernel

Install = Callable[[Path], str]
FILLS = '[[fills]]\nslot = "guard"\naction = "echo"'


def edit(home: Path, old: str, new: str) -> None:
    path = home / "remit.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def drift(kernel: Kernel, **edits) -> list[tuple[str, str, str]]:
    return [(d.kind, d.name, d.detail) for d in kernel.plan(**edits).drift]


def test_a_unit_that_leaves_its_slot_is_rebound(kernel: Kernel, home: Path, author, install: Install) -> None:
    with (home / "remit.toml").open("a") as file:
        file.write("\n[slot.guard]\n")
    install(author.tool("acme/tool", more=FILLS))
    kernel.apply(kernel.plan(add=["acme/tool"]))
    edit(home, 'id = "acme/tool"', 'id = "acme/tool"\nslots = { guard = false }')
    [change] = kernel.plan().units
    assert (change.change, change.detail) == ("rebind", "slots: guard → none")


def test_an_upgrade_says_what_else_changes(kernel: Kernel, author, install: Install) -> None:
    more = "[parameters]\ndefaults = { a = 1 }"
    install(author.config("acme/tone", "{ a = 1 }", more=more))
    kernel.apply(kernel.plan(add=["acme/tone"]))
    install(author.config("acme/tone", "{ a = 2 }", more=more, version="1.1.0"))
    [change] = kernel.plan(add=["acme/tone"], set={"acme/tone.a": 2}).units
    assert (change.change, change.detail) == ("upgrade", "a: default → 2")


def test_a_unit_that_changes_and_moves_says_both(kernel: Kernel, home: Path, author, install: Install) -> None:
    more = "[parameters]\ndefaults = { a = 1 }"
    install(author.config("acme/one", "{ a = 1 }", more=more))
    install(author.config("acme/two", "{ b = 1 }"))
    kernel.apply(kernel.plan(add=["acme/one", "acme/two"]))
    edit(home, 'id = "acme/one"', 'id = "acme/x"')
    edit(home, 'id = "acme/two"', 'id = "acme/one"\nparameters = { a = 3 }')
    edit(home, 'id = "acme/x"', 'id = "acme/two"')
    found = {change.unit: (change.change, change.detail) for change in kernel.plan().units}
    assert found == {"acme/one": ("configure", "a: default → 3; moved"), "acme/two": ("reorder", "")}


def test_code_where_there_was_none_widens(kernel: Kernel, author, install: Install) -> None:
    install(author.config("acme/tone", "{ a = 1 }"))
    kernel.apply(kernel.plan(add=["acme/tone"]))
    install(author.tool("acme/tone", version="1.1.0"))
    assert ("acme/tone", "code") in [(w.unit, w.kind) for w in kernel.plan(add=["acme/tone"]).widening]


# ---- drift ----


def test_nothing_drifts_after_an_apply(kernel: Kernel, author, install: Install) -> None:
    assert drift(kernel) == []
    install(author.config("acme/tone", "{ a = 1 }"))
    kernel.apply(kernel.plan(add=["acme/tone"]))
    assert drift(kernel) == []


def test_every_edit_of_the_file_is_drift_whatever_the_command_names(
    kernel: Kernel, home: Path, author, install: Install
) -> None:
    install(author.config("acme/one", "{ a = 1 }"))
    install(author.config("acme/two", "{ b = 1 }"))
    install(author.config("acme/three", "{ c = 1 }"))
    kernel.apply(kernel.plan(add=["acme/one", "acme/two"]))
    edit(home, 'model = "small"', 'model = "large"')
    edit(home, 'id = "acme/two"', 'id = "acme/three"')
    edit(home, 'id = "acme/one"\nversion = "^1.0.0"', 'id = "acme/one"\nversion = "^1.0"')
    with (home / "remit.toml").open("a") as file:
        file.write("\n[document.routing]\n")
    assert drift(kernel, add=["acme/two"]) == [
        ("document", "assistant", "base edited"),
        ("document", "routing", "declared since"),
        ("unit", "acme/one", "versions edited"),
        ("unit", "acme/three", "wanted, not active"),
        ("unit", "acme/two", "active, no longer wanted"),
    ]


def test_another_order_is_drift(kernel: Kernel, home: Path, author, install: Install) -> None:
    install(author.config("acme/one", "{ a = 1 }"))
    install(author.config("acme/two", "{ b = 1 }"))
    kernel.apply(kernel.plan(add=["acme/one", "acme/two"]))
    edit(home, 'id = "acme/one"', 'id = "acme/x"')
    edit(home, 'id = "acme/two"', 'id = "acme/one"')
    edit(home, 'id = "acme/x"', 'id = "acme/two"')
    assert drift(kernel) == [("order", "", "the order of the units was edited")]


def test_a_sensitive_place_of_a_document_must_stay_empty(kernel: Kernel, home: Path, author, install: Install) -> None:
    with (home / "remit.toml").open("a") as file:
        file.write('\n[document.assistant.schema.properties.token]\nx-remit-sensitive = true\ntype = "string"\n')
    install(author.config("acme/tone", "{ token = 'hunter2' }"))
    plan = kernel.plan(add=["acme/tone"])
    assert [finding.id for finding in plan.blocking] == ["document.sensitive"]
    assert "hunter2" not in "".join(finding.message for finding in plan.findings)
