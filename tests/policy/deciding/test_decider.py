"""Fail closed: the places where Cedar, or its binding, would answer yes."""

from __future__ import annotations

import json
import re

import cedarpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remit.kernel.model import Budget, Capability, EntityRef, UnitRef
from remit.policy.deciding.decider import Decider
from remit.policy.deciding.requests import Request, capability_use
from remit.policy.postures import load, schema_text
from remit.policy.sets.engine import Engine, Facts, on_large_stack, parse_schema
from remit.policy.sets.policyset import compile_set
from remit.policy.sets.slices import parents_of

OPEN = '@id("open") permit (principal, action, resource);'


def decider(text):
    schema = parse_schema(schema_text())
    policies, findings, _ = compile_set({"x.cedar": text}, schema)
    assert [one for one in findings if one.severity == "error"] == []
    return Decider(Engine(policies, schema))


@pytest.fixture
def request_of(world):
    def make(action="events:emit", resource="text.redacted", *, approved=False, declared=True, **envelope):
        capability = Capability(action, resource, **envelope)
        return capability_use(world.unit(), capability, declared=declared, approved=approved, units={})

    return make


def test_a_forbid_that_fails_to_evaluate_denies_where_cedar_allows(request_of):
    text = OPEN + '@id("broken") forbid (principal is Remit::Unit, action in Remit::Action::"use", resource)'
    text += " when { context.lease has calls && context.lease.calls + 1 > 5 };"
    request = request_of(budget=Budget(1_000, calls=(1 << 63) - 1))
    judge = decider(text)
    entities = judge.engine.entities(request.entities)
    assert judge.engine.authorize(request.cedar(), entities).decision == "allow"
    decision = judge.decide(request)
    assert (decision.outcome, decision.policies) == ("deny", ("broken",))


def test_an_action_group_forbid_holds_because_entities_carry_the_schema(request_of):
    text = OPEN + '@id("no") forbid (principal, action in Remit::Action::"use", resource);'
    judge, request = decider(text), request_of()
    assert judge.decide(request).policies == ("no",)
    loose = Facts(cedarpy.Entities.from_json_str(json.dumps(request.entities)), parents_of(request.entities))
    assert judge.engine.authorize(request.cedar(), loose).decision == "allow"  # the pitfall is real


@pytest.mark.parametrize(
    "change",
    [
        {"action": "no:such"},
        {"action": ""},
        {"action": "use"},
        {"context": {}},
        {"context": {"lease": {"declared": True}}},
        {"context": {"lease": {"declared": True, "approved": True, "extra": 1}}},
        {"context": {"lease": {"declared": "true", "approved": True}}},
        {"context": {"lease": {"declared": True, "approved": True, "calls": 1.5}}},
        {"context": {"lease": {"declared": True, "approved": True, "calls": None}}},
        {"context": {"lease": {"declared": True, "approved": True, "calls": 1 << 63}}},
        {"context": {"lease": {"declared": True, "approved": True, "calls": 1 << 70}}},
        {"context": {"lease": {"declared": True, "approved": True, "methods": ["\ud800"]}}},
        {"context": {"lease": object()}},
        {"entities": [{"uid": {"type": "Remit::Unit", "id": "acme/tool"}, "attrs": {}, "parents": []}]},
        {"entities": [{"uid": "Remit::Unit"}]},
        {"entities": [{}]},
    ],
)
def test_a_request_that_cedar_cannot_judge_is_denied_under_the_most_open_set(request_of, change):
    request = request_of()
    fields = {name: getattr(request, name) for name in ("principal", "action", "resource", "context", "entities")}
    decision = decider(OPEN).decide(Request(**fields | change))
    assert (decision.outcome, decision.policies) == ("deny", ())
    assert decision.reason


def test_the_reason_of_a_failure_quotes_no_entities(request_of):
    request = request_of()
    secret = {"uid": {"type": "Remit::Unit", "id": "hunter2"}, "attrs": {"wrong": "hunter2"}, "parents": []}
    fields = {name: getattr(request, name) for name in ("principal", "action", "resource", "context")}
    assert "hunter2" not in decider(OPEN).decide(Request(**fields, entities=[secret])).reason


def test_no_policy_means_deny_with_a_reason(request_of):
    decision = decider("").decide(request_of())
    assert (decision.outcome, decision.policies, decision.reason) == ("deny", (), "no policy permits it")


def test_ask_is_what_approval_alone_would_allow(request_of):
    text = '@id("ask") @decision("ask") permit (principal, action == Remit::Action::"events:emit", resource)'
    text += " when { context.lease.approved };"
    assert decider(text).decide(request_of()).outcome == "ask"
    assert decider(text).decide(request_of(approved=True)).outcome == "allow"
    forbidden = text + '@id("no") forbid (principal, action == Remit::Action::"events:emit", resource);'
    assert decider(forbidden).decide(request_of()).policies == ("no",)


def test_reasons_are_sorted_ids_and_never_positions(request_of):
    rules = "".join(f'@id("{name}") permit (principal, action, resource);' for name in ("z.one", "a.two", "m.three"))
    assert decider(rules).decide(request_of()).policies == ("a.two", "m.three", "z.one")


@pytest.mark.parametrize("name", ['x"; y', "a\nb", 'Remit::Unit::"a"', "", "ключ", "\x00"])
def test_names_are_data_and_cannot_become_another_entity(world, name):
    authority = world.authority(operators={"local": ("owner",)})
    assert authority.authorize(name, "unit:apply", EntityRef("Home", name)).outcome == "deny"
    assert authority.authorize("local", "unit:apply", EntityRef("Home", name)).outcome == "allow"


def test_the_envelope_reaches_policy(request_of):
    text = '@id("small") permit (principal, action == Remit::Action::"net:http", resource) when '
    text += '{ context.lease has methods && ["GET"].containsAll(context.lease.methods) && context.lease has calls'
    text += ' && context.lease.calls <= 10 && context.lease has window && context.lease.window >= duration("1h") };'
    asked = {
        (("GET",), 10, 3_600_000): "allow",
        (("GET", "POST"), 10, 3_600_000): "deny",
        (("GET",), 11, 3_600_000): "deny",
        (("GET",), 10, 3_599_999): "deny",
        ((), 10, 3_600_000): "deny",
    }
    judge = decider(text)
    origin = "https://example.com"
    answers = {
        key: judge.decide(request_of("net:http", origin, methods=key[0], budget=Budget(key[2], calls=key[1]))).outcome
        for key in asked
    }
    assert answers == asked


def test_domains_match_by_hierarchy_and_not_by_spelling(request_of):
    text = (
        '@id("ours") permit (principal, action == Remit::Action::"net:http", resource in Remit::Domain::"example.com");'
    )
    judge = decider(text)
    hosts = {"https://example.com": "allow", "https://a.b.example.com": "allow", "https://notexample.com": "deny"}
    hosts |= {"https://example.com.evil.net": "deny", "https://com": "deny"}
    assert {host: judge.decide(request_of("net:http", host)).outcome for host in hosts} == hosts


def test_decisions_are_remembered_within_a_bound(request_of, monkeypatch):
    monkeypatch.setattr("remit.policy.deciding.decider._MEMO", 8)
    judge = decider(OPEN)
    for count in range(50):
        assert judge.decide(request_of(resource="topic" + ".n" * count)).allowed
        assert len(judge._memo) <= 8


NAMING = [
    "permit (principal, action, resource);",
    'forbid (principal, action, resource == Remit::Path::"/a/b");',
    'forbid (principal, action, resource in Remit::Path::"/a/c");',
    'forbid (principal, action, resource is Remit::Path in Remit::Path::"/b");',
    'forbid (principal, action, resource) when { resource == Remit::Path::"/a/c/d" };',
    'forbid (principal, action, resource) unless { resource in [Remit::Path::"/a", Remit::Path::"/b/c"] };',
    'forbid (principal is Remit::Unit, action, resource) when { resource is Remit::Path in Remit::Path::"/c" };',
    'forbid (principal, action, resource) when { [Remit::Path::"/d", Remit::Path::"/a/d"].contains(resource) };',
    'forbid (principal, action, resource) when { Remit::Path::"/a/b/c" in Remit::Path::"/a" };',
    'forbid (principal, action, resource) when { Remit::Path::"/d/d/d" in [Remit::Path::"/", Remit::Path::"/b"] };',
    'forbid (principal, action, resource) when { {x: Remit::Path::"/c/c"}.x == resource };',
    'forbid (principal, action, resource in Remit::PathClass::"credentials");',
    'forbid (principal, action, resource) when { resource in Remit::Path::"/d" && 1 + 9223372036854775807 > 0 };',
]  # fmt: skip
PATHS = st.lists(st.sampled_from(["a", "b", "c", "d", ".ssh", '"', "{0}"]), max_size=4).map(
    lambda parts: "/" + "/".join(parts)
)


@given(chosen=st.sets(st.sampled_from(range(len(NAMING)))), paths=st.lists(PATHS, max_size=12))
@settings(max_examples=40, deadline=None)
def test_what_was_remembered_of_other_files_is_what_would_be_decided(chosen, paths):
    rules = [NAMING[place].replace("action,", 'action == Remit::Action::"fs:read",') for place in sorted(chosen)]
    text = "\n".join(f'@id("p{place}") {rule}' for place, rule in enumerate(rules))
    judge, unit = decider(text), UnitRef("acme/tool", "1.0.0", "sha256:tool", "tool", "signed")
    for path in paths:
        request = capability_use(unit, Capability("fs:read", path), declared=True, approved=False, units={})
        decision, facts = judge.decide(request), judge.engine.entities(request.entities)
        assert decision == Decider(judge.engine).decide(request)
        cedar = judge.engine.authorize(request.cedar(), facts, sliced=False)
        failed = cedar.errors or cedar.reasons
        assert (decision.outcome, decision.policies) == ("deny" if cedar.errors else cedar.decision, failed)


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path["attrs"].update(size=1),
        lambda path: path.update(tags={"size": 1}),
        lambda path: path["parents"].append({"type": "Remit::Unit", "id": "acme/tool"}),
        lambda path: path["parents"].append({"type": "Remit::Path", "id": "/data/in/file"}),
        lambda path: path["parents"].append({"type": "Remit::Path", "id": "/data/in"}),
        lambda path: path["parents"].append("odd"),
    ],
)
def test_an_odd_entity_that_no_policy_names_still_denies(request_of, change):
    request = request_of("fs:read", "/data/in/file", approved=True)
    judge = decider(OPEN)
    [folder] = [one for one in request.entities if one["uid"]["id"] == "/data/in"]
    change(folder)
    with pytest.raises(ValueError, match=r"\w"):
        judge.engine.entities(request.entities)
    assert judge.decide(request).outcome == "deny"


def test_no_fact_that_policies_read_is_a_file_or_a_topic():
    rules = re.sub(r"//.*", "", schema_text())
    assert re.findall(r"[:<]\s*(?:Set\s*<\s*)?(?:Remit::)?(?:Path|Topic)\b", rules) == []


@pytest.mark.parametrize(
    ("resources", "asked"),
    [
        (["/data/a", "/data/b", "/data/c"], 1),
        (["/data/a", "/data/named", "/data/b"], 2),
        (["/data/a", "/other/a"], 1),
        (["/data/a", "/data/a/a", "/"], 1),
        (["/data/a", "/data/named/a", "/data/named/a/b"], 2),
        (["/data/a", "/etc/a", "/etc/b/c"], 2),
        (["/data/a", "/data/.ssh"], 2),
        (["/etc", "/data"], 2),
    ],
)
def test_cedar_is_asked_once_about_files_that_no_policy_tells_apart(request_of, monkeypatch, resources, asked):
    judge = Decider(
        load(
            "standard", {"x.cedar": '@id("x") forbid (principal, action, resource == Remit::Path::"/data/named");'}
        ).engine
    )
    answers, authorize = [], judge.engine.authorize
    monkeypatch.setattr(judge.engine, "authorize", lambda *given: answers.append(authorize(*given)) or answers[-1])
    for resource in resources:
        judge.decide(request_of("fs:read", resource, approved=True))
    assert len(answers) == asked


def test_a_set_that_cannot_be_looked_into_is_asked_about_each_file(request_of):
    deep = '@id("deep") permit (principal, action, resource) when { ' + "(" * 200 + "true" + " && true)" * 200 + " };"
    engine = Engine.parse(deep + ' forbid (principal, action, resource == Remit::Path::"/data/no");', schema_text())
    judge = Decider(engine)
    answers = [judge.decide(request_of("fs:read", path)).outcome for path in ("/data/yes", "/data/no")]
    assert answers == ["allow", "deny"]


def test_a_fault_on_the_parser_thread_comes_back_to_the_caller():
    with pytest.raises(ZeroDivisionError):
        on_large_stack(lambda: 1 // 0)


def test_annotations_of_many_policies_come_without_repeats():
    engine = load("standard", {}).engine
    assert engine.annotation(["ask.http", "ask.http", "nowhere"], "why") == [
        "reaching the network needs a person's consent"
    ]
