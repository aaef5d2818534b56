"""What a change of policies, facts or grants does to leases: all that it touches, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remit.errors import GrantUnknown, LeaseDenied
from remit.kernel.model import Capability, EntityRef
from remit.policy.postures import load
from remit.policy.sets.engine import Engine
from remit.policy.sets.slices import ScopeIndex

EMIT = "events:emit"


def forbid(scope):
    return {"policy/a.cedar": f'@id("site.a") forbid ({scope});'}


def leases(authority):
    return {key[3] for key in authority._leases}


@pytest.fixture
def busy(world):
    """Two units of two publishers with a live lease each on two topics."""
    units = [world.unit("acme/one"), world.unit("zeta/two")]
    grants = [world.grant(unit, EMIT, topic) for unit in units for topic in ("text", "note")]
    authority = world.started(*grants)
    for grant in grants:
        authority.use(grant.unit, EMIT, f"{grant.capability.resource}.{grant.unit.publisher}")
    return authority, units


@pytest.mark.parametrize(
    ("scope", "touched"),
    [
        ('principal == Remit::Unit::"acme/one", action, resource', {"text.acme", "note.acme"}),
        ('principal in Remit::Publisher::"zeta", action, resource', {"text.zeta", "note.zeta"}),
        ('principal, action, resource in Remit::Topic::"text"', {"text.acme", "text.zeta"}),
        ('principal, action, resource == Remit::Topic::"note.zeta"', {"note.zeta", "note.acme"}),
        ('principal == Remit::Unit::"other/x", action, resource', set()),
        ('principal, action == Remit::Action::"fs:read", resource in Remit::Path::"/srv"', set()),
    ],
)
def test_a_published_set_touches_only_leases_in_its_scope(busy, scope, touched):
    authority, _ = busy
    before = leases(authority)
    authority.publish(load("standard", forbid(scope)))
    assert before - leases(authority) == touched


def test_a_published_set_decides_the_next_use(busy):
    authority, units = busy
    authority.publish(load("standard", forbid('principal in Remit::Publisher::"acme", action, resource')))
    with pytest.raises(LeaseDenied) as caught:
        authority.use(units[0], EMIT, "text.acme")
    assert caught.value.details["policies"] == ["site.a"]
    authority.use(units[1], EMIT, "text.zeta")
    authority.publish(load("standard", {}))
    authority.use(units[0], EMIT, "text.acme")


SCOPES = [
    f"{principal}, action, {resource}"
    for principal in (
        "principal", "principal is Remit::Unit", 'principal == Remit::Unit::"acme/one"',
        'principal in Remit::Publisher::"zeta"', 'principal == Remit::Unit::"other/x"',
    )
    for resource in (
        "resource", 'resource == Remit::Topic::"text"', 'resource in Remit::Topic::"note.acme"',
        'resource in Remit::Topic::"note.other"', 'resource in Remit::Path::"/srv"',
    )
]  # fmt: skip


@given(scopes=st.sets(st.sampled_from(SCOPES), min_size=1, max_size=3))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])  # makes worlds
def test_no_lease_is_kept_that_a_changed_scope_can_reach(new_world, scopes):
    world = new_world()
    units = [world.unit("acme/one"), world.unit("zeta/two")]
    grants = [world.grant(unit, EMIT, topic) for unit in units for topic in ("text", "note")]
    authority = world.started(*grants)
    for grant in grants:
        authority.use(grant.unit, EMIT, f"{grant.capability.resource}.{grant.unit.publisher}")
    held = list(authority._leases.values())
    rules = [f'@id("site.{place}") forbid ({scope});' for place, scope in enumerate(sorted(scopes))]
    candidate = load("standard", {"policy/a.cedar": "\n".join(rules)}, like=authority.epoch.policies)
    index = ScopeIndex({one: candidate.engine.policies[one] for one in candidate.engine.policies if "site" in one})
    authority.publish(candidate)
    for lease in held:
        principals, resources = lease.scope
        below = index.named_below("Remit::Topic", f"{lease.grant.capability.resource}.")
        reached = index.reach(principals, (), [*resources, *below])
        assert (authority._leases.get(lease.key) is lease) == (not reached)


def test_what_follows_from_policies_alone_outlives_other_changes(busy, monkeypatch):
    authority, units = busy
    [first, second, *_] = [status.grant.id for status in authority.grants()]
    asked = []
    real = Engine.reach
    monkeypatch.setattr(Engine, "reach", lambda *given: asked.append(given) or real(*given))
    authority.revoke(first)
    authority.quarantine("zeta", by="local")
    authority.renew(second)
    authority.use(units[0], EMIT, "note.acme")
    assert asked == []
    authority.publish(load("standard", forbid('principal in Remit::Publisher::"acme", action, resource')))
    with pytest.raises(LeaseDenied):
        authority.use(units[0], EMIT, "note.acme")
    assert len(asked) == 1


def test_a_layout_change_touches_no_lease(busy):
    authority, _ = busy
    authority.publish(load("standard", forbid('principal == Remit::Unit::"x/y", action, resource')))
    before = leases(authority)
    authority.publish(
        load(
            "standard",
            {"policy/b.cedar": forbid('principal\n == Remit::Unit::"x/y",action,resource')["policy/a.cedar"]},
        )
    )
    assert leases(authority) == before


def test_a_quarantine_stops_a_publishers_units_and_nobody_elses(busy, world):
    authority, units = busy
    authority.quarantine("acme", by="local", reason="stolen key")
    with pytest.raises(LeaseDenied) as caught:
        authority.use(units[0], EMIT, "text.acme")
    assert caught.value.details["policies"] == ["guard.quarantine"]
    authority.use(units[1], EMIT, "text.zeta")
    assert authority.review(units[0], Capability(EMIT, "text")).outcome == "deny"
    assert authority.authorize("local", "unit:install", EntityRef("Unit", "acme/new")).outcome == "deny"
    assert authority.authorize("local", "unit:install", EntityRef("Unit", "zeta/new")).outcome == "allow"
    restarted = world.authority()
    restarted.activate(units, [world.grant(units[0], EMIT, "text")])
    with pytest.raises(LeaseDenied):
        restarted.use(units[0], EMIT, "text.acme")
    authority.release("acme", by="local")
    authority.use(units[0], EMIT, "text.acme")


def test_revoking_many_is_all_or_nothing(busy):
    authority, units = busy
    ids = [status.grant.id for status in authority.grants()]
    with pytest.raises(GrantUnknown):
        authority.revoke(*ids, "other")
    authority.use(units[0], EMIT, "text.acme")
    authority.revoke(*ids)
    assert {status.state for status in authority.grants()} == {"revoked"}
    with pytest.raises(LeaseDenied):
        authority.use(units[0], EMIT, "text.acme")


def test_renewing_decides_again_and_ends_nothing(busy):
    authority, units = busy
    [first, *_] = [status.grant.id for status in authority.grants()]
    before = leases(authority)
    authority.renew(first)
    assert before - leases(authority) == {"text.acme"}
    authority.use(units[0], EMIT, "text.acme")


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("", "cached"),
        ('@id("s") forbid (principal, action, resource == Remit::Topic::"text.x");', "guarded"),
        ('@id("s") forbid (principal, action, resource in Remit::Topic::"text.x");', "guarded"),
        ('@id("s") forbid (principal, action, resource == Remit::Topic::"text");', "guarded"),
        ('@id("s") forbid (principal, action, resource in Remit::Topic::"text") when { false };', "cached"),
        ('@id("s") forbid (principal, action, resource in Remit::Topic::"note");', "cached"),
        ('@id("s") forbid (principal, action, resource) when { resource in Remit::Topic::"text.a" };', "guarded"),
        ('@id("s") forbid (principal, action, resource) when { resource in Remit::Topic::"other" };', "cached"),
        ('@id("s") forbid (principal, action, resource) when { resource == Remit::Topic::"x" };', "guarded"),
        ('@id("s") forbid (principal == Remit::Unit::"x/y", action, resource == Remit::Topic::"text.x");', "cached"),
    ],
)  # fmt: skip
def test_the_mode_follows_from_what_the_policies_in_reach_read(world, text, mode):
    unit = world.unit()
    authority = world.started(world.grant(unit, EMIT, "text"), files={"policy/a.cedar": text} if text else {})
    assert authority.epoch.outlook(authority.epoch.standing.holdings[0]).mode == mode


def test_files_are_guarded_because_places_have_classes(world):
    unit = world.unit()
    authority = world.started(world.grant(unit, "fs:read", "/srv"))
    assert authority.epoch.outlook(authority.epoch.standing.holdings[0]).mode == "guarded"
    authority.use(unit, "fs:read", "/srv/a")
    with pytest.raises(LeaseDenied):
        authority.use(unit, "fs:read", "/srv/.ssh/id")
