"""Plans: what they say, what blocks them, what widens, and that an apply does what its plan said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from remit.errors import (
    ActionUnknown,
    ConsentNeeded,
    GenerationUnknown,
    NothingToRevert,
    PlanBlocked,
    PlanInvalid,
    PlanStale,
    RemitError,
    UnitUnknown,
    UsageError,
)
from remit.host import Kernel
from remit.units import Plan, load_plan

EMIT = 'action = "events:emit"\nresource = "ticket.created"\nreason = "tell"'
HTTP = 'action = "net:http"\nresource = "https://api.example.com"\nmethods = ["GET"]\nreason = "look up"'
WIDER_HTTP = HTTP.replace('["GET"]', '["GET", "POST"]')
BUDGET = EMIT + '\nbudget = { window = "1h", calls = 10 }'
LARGER = EMIT + '\nbudget = { window = "1h", calls = 20 }'
SECRET_DIR = 'action = "fs:read"\nresource = "/etc"\nreason = "read"'

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


# ---- capabilities, widening and consent ----


def test_policys_answer_stands_beside_each_capability(kernel: Kernel, author, install: Install) -> None:
    install(author.tool("acme/tool", EMIT, HTTP, SECRET_DIR + "\noptional = true"))
    plan = kernel.plan(add=["acme/tool"])
    assert [(a.action, a.status, a.decision.outcome) for a in plan.capabilities] == [
        ("events:emit", "granted", "allow"),
        ("net:http", "consent", "ask"),
        ("fs:read", "denied", "deny"),
    ]
    assert plan.capabilities[2].decision.policies == ("guard.secret-dirs",)


def test_a_denied_capability_that_is_needed_blocks(kernel: Kernel, author, install: Install) -> None:
    install(author.tool("acme/tool", SECRET_DIR))
    plan = kernel.plan(add=["acme/tool"])
    assert [(f.id, f.severity) for f in plan.findings] == [("capability.denied", "blocking")]


def test_widening_without_consent_is_refused_naming_it(kernel: Kernel, author, install: Install) -> None:
    install(author.tool("acme/tool", EMIT))
    with pytest.raises(ConsentNeeded, match=r"events:emit on ticket\.created") as refused:
        kernel.apply(kernel.plan(add=["acme/tool"]))
    assert refused.value.details["widening"] == ["acme/tool: events:emit on ticket.created"]
    assert kernel.home().generation == 0


def test_a_change_that_widens_nothing_needs_no_consent(kernel: Kernel, author, install: Install) -> None:
    install(author.config("acme/tone", "{ a = 1 }"))
    assert kernel.apply(kernel.plan(add=["acme/tone"])).number == 1


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ({"capabilities": (EMIT,)}, {"capabilities": (EMIT, HTTP)}, "capability"),
        ({"capabilities": (HTTP,)}, {"capabilities": (WIDER_HTTP,)}, "capability"),
        ({"capabilities": (BUDGET,)}, {"capabilities": (LARGER,)}, "budget"),
        ({"capabilities": (BUDGET,)}, {"capabilities": (EMIT,)}, "budget"),
        ({"memory": "8MiB"}, {"memory": "16MiB"}, "limits"),
        ({"deadline": "250ms"}, {"deadline": "1s"}, "limits"),
    ],
)
def test_an_upgrade_that_may_do_more_widens(kernel: Kernel, author, install: Install, old, new, kind: str) -> None:
    install(author.tool("acme/tool", *old.pop("capabilities", ()), **old))
    kernel.apply(kernel.plan(add=["acme/tool"]), consent=True)
    install(author.tool("acme/tool", *new.pop("capabilities", ()), version="1.1.0", **new))
    assert [item.kind for item in kernel.plan(add=["acme/tool"]).widening] == [kind]


def test_an_upgrade_that_may_do_less_widens_nothing(kernel: Kernel, author, install: Install) -> None:
    install(author.tool("acme/tool", LARGER, memory="16MiB"))
    kernel.apply(kernel.plan(add=["acme/tool"]), consent=True)
    install(author.tool("acme/tool", BUDGET, version="1.1.0", memory="8MiB"))
    assert not kernel.plan(add=["acme/tool"]).needs_consent


def test_consent_to_what_policy_asks_does_not_pass_to_an_upgrade(kernel: Kernel, author, install: Install) -> None:
    install(author.tool("acme/tool", HTTP))
    kernel.apply(kernel.plan(add=["acme/tool"]), consent=True)
    install(author.tool("acme/tool", HTTP, version="1.1.0"))
    plan = kernel.plan(add=["acme/tool"])
    assert [answer.status for answer in plan.capabilities] == ["consent"]


def test_a_standing_grant_is_kept_with_its_id(kernel: Kernel, author, install: Install) -> None:
    install(author.tool("acme/tool", HTTP))
    install(author.config("acme/tone", "{ a = 1 }"))
    first = kernel.apply(kernel.plan(add=["acme/tool"]), consent=True)
    second = kernel.apply(kernel.plan(add=["acme/tone"]))
    assert second.grants == first.grants


def test_a_revoked_grant_is_not_revived_by_another_change(kernel: Kernel, author, install: Install) -> None:
    install(author.tool("acme/tool", EMIT + "\noptional = true"))
    install(author.config("acme/tone", "{ a = 1 }"))
    kernel.apply(kernel.plan(add=["acme/tool"]), consent=True)
    kernel.revoke(unit="acme/tool")
    assert kernel.apply(kernel.plan(add=["acme/tone"])).grants == ()


def test_a_revoked_grant_is_not_revived_by_going_back(kernel: Kernel, home: Path, author, install: Install) -> None:
    install(author.tool("acme/tool", EMIT + "\noptional = true"))
    kernel.apply(kernel.plan(add=["acme/tool"]), consent=True)
    kernel.revoke(unit="acme/tool")
    kernel.apply(kernel.plan(remove=["acme/tool"]))
    kernel.close()
    with Kernel.open(home, serve=False) as again:
        assert again.revert("1", consent=True).grants == ()


def test_a_revoked_grant_is_given_anew_only_by_name_and_with_consent(kernel: Kernel, author, install: Install) -> None:
    install(author.tool("acme/tool", EMIT + "\noptional = true"))
    kernel.apply(kernel.plan(add=["acme/tool"]), consent=True)
    [revoked] = kernel.revoke(unit="acme/tool")
    plan = kernel.plan(add=["acme/tool"])
    assert plan.needs_consent
    [anew] = kernel.apply(plan, consent=True).grants
    assert anew.id != revoked.id


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
    install(author.tool("acme/tool", HTTP, schema=SCHEMA))
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


# ---- what a unit held, not what it declared ----


def test_an_upgrade_does_not_revive_a_revoked_grant_in_silence(kernel: Kernel, author, install: Install) -> None:
    install(author.tool("acme/tool", EMIT))
    kernel.apply(kernel.plan(add=["acme/tool"]), consent=True)
    kernel.revoke(unit="acme/tool")
    install(author.tool("acme/tool", EMIT, version="1.0.1"))
    with pytest.raises(ConsentNeeded, match="which was revoked"):
        kernel.apply(kernel.plan(add=["acme/tool"]))


def test_a_capability_that_policy_denied_widens_when_it_is_given(kernel: Kernel, home: Path, author) -> None:
    rule = home / "policy" / "quiet.cedar"
    rule.write_text('@id("quiet")\nforbid (principal, action == Remit::Action::"events:emit", resource);\n')
    kernel.close()
    install_optional = author.tool("acme/tool", EMIT + "\noptional = true")
    with Kernel.open(home, serve=False) as strict:
        strict.install(str(install_optional), allow_unsigned=True)
        assert strict.apply(strict.plan(add=["acme/tool"])).grants == ()
    rule.unlink()
    with Kernel.open(home, serve=False) as relaxed:
        assert [item.kind for item in relaxed.plan().widening] == ["capability"]


def test_more_fuel_widens(kernel: Kernel, author, install: Install) -> None:
    for version, fuel in (("1.0.0", 100_000), ("1.1.0", 10**12)):
        folder = author.tool("acme/tool", version=version)
        manifest = folder / "unit.toml"
        manifest.write_text(manifest.read_text().replace('deadline = "250ms"', f'deadline = "250ms"\nfuel = {fuel}'))
        install(folder)
    kernel.apply(kernel.plan(add=["acme/tool@=1.0.0"]))
    assert [item.kind for item in kernel.plan(add=["acme/tool@=1.1.0"]).widening] == ["limits"]


def test_a_revoked_capability_that_is_needed_does_not_block_what_others_do(
    kernel: Kernel, author, install: Install
) -> None:
    install(author.tool("acme/tool", EMIT))
    install(author.config("acme/tone", "{ a = 1 }"))
    kernel.apply(kernel.plan(add=["acme/tool"]), consent=True)
    kernel.revoke(unit="acme/tool")
    plan = kernel.plan(add=["acme/tone"])
    assert [(f.id, f.severity) for f in plan.findings] == [("capability.revoked", "warning")]


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
