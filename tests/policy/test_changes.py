"""What a change of policies, facts or grants does to leases: all that it touches, and nothing else."""

from __future__ import annotations

import pytest

from remit.errors import GrantUnknown, LeaseDenied
from remit.kernel.model import Capability, EntityRef
from remit.policy.postures import load

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
