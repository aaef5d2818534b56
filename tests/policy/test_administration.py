"""Administration: policy decides it too, by the facts that it is told."""

from __future__ import annotations

import pytest

from remit.errors import PolicyInvalid
from remit.kernel.model import Capability, EntityRef, Grant
from tests.policy.uses import EMIT, decisions_during


def test_facts_reach_policy_and_unknown_ones_deny(world):
    rule = (
        '@id("site.signed") @why("signed only") forbid (principal, action == Remit::Action::"unit:install", resource)'
    )
    rule += ' when { context has admission && context.admission == "local" };'
    authority = world.authority(files={"policy/site.cedar": rule})
    install = ("local", "unit:install", EntityRef("Unit", "acme/tool"))
    assert authority.authorize(*install, {"admission": "signed"}).outcome == "allow"
    assert authority.authorize(*install, {"admission": "local"}).policies == ("site.signed",)
    assert authority.authorize(*install, {"adm1ssion": "signed"}).outcome == "deny"
    assert authority.authorize(*install, {"admission": 1}).outcome == "deny"


def test_truth_and_one_are_not_the_same_question(world):
    authority = world.authority()
    question = ("local", "action:invoke", EntityRef("Action", "acme/tool:run"))
    assert authority.authorize(*question, {"depth": 1}).outcome == "allow"
    assert authority.authorize(*question, {"depth": True}).outcome == "deny"
    assert authority.authorize(*question, {"chain": ["sha256:a"]}).outcome == "allow"
    assert authority.authorize(*question, {"chain": {"a": []}}).outcome == "deny"


def test_administration_is_remembered_per_epoch_and_bounded(world, monkeypatch):
    monkeypatch.setattr("remit.policy.operators._MAX_MEMO", 4)
    authority = world.authority()
    question = ("local", "action:invoke", EntityRef("Action", "acme/tool:run"))
    authority.authorize(*question)
    assert decisions_during(authority, lambda: authority.authorize(*question)) == 0
    authority.activate([], [])
    assert decisions_during(authority, lambda: authority.authorize(*question)) == 1
    for count in range(20):
        authority.authorize("local", "action:invoke", EntityRef("Action", f"acme/tool:a{count}"))
        assert len(authority.operators._memo[1]) <= 4


def test_facts_of_active_units_and_grants_are_known_to_administration(world):
    rule = '@id("site.ours") forbid (principal, action == Remit::Action::"lease:revoke",'
    rule += ' resource in Remit::Publisher::"acme");'
    unit = world.unit("acme/tool")
    grant = world.grant(unit, *EMIT)
    authority = world.started(grant, files={"policy/site.cedar": rule})
    assert authority.authorize("local", "lease:revoke", EntityRef("Grant", grant.id)).policies == ("site.ours",)
    assert authority.authorize("local", "lease:revoke", EntityRef("Grant", "other")).outcome == "allow"


@pytest.mark.parametrize(
    ("principal", "action", "resource"),
    [
        ("x" * 1_000, "unit:apply", EntityRef("Home", "h")),
        ("local", "unit:apply", EntityRef("Home", "h" * 10_000)),
        ("local", "unit:explode", EntityRef("Home", "h")),
        ("local", "event:emit", EntityRef("Topic", "Not A Topic")),
        ("local", "event:emit", EntityRef("Home", "h")),
        ("local", "action:invoke", EntityRef("Action", "acme/tool")),
        ("mallory", "action:invoke", EntityRef("Action", "acme/tool:run")),
    ],
)
def test_what_is_unknown_or_malformed_is_denied_with_a_reason(world, principal, action, resource):
    decision = world.authority().authorize(principal, action, resource)
    assert decision.outcome == "deny"
    assert decision.reason


@pytest.mark.parametrize(
    "capability",
    [
        Capability("no:such", "x"),
        Capability("net:http", "nonsense"),
        Capability("fs:read", "/a/../b"),
        Capability("", ""),
    ],
)
def test_a_capability_that_makes_no_sense_is_reviewed_as_denied(world, capability):
    decision = world.authority().review(world.unit(), capability)
    assert decision.outcome == "deny"
    assert decision.reason


def test_wrong_policies_keep_an_authority_from_existing(world):
    with pytest.raises(PolicyInvalid):
        world.authority(files={"policy/site.cedar": "permit ("})


def test_grants_are_listed_in_the_order_given(world):
    unit = world.unit()
    grants = [world.grant(unit, "events:emit", name) for name in ("c", "a", "b")]
    authority = world.started(*grants)
    assert [one.grant for one in authority.grants()] == grants
    assert all(isinstance(one.grant, Grant) for one in authority.grants())
