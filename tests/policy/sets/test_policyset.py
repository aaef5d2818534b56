"""Policy files that are wrong: each fault is found, with its file and line, and refuses the set."""

from __future__ import annotations

import cedarpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remit.errors import PolicyInvalid
from remit.policy.deciding.canaries import run_canaries
from remit.policy.postures import POSTURES, check, load, posture_files, schema_text
from remit.policy.sets.engine import Engine, Facts, parse_schema
from remit.policy.sets.policyset import compile_set

USE = 'action == Remit::Action::"net:http"'
WRONG = {
    "it does not parse": "\n\npermit (",
    "no usable @id": "\n\npermit (principal, action, resource) when { false };",
    "the id is taken": '\n\n@id("admin.owner") forbid (principal, action, resource) when { false };',
    "template": '\n\n@id("x.t") permit (principal == ?principal, action, resource);',
    "attribute `no` ": '\n\n@id("x.a") permit (principal is Remit::Unit, action, resource) when { principal.no == 1 };',
    "unrecognized action": '\n\n@id("x.e") forbid (principal, action == Remit::Action::"net:htp", resource);',
    "it would allow at once": f'\n\n@id("x.k") @decision("ask") permit (principal, {USE}, resource);',
    "a forbid must not read": f'\n\n@id("x.f") forbid (principal, {USE}, resource) when {{ context.lease.approved }};',
    "duplicate annotation": '\n\n@id("x.d") @id("x.d2") permit (principal, action, resource) when { false };',
}


def errors(text):
    return [one for one in check("standard", {"policy/mine.cedar": text}) if one.severity == "error"]


@pytest.mark.parametrize("message", sorted(WRONG))
def test_each_fault_is_named_with_its_file_and_line(message):
    found = errors(WRONG[message])
    assert {(one.file, one.line) for one in found} == {("policy/mine.cedar", 3)}
    assert any(message in one.message for one in found)


def test_every_fault_of_every_file_is_listed_at_once():
    files = {f"policy/{place}.cedar": text for place, text in enumerate(WRONG.values())}
    with pytest.raises(PolicyInvalid) as caught:
        load("standard", files)
    assert {fault["file"] for fault in caught.value.details["faults"]} == set(files)


def test_a_home_file_cannot_stand_in_for_a_shipped_one():
    assert errors("") == []
    assert check("standard", {"posture:base.cedar": ""})[0].severity == "error"


def test_an_id_is_taken_across_files_and_within_one():
    rule = '@id("x.same") forbid (principal, action, resource) when { false };\n'
    assert len(check("standard", {"a.cedar": rule, "b.cedar": rule + rule})) == 2


SAID = [
    *WRONG.values(),
    '@id("x.one") forbid (principal, action, resource) when { false };',
    '@id("x.two") permit (principal is Remit::Unit, action, resource) when { false };',
    '@id("x.one") permit (principal, action, resource) when { false };',
    f'@id("x.waits") permit (principal, {USE}, resource) when {{ context.lease.approved && false }};',
]


@given(before=st.lists(st.sampled_from(SAID), max_size=4), after=st.lists(st.sampled_from(SAID), max_size=4))
@settings(max_examples=50, deadline=None)
def test_texts_that_were_read_before_give_the_same_set_and_the_same_findings(before, after):
    schema = parse_schema(schema_text())
    files = {f"policy/{place}.cedar": text for place, text in enumerate(after)}
    earlier = compile_set({f"policy/{place}.cedar": text for place, text in enumerate(before)}, schema)
    again, anew = compile_set(files, schema, earlier.trees), compile_set(files, schema)
    assert again == anew
    assert list(again.policies) == list(anew.policies)


def test_a_permit_that_waits_without_saying_so_is_a_warning():
    text = f'@id("x.w") permit (principal, {USE}, resource) when {{ context.lease.approved }};'
    assert [one.severity for one in check("standard", {"a.cedar": text})] == ["warning"]
    assert load("standard", {"a.cedar": text})


@pytest.mark.parametrize(
    "clause",
    [
        "when { context.lease.approved || true }",
        "unless { context.lease.approved }",
        "when { !context.lease.approved }",
        "when { if context.lease.approved then true else true }",
    ],
)
def test_ask_needs_approval_as_a_conjunct_of_its_own(clause):
    text = f'@id("x.k") @decision("ask") permit (principal is Remit::Unit, {USE}, resource) {clause};'
    assert any("it would allow at once" in one.message for one in errors(text))


def test_ask_among_other_conjuncts_is_fine():
    when = 'when { resource.scheme == "https" && (context.lease.declared && context.lease.approved) }'
    assert errors(f'@id("x.k") @decision("ask") permit (principal, {USE}, resource) {when};') == []


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda data: data.decode("latin-1")))
def test_hostile_text_is_findings_and_never_an_exception(text):
    files = {"fuzz.cedar": text}
    findings = check("standard", files)
    policies, _, _ = compile_set(files, parse_schema(schema_text()))
    assert findings or not policies


def test_long_texts_of_the_parser_are_cut():
    found = errors('@id("x") permit (principal, action, resource) when { ' + "a" * 50_000 + " };")
    assert found
    assert all(len(one.message) < 300 for one in found)


# ---- canaries ----


def test_a_permit_for_everybody_is_refused_with_its_name():
    with pytest.raises(PolicyInvalid) as caught:
        load("standard", {"policy/open.cedar": '@id("site.open") permit (principal, action, resource);'})
    assert "site.open" in caught.value.message


@pytest.mark.parametrize(
    ("posture", "guard"),
    [
        ("standard", "guard.undeclared"),
        ("standard", "guard.kernel-topics"),
        ("standard", "guard.secret-dirs"),
        ("standard", "guard.own-files"),
        ("strict", "guard.unsigned"),
    ],
)
def test_a_set_without_one_of_its_guards_lets_a_canary_through(posture, guard):
    schema = parse_schema(schema_text())
    policies, _, _ = compile_set(posture_files(posture), schema)
    assert run_canaries(Engine(policies, schema), posture) == []
    del policies[guard]
    assert run_canaries(Engine(policies, schema), posture)


def test_entities_that_lost_their_action_groups_are_noticed(monkeypatch):
    def loose(_engine, entities, parents):
        return Facts(cedarpy.Entities.from_json_str(entities.decode()), parents)

    monkeypatch.setattr(Engine, "written", loose)
    with pytest.raises(PolicyInvalid) as caught:
        load("strict", {})
    assert any("action groups have no members" in fault["message"] for fault in caught.value.details["faults"])


@pytest.mark.parametrize("posture", sorted(POSTURES))
def test_no_policies_at_all_let_nothing_through(posture):
    assert run_canaries(Engine({}, parse_schema(schema_text())), posture) == []


@pytest.mark.parametrize("text", ["", " \n", "garbage", "namespace Remit { entity Unit; }", "{}"])
def test_a_schema_without_actions_is_refused(text):
    with pytest.raises(PolicyInvalid):
        parse_schema(text)
