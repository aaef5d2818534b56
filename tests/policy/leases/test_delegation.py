"""A part of a grant for another unit: never more than the grant, and no longer than it stands."""

from __future__ import annotations

import pytest

from remit.errors import DelegationTooWide, GrantUnknown, LeaseDenied, LeaseExhausted, ResourceInvalid
from remit.kernel.model import Budget, Capability
from remit.policy.postures import load

EMIT = "events:emit"
BOUND = Budget(60_000, calls=4, bytes=100)


class Family:
    """A parent with a bounded grant on a topic, and a child unit beside it."""

    def __init__(self, world):
        self.world = world
        self.parent, self.child = world.unit("acme/parent"), world.unit("zeta/child")
        self.grant = world.grant(self.parent, EMIT, "text", methods=(), budget=BOUND)
        world.journal.give(self.grant)
        self.authority = self.start()

    def start(self):
        authority = self.world.authority()
        authority.activate([self.parent, self.child], [self.grant])
        return authority

    def part(self, resource="text.a", calls=2, nbytes=50, window=60_000, action=EMIT):
        return Capability(action, resource, budget=Budget(window, calls, nbytes))

    def delegate(self, capability=None, authority=None):
        return (authority or self.authority).delegate(self.grant.id, self.child.id, capability or self.part(), by="ann")

    def use(self, resource="text.a.b", authority=None, **options):
        return (authority or self.authority).use(self.child, EMIT, resource, **options)


@pytest.fixture
def family(world):
    return Family(world)


def test_the_child_may_use_the_part_and_nothing_beside_it(family):
    with pytest.raises(LeaseDenied):
        family.use()
    grant = family.delegate()
    assert family.use() == grant
    assert (grant.parent, grant.consent) == (family.grant.id, "ann")
    with pytest.raises(LeaseDenied):
        family.use("text.b")


@pytest.mark.parametrize(
    "wide",
    [
        {"resource": "note"}, {"resource": "textual"}, {"calls": 5}, {"calls": None}, {"nbytes": 101}, {"nbytes": None},
        {"window": 1_000}, {"calls": -1}, {"action": "events:subscribe"},
    ],
)  # fmt: skip
def test_what_reaches_further_is_refused(family, wide):
    with pytest.raises(DelegationTooWide):
        family.delegate(family.part(**wide))
    with pytest.raises(DelegationTooWide):
        family.delegate(Capability(EMIT, "text.a"))


def test_methods_are_a_subset(world):
    parent, child = world.unit("acme/parent"), world.unit("zeta/child")
    grant = world.grant(parent, "net:http", "https://a.example.com", methods=("GET",))
    authority = world.started(grant)
    authority.activate([parent, child], [grant])
    for methods in ((), ("POST",), ("GET", "POST")):
        with pytest.raises(DelegationTooWide):
            authority.delegate(grant.id, child.id, Capability("net:http", "https://a.example.com", methods), by="ann")
    authority.delegate(grant.id, child.id, Capability("net:http", "https://a.example.com", ("GET",)), by="ann")
    assert authority.use(child, "net:http", "https://a.example.com", method="GET").parent == grant.id


def test_the_child_spends_from_the_parents_budget(family):
    family.delegate()
    family.use(nbytes=40)
    family.authority.use(family.parent, EMIT, "text", calls=3)
    with pytest.raises(LeaseExhausted):
        family.use()
    with pytest.raises(LeaseExhausted):
        family.authority.use(family.parent, EMIT, "text")


def test_the_child_never_spends_more_than_its_own_part(family):
    family.delegate()
    family.use(calls=2)
    with pytest.raises(LeaseExhausted):
        family.use()
    family.authority.use(family.parent, EMIT, "text", calls=2)


def test_a_refusal_by_the_parents_budget_charges_the_child_nothing(family):
    family.delegate()
    family.authority.use(family.parent, EMIT, "text", calls=4)
    with pytest.raises(LeaseExhausted):
        family.use()
    [_, child] = family.authority.statuses()
    assert (child.calls_left, child.bytes_left) == (2, 50)


def test_revoking_the_parent_ends_the_child_at_its_next_use(family):
    family.delegate()
    family.use()
    family.authority.revoke(family.grant.id)
    with pytest.raises(LeaseDenied):
        family.use()
    assert [one.state for one in family.authority.statuses()] == ["revoked", "revoked"]


def test_revoking_the_child_leaves_the_parent(family):
    grant = family.delegate()
    family.authority.revoke(grant.id)
    with pytest.raises(LeaseDenied):
        family.use()
    family.authority.use(family.parent, EMIT, "text")
    with pytest.raises(GrantUnknown):
        family.authority.delegate(grant.id, family.parent.id, family.part(), by="ann")


def test_what_policy_denies_to_the_parent_it_denies_to_the_child(family):
    family.delegate()
    family.use()
    text = '@id("site.a") forbid (principal == Remit::Unit::"acme/parent", action, resource);'
    family.authority.publish(load("standard", {"policy/a.cedar": text}))
    with pytest.raises(LeaseDenied) as caught:
        family.use()
    assert caught.value.details["policies"] == ["site.a"]
    family.authority.publish(load("standard", {}))
    family.use()
    family.authority.quarantine("acme", by="local")
    with pytest.raises(LeaseDenied):
        family.use()


def test_a_delegation_outlives_a_restart_and_ends_with_the_generation(family):
    grant = family.delegate()
    again = family.start()
    assert family.use(authority=again) == grant
    again.activate([family.parent, family.child], [])
    with pytest.raises(LeaseDenied):
        family.use(authority=again)


def test_an_upgraded_child_does_not_inherit(family):
    family.delegate()
    again = family.world.authority()
    upgraded = family.world.unit("zeta/child", version="2.0.0")
    again.activate([family.parent, upgraded], [family.grant])
    with pytest.raises(LeaseDenied):
        again.use(upgraded, EMIT, "text.a.b")


def test_a_line_of_delegations_is_short_and_the_same_part_is_one_grant(family):
    grant = family.delegate()
    assert family.delegate() == grant
    for depth in range(2):
        unit = (family.parent, family.child)[depth % 2]
        grant = family.authority.delegate(grant.id, unit.id, family.part(), by="ann")
    with pytest.raises(DelegationTooWide):
        family.authority.delegate(grant.id, family.parent.id, family.part(), by="ann")


def test_a_revoked_part_is_delegated_anew_and_stays_revoked_itself(family):
    first = family.delegate()
    family.use(calls=2)
    family.authority.revoke(first.id)
    second = family.delegate()
    assert second.id != first.id
    assert family.use() == second
    assert [one.state for one in family.authority.statuses()] == ["standing", "revoked", "standing"]
    family.world.journal.say("grant.revoked", {"id": first.id, "by": "local"})
    again = family.start()
    assert family.delegate(authority=again) == second


def test_a_part_is_consented_to_under_the_policies_of_that_day(world):
    """Who delegates consents for the receiver: an edit of a policy in reach voids that like any other consent."""
    parent, child = world.unit("acme/parent"), world.unit("zeta/child")
    http = Capability("net:http", "https://a.example.com")
    grant = world.grant(parent, http.action, http.resource)
    authority = world.started(grant)
    authority.activate([parent, child], [grant])
    authority.delegate(grant.id, child.id, http, by="local")
    assert authority.use(child, http.action, http.resource)
    text = '@id("site.a") forbid (principal == Remit::Unit::"zeta/child", action, resource) when { false };'
    authority.publish(load("standard", {"policy/a.cedar": text}))
    with pytest.raises(LeaseDenied) as caught:
        authority.use(child, http.action, http.resource)
    assert authority.use(parent, http.action, http.resource) == grant
    authority.answer(caught.value.details["consent"], given=True, by="local")
    assert authority.use(child, http.action, http.resource).parent == grant.id


def test_unknown_units_grants_and_resources_are_refused(family):
    with pytest.raises(GrantUnknown):
        family.authority.delegate("g0", family.child.id, family.part(), by="ann")
    with pytest.raises(GrantUnknown):
        family.authority.delegate(family.grant.id, "acme/unknown", family.part(), by="ann")
    with pytest.raises(ResourceInvalid):
        family.delegate(family.part(resource="Not A Topic"))
