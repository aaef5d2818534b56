"""Hostile requests: denied, and never taken for something else."""

from __future__ import annotations

import msgspec
import pytest

from remit.kernel.model import Capability, EntityRef
from remit.policy.deciding.decider import Decider
from remit.policy.deciding.requests import capability_use
from remit.policy.postures import schema_text
from remit.policy.sets.corpus import authorize_lines
from remit.policy.sets.engine import Engine, parse_schema
from remit.policy.sets.policyset import compile_set
from remit.schemas.config import Operator
from tests.policy.adversarial.entries import Entries

attack = Entries()
OPEN = '@id("open") permit (principal, action, resource);'
NOBODY = {"type": "U", "id": "ann"}
LINE = {"principal": NOBODY, "action": {"type": "Action", "id": "look"}, "resource": {"type": "B", "id": "b"}}


def judge(text=OPEN):
    """A decider over a set that permits everything, whatever Remit's own policies say."""
    schema = parse_schema(schema_text())
    policies, findings, _ = compile_set({"x.cedar": text}, schema)
    assert not any(one.severity == "error" for one in findings)
    return Decider(Engine(policies, schema))


def asked(at, **changes):
    emit = Capability("events:emit", "text.a")
    request = capability_use(at.world.unit(), emit, declared=True, approved=False, units={})
    return msgspec.structs.replace(request, **changes)


def denied(at, **changes):
    """Even the most open set denies a request with these parts, and says why."""
    decision = judge().decide(asked(at, **changes))
    assert (decision.outcome, decision.policies) == ("deny", ())
    assert decision.reason
    return decision


def lease(**changes):
    return {"lease": {"declared": True, "approved": False, **changes}}


@attack("quotes in unit names")
def _(at):
    only = judge('@id("one") permit (principal == Remit::Unit::"acme/tool", action, resource);')
    assert only.decide(asked(at)).allowed
    for name in (
        'acme/tool"',
        'acme/tool" || true || "',
        'x", action, resource); permit(principal == Remit::Unit::"acme/tool',
    ):
        unit = at.world.unit(name)
        request = capability_use(unit, Capability("events:emit", "text"), declared=True, approved=False, units={})
        assert not only.decide(request).allowed


@attack("newline ids")
def _(at):
    operators = {"ann": Operator(("owner",)), "ann\nowner": Operator()}
    authority = at.world.authority(operators=operators)
    home = EntityRef("Home", 'home\nRemit::Home::"other"')
    assert authority.authorize("ann", "unit:apply", home).allowed
    for name in ("ann\nowner", "ann\n", "\nann"):
        assert not authority.authorize(name, "unit:apply", home).allowed


@attack('Unit::"a"::"b"')
def _(at):
    for name in ('Unit::"a"::"b"', 'Remit::Operator::"local"', 'Operator::"local"'):
        assert not at.world.authority().authorize(name, "unit:apply", EntityRef("Home", "h")).allowed
    for uid in ('Unit::"a"::"b"', 'U::"ann"::"x"', 'U::"a\nb"'):
        line = msgspec.json.encode(LINE | {"principal": uid}).decode()
        ((verdict, fault),) = authorize_lines("permit (principal, action, resource);", "[]", None, [line])
        assert (verdict.decision, bool(fault)) == ("deny", True)


@attack("float, null or 2^63")
def _(at):
    for value in (1.5, None, 1 << 63, 1 << 70, -(1 << 63) - 1, "1", True, [1]):
        denied(at, context=lease(calls=value))


@attack("duplicate keys")
def _(_at):
    for twice in ('"context": {"a": 1, "a": 2}', '"context": {}, "context": {"a": 2}'):
        line = msgspec.json.encode(LINE).decode()[:-1] + f", {twice}}}"
        ((verdict, fault),) = authorize_lines("permit (principal, action, resource);", "[]", None, [line])
        assert verdict.decision == "deny"
        assert "twice" in fault


@attack("extra or missing context key")
def _(at):
    for context in ({}, {"lease": {}}, {"lease": {"declared": True}}, lease(extra=1), lease() | {"more": 1}):
        denied(at, context=context)
    known = at.world.authority().authorize("local", "policy:publish", EntityRef("Home", "h"), {"widens": False})
    assert known.allowed
    for facts in ({"widening": False}, {"widens": "no"}, {"widens": False, "": 1}):
        assert not at.world.authority().authorize("local", "policy:publish", EntityRef("Home", "h"), facts).allowed


@attack("unknown enum")
def _(at):
    request = asked(at)
    for entity in request.entities:
        if entity["uid"]["type"] == "Remit::Unit":
            entity["attrs"]["admission"] = {"__entity": {"type": "Remit::Admission", "id": "blessed"}}
    denied(at, entities=request.entities)
    from remit.policy.deciding.requests import at_special_address  # noqa: PLC0415 - beside the one that uses it

    origin = capability_use(
        at.world.unit(), Capability("net:http", "https://a.example"), declared=True, approved=True, units={}
    )
    assert not judge().decide(at_special_address(origin, "harmless")).allowed


@attack("missing publisher entity")
def _(at):
    guard = (
        '@id("no") forbid (principal, action in Remit::Action::"use", resource) '
        "when { principal.publisher.quarantined };"
    )
    request = asked(at)
    left = [one for one in request.entities if one["uid"]["type"] != "Remit::Publisher"]
    decision = judge(OPEN + guard).decide(msgspec.structs.replace(request, entities=left))
    assert (decision.outcome, decision.policies) == ("deny", ("no",))
    assert "failed to evaluate" in decision.reason


@attack("entity cycles")
def _(at):
    topics = [{"type": "Remit::Topic", "id": name} for name in ("text.a", "text")]
    ring = [{"uid": one, "attrs": {}, "parents": [other]} for one, other in (topics, topics[::-1])]
    others = [one for one in asked(at).entities if one["uid"] not in topics]
    denied(at, entities=others + ring)


@attack("duplicate uid")
def _(at):
    request = asked(at)
    twin = next(one for one in request.entities if one["uid"]["type"] == "Remit::Unit")
    other = twin | {"attrs": twin["attrs"] | {"version": "9.9.9"}}
    denied(at, entities=[*request.entities, other])


@attack("10k ancestors")
def _(at):
    deep = ".".join(["a"] * 10_000)
    assert at.world.authority().review(at.world.unit(), Capability("events:emit", deep)).outcome == "deny"
    assert at.world.authority().review(at.world.unit(), Capability("fs:read", "/a" * 10_000)).outcome == "deny"
    crowd = [{"type": "Remit::Topic", "id": f"t{number}"} for number in range(10_000)]
    heir = {"type": "Remit::Topic", "id": "heir"}
    family = [{"uid": one, "attrs": {}, "parents": []} for one in crowd]
    engine = judge('@id("top") permit (principal, action, resource in Remit::Topic::"t9999");').engine
    facts = engine.entities([*asked(at).entities, *family, {"uid": heir, "attrs": {}, "parents": crowd}])
    for resource, decision in ((heir, "allow"), (crowd[0], "deny")):
        request = asked(at).cedar() | {"resource": resource}
        answer = engine.authorize(request, facts, sliced=True)
        assert answer.decision == decision
        assert answer == engine.authorize(request, facts, sliced=False)


@pytest.mark.parametrize("entry", attack)
def test_hostile_requests(at, entry):
    attack[entry](at)
