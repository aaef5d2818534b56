"""Fail closed: the places where Cedar, or its binding, would answer yes."""

from __future__ import annotations

import json

import cedarpy
import pytest

from remit.kernel.model import Budget, Capability, EntityRef
from remit.policy.decider import Decider
from remit.policy.engine import Engine, Facts, on_large_stack, parse_schema
from remit.policy.policyset import compile_set
from remit.policy.postures import load, schema_text
from remit.policy.requests import Request, capability_use

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
    loose = Facts(cedarpy.Entities.from_json_str(json.dumps(request.entities)), request.entities)
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
    monkeypatch.setattr("remit.policy.decider._MEMO", 8)
    judge = decider(OPEN)
    for count in range(50):
        assert judge.decide(request_of(resource=f"topic.n{count}")).allowed
        assert len(judge._memo) <= 8


def test_a_fault_on_the_parser_thread_comes_back_to_the_caller():
    with pytest.raises(ZeroDivisionError):
        on_large_stack(lambda: 1 // 0)


def test_annotations_of_many_policies_come_without_repeats():
    engine = load("standard", {}).engine
    assert engine.annotation(["ask.http", "ask.http", "nowhere"], "why") == [
        "reaching the network needs a person's consent"
    ]
