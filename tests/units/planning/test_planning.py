"""Plans: what they say, what blocks them, and when a saved one may be applied."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from remit.errors import (
    ActionUnknown,
    PlanBlocked,
    PlanInvalid,
    PlanStale,
    UnitUnknown,
    UsageError,
)
from remit.host import Kernel
from remit.units import Plan, load_plan

EMIT = 'action = "events:emit"\nresource = "ticket.created"\nreason = "tell"'
HTTP = 'action = "net:http"\nresource = "https://api.example.com"\nmethods = ["GET"]\nreason = "look up"'

Install = Callable[[Path], str]


def edit(home: Path, old: str, new: str) -> None:
    path = home / "remit.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def finding_ids(plan: Plan) -> list[str]:
    return [finding.id for finding in plan.findings]


# ---- what a plan says ----


def test_a_fresh_home_has_nothing_to_do(kernel: Kernel) -> None:
    assert not kernel.plan().changed


def test_adding_shows_the_unit_and_the_documents_difference(kernel: Kernel, author, install: Install) -> None:
    install(author.config("acme/tone", "{ style = { tone = 'warm' } }"))
    plan = kernel.plan(add=["acme/tone"])
    assert [(change.unit, change.change, change.after) for change in plan.units] == [("acme/tone", "add", "1.0.0")]
    [document] = plan.documents
    assert [(c.op, c.path, c.new) for c in document.changes] == [("add", "/style", {"tone": "warm"})]


def test_planning_changes_nothing(kernel: Kernel, author, install: Install) -> None:
    install(author.config("acme/tone", "{ a = 1 }"))
    before = (kernel.home().head, kernel.document("assistant"))
    kernel.plan(add=["acme/tone"])
    assert (kernel.home().head, kernel.document("assistant")) == before


def test_the_generation_is_the_one_that_was_planned(kernel: Kernel, author, install: Install) -> None:
    install(author.tool("acme/tool", EMIT, HTTP))
    plan = kernel.plan(add=["acme/tool"])
    made = kernel.apply(plan, consent=True)
    assert (made.units, made.documents) == (plan.candidate.units, plan.candidate.documents)
    assert [grant.id for grant in made.grants] == [grant.id for grant in plan.candidate.grants]


def test_planning_twice_gives_the_same_digest(kernel: Kernel, author, install: Install) -> None:
    install(author.tool("acme/tool", EMIT))
    assert kernel.plan(add=["acme/tool"]).digest == kernel.plan(add=["acme/tool"]).digest


@pytest.mark.parametrize(
    ("first", "second", "change"), [("1.0.0", "1.1.0", "upgrade"), ("1.1.0", "1.0.0", "downgrade")]
)
def test_a_named_version_moves_the_unit(kernel: Kernel, author, install: Install, first, second, change) -> None:
    install(author.config("acme/tone", "{ a = 1 }", version=first))
    kernel.apply(kernel.plan(add=["acme/tone"]))
    install(author.config("acme/tone", "{ a = 2 }", version=second))
    plan = kernel.plan(add=[f"acme/tone@={second}"])
    assert [(c.change, c.before, c.after) for c in plan.units] == [(change, first, second)]


def test_an_installation_alone_never_changes_what_runs(kernel: Kernel, author, install: Install) -> None:
    install(author.config("acme/tone", "{ a = 1 }"))
    kernel.apply(kernel.plan(add=["acme/tone"]))
    install(author.config("acme/tone", "{ a = 2 }", version="1.1.0"))
    assert not kernel.plan().changed


def test_an_added_unit_may_later_move_within_its_major_version_only(kernel: Kernel, author, install: Install) -> None:
    install(author.config("acme/tone", "{ a = 1 }"))
    kernel.apply(kernel.plan(add=["acme/tone"]))
    install(author.config("acme/tone", "{ a = 2 }", version="2.0.0"))
    assert not kernel.plan(add=["acme/tone"]).changed


def test_the_operators_order_decides(kernel: Kernel, home: Path, author, install: Install) -> None:
    install(author.config("acme/one", "{ a = 1 }"))
    install(author.config("acme/two", "{ a = 2 }"))
    kernel.apply(kernel.plan(add=["acme/one", "acme/two"]))
    text = (home / "remit.toml").read_text()
    one, two = text.index('id = "acme/one"'), text.index('id = "acme/two"')
    assert one < two
    swapped = text.replace("acme/one", "acme/x").replace("acme/two", "acme/one").replace("acme/x", "acme/two")
    (home / "remit.toml").write_text(swapped)
    plan = kernel.plan()
    assert {change.change for change in plan.units} == {"reorder"}
    kernel.apply(plan)
    assert kernel.document("assistant")["a"] == 1


def test_a_drifted_base_is_planned(kernel: Kernel, home: Path, author, install: Install) -> None:
    install(author.config("acme/tone", "{ a = 1 }"))
    kernel.apply(kernel.plan(add=["acme/tone"]))
    edit(home, 'model = "small"', 'model = "large"')
    assert kernel.document("assistant")["model"] == "small"
    [document] = kernel.plan().documents
    assert [(c.op, c.path, c.old, c.new) for c in document.changes] == [("replace", "/model", "small", "large")]


# ---- parameters ----

SCHEMA = {
    "type": "object",
    "properties": {"mask": {"type": "string"}, "token": {"type": "string", "x-remit-sensitive": True}},
    "additionalProperties": False,
}


def test_a_set_parameter_is_kept_in_the_operators_file(kernel: Kernel, home: Path, author, install: Install) -> None:
    install(author.tool("acme/tool", schema=SCHEMA))
    plan = kernel.plan(add=["acme/tool"], set={"acme/tool.mask": "#"})
    kernel.apply(plan)
    assert 'mask = "#"' in (home / "remit.toml").read_text()
    assert kernel.history()[-1].units[0].parameters == {"mask": "#"}


def test_a_parameter_that_breaks_its_schema_blocks(kernel: Kernel, author, install: Install) -> None:
    install(author.tool("acme/tool", schema=SCHEMA))
    plan = kernel.plan(add=["acme/tool"], set={"acme/tool.mask": 7})
    assert finding_ids(plan) == ["parameters.invalid"]
    with pytest.raises(PlanBlocked):
        kernel.apply(plan)


def test_a_secret_must_not_be_written_down(kernel: Kernel, author, install: Install) -> None:
    install(author.tool("acme/tool", schema=SCHEMA))
    plan = kernel.plan(add=["acme/tool"], set={"acme/tool.token": "hunter2"})
    assert finding_ids(plan) == ["parameters.sensitive"]


def test_a_secret_of_the_environment_stays_out_of_the_journal(
    kernel: Kernel, home: Path, author, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REMIT_TEST_TOKEN", "hunter2-hunter2")
    install(author.tool("acme/tool", schema=SCHEMA))
    kernel.apply(kernel.plan(add=["acme/tool"], set={"acme/tool.token": "${REMIT_TEST_TOKEN}"}))
    kernel.call("acme/tool:echo", {"a": 1})
    kernel.close()
    stored = b"".join(path.read_bytes() for path in (home / ".remit").rglob("*") if path.is_file())
    assert b"hunter2-hunter2" not in stored


def test_a_missing_variable_blocks_and_names_itself(kernel: Kernel, author, install: Install) -> None:
    install(author.tool("acme/tool", schema=SCHEMA))
    plan = kernel.plan(add=["acme/tool"], set={"acme/tool.token": "${REMIT_TEST_UNSET}"})
    assert "${REMIT_TEST_UNSET}" in plan.findings[0].message


# ---- findings ----


def test_a_document_that_the_home_does_not_declare_blocks(kernel: Kernel, author, install: Install) -> None:
    install(author.config("acme/tone", 'target = "routing"\nop = "merge"\nvalue = { a = 1 }'))
    assert finding_ids(kernel.plan(add=["acme/tone"])) == ["document.unknown"]


def test_a_patch_that_does_not_apply_blocks(kernel: Kernel, author, install: Install) -> None:
    body = 'target = "assistant"\nop = "json-patch"\nvalue = [{ op = "remove", path = "/missing" }]'
    install(author.config("acme/tone", body))
    assert finding_ids(kernel.plan(add=["acme/tone"])) == ["patch.failed"]


def test_a_document_must_follow_its_schema_in_the_end(kernel: Kernel, home: Path, author, install: Install) -> None:
    with (home / "remit.toml").open("a") as file:
        file.write('\n[document.assistant.schema.properties.model]\nenum = ["small"]\n')
    install(author.config("acme/tone", "{ model = 'huge' }"))
    assert finding_ids(kernel.plan(add=["acme/tone"])) == ["document.invalid"]


def test_two_units_on_one_place_are_told(kernel: Kernel, author, install: Install) -> None:
    install(author.config("acme/one", "{ style = { tone = 'warm' } }"))
    install(author.config("acme/two", "{ style = 'none' }"))
    plan = kernel.plan(add=["acme/one", "acme/two"])
    assert [(f.id, f.severity, f.unit) for f in plan.findings] == [("patch.overlap", "warning", "acme/two")]


@pytest.mark.parametrize(
    ("requires", "finding"),
    [
        ('[requires]\nremit = ">=99"', "requires.remit"),
        ('[requires]\nworld = "9.0"', "requires.world"),
        ('[requires.units]\n"acme/base" = "^1.0"', "requires.unit"),
        ('[requires]\nconflicts = ["acme/other"]', "conflicts"),
    ],
)
def test_unmet_requirements_block(kernel: Kernel, author, install: Install, requires: str, finding: str) -> None:
    install(author.config("acme/other", "{ b = 1 }"))
    install(author.config("acme/tone", "{ a = 1 }", more=requires))
    assert finding_ids(kernel.plan(add=["acme/tone", "acme/other"])) == [finding]


def test_an_exclusive_slot_takes_one_unit(kernel: Kernel, home: Path, author, install: Install) -> None:
    with (home / "remit.toml").open("a") as file:
        file.write("\n[slot.guard]\nmany = false\n")
    fills = '[[fills]]\nslot = "guard"\naction = "echo"'
    install(author.tool("acme/one", more=fills))
    install(author.tool("acme/two", more=fills))
    assert finding_ids(kernel.plan(add=["acme/one", "acme/two"])) == ["slot.conflict"]


def test_a_unit_that_is_not_installed_blocks(kernel: Kernel) -> None:
    assert finding_ids(kernel.plan(add=["acme/nowhere"])) == ["unit.unresolved"]


@pytest.mark.parametrize("item", ["nothing", "acme/x@not a range!", ""])
def test_malformed_edits_are_usage_errors(kernel: Kernel, item: str) -> None:
    with pytest.raises(UsageError):
        kernel.plan(add=[item])


def test_setting_an_unwanted_unit_is_refused(kernel: Kernel) -> None:
    with pytest.raises(UnitUnknown):
        kernel.plan(set={"acme/nowhere.key": 1})


# ---- saved plans ----


def test_a_saved_plan_is_read_back_equal(kernel: Kernel, author, install: Install) -> None:
    install(author.tool("acme/tool", HTTP))
    plan = kernel.plan(add=["acme/tool"])
    assert load_plan(msgspec.json.encode(plan.as_dict())) == plan


def test_a_plan_that_was_changed_is_refused(kernel: Kernel, author, install: Install) -> None:
    install(author.tool("acme/tool", HTTP))
    data = kernel.plan(add=["acme/tool"]).as_dict()
    data["widening"] = []
    with pytest.raises(PlanInvalid, match="changed"):
        load_plan(msgspec.json.encode(data))


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"\xff", b'{"format": "plan/v1"}', b"[" * 100_000])
def test_what_is_no_plan_is_refused(data: bytes) -> None:
    with pytest.raises(PlanInvalid):
        load_plan(data)


def test_a_forged_candidate_is_not_applied(kernel: Kernel, author, install: Install) -> None:
    install(author.tool("acme/tool", HTTP))
    plan = kernel.plan(add=["acme/tool"])
    forged = msgspec.structs.replace(plan, capabilities=(), widening=())
    with pytest.raises(PlanStale):
        kernel.apply(forged)


def test_a_plan_of_another_generation_is_stale(kernel: Kernel, author, install: Install) -> None:
    install(author.config("acme/one", "{ a = 1 }"))
    install(author.config("acme/two", "{ b = 1 }"))
    plan = kernel.plan(add=["acme/one"])
    kernel.apply(kernel.plan(add=["acme/two"]))
    with pytest.raises(PlanStale, match="generation 1 is active, not 0"):
        kernel.apply(plan)


def test_a_plan_before_an_edit_of_the_file_is_stale(kernel: Kernel, home: Path, author, install: Install) -> None:
    install(author.config("acme/one", "{ a = 1 }"))
    plan = kernel.plan(add=["acme/one"])
    edit(home, 'model = "small"', 'model = "large"')
    with pytest.raises(PlanStale, match=r"remit\.toml was edited"):
        kernel.apply(plan)


# ---- pins and ceilings ----


def test_a_pinned_unit_does_not_move_when_it_is_named(kernel: Kernel, home: Path, author, install: Install) -> None:
    first = install(author.config("acme/tone", "{ a = 1 }"))
    kernel.apply(kernel.plan(add=["acme/tone"]))
    install(author.config("acme/tone", "{ a = 2 }", version="1.1.0"))
    edit(home, 'id = "acme/tone"\nversion', f'id = "acme/tone"\npin = "{first}"\nversion')
    [change] = kernel.plan(add=["acme/tone"]).units
    assert (change.change, change.after) == ("configure", "1.0.0")


def test_a_pin_on_what_is_not_installed_blocks(kernel: Kernel, home: Path, author, install: Install) -> None:
    install(author.config("acme/tone", "{ a = 1 }"))
    kernel.apply(kernel.plan(add=["acme/tone"]))
    edit(home, 'id = "acme/tone"\nversion', f'id = "acme/tone"\npin = "sha256:{"0" * 64}"\nversion')
    assert finding_ids(kernel.plan()) == ["unit.unresolved"]


def test_no_unit_gets_more_than_the_hosts_ceiling(kernel: Kernel, home: Path, author, install: Install) -> None:
    with (home / "remit.toml").open("a") as file:
        file.write('\n[limits]\nmemory = "4MiB"\ndeadline = "100ms"\nhost_calls = 7\n')
    install(author.tool("acme/tool", memory="8MiB", deadline="1s"))
    kernel.apply(kernel.plan(add=["acme/tool"]))
    limits = kernel._rooms.dispatcher.catalog.resolve("acme/tool:echo").program.limits
    assert (limits.memory, limits.deadline_ms, limits.host_calls) == (4 << 20, 100, 7)


# ---- which action a reference means ----


def test_a_reference_may_carry_a_range(kernel: Kernel, author, install: Install) -> None:
    install(author.tool("acme/tool", version="1.2.0"))
    kernel.apply(kernel.plan(add=["acme/tool"]))
    assert kernel.call("acme/tool:echo@^1.1", {"a": 1}) == {"a": 1}
    for wrong in ("acme/tool:echo@^2", "acme/tool:echo@junk!", "acme/tool:other", "acme/none:echo", "", ":", "@"):
        with pytest.raises(ActionUnknown):
            kernel.call(wrong, {})
