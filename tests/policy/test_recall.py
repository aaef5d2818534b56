"""A killed version: nothing of it, and nothing that leads to it, is used once more."""

from __future__ import annotations

import pytest

from remit.errors import LeaseDenied
from remit.kernel.model import Capability


def test_a_killed_unit_uses_nothing_more(world):
    unit = world.unit()
    authority = world.started(world.grant(unit, "events:emit", "text"))
    authority.use(unit, "events:emit", "text")
    authority.recall(unit.digest)
    with pytest.raises(LeaseDenied, match="killed"):
        authority.use(unit, "events:emit", "text")


def test_nobody_calls_a_killed_unit_any_more(world):
    caller, callee = world.unit("acme/caller"), world.unit("acme/callee")
    calls = world.grant(caller, "action:call", "acme/callee:run")
    authority = world.started(calls, world.grant(callee, "events:emit", "text"))
    authority.use(caller, "action:call", "acme/callee:run")
    authority.recall(callee.digest)
    with pytest.raises(LeaseDenied, match="killed"):
        authority.use(caller, "action:call", "acme/callee:run")


def test_what_a_killed_unit_delegated_ends_with_it(world):
    owner, helper = world.unit("acme/owner"), world.unit("acme/helper")
    grant = world.grant(owner, "events:emit", "text")
    authority = world.started(grant)
    authority.activate([owner, helper], [grant])
    authority.delegate(grant.id, helper.id, Capability("events:emit", "text.a"), by="local")
    authority.use(helper, "events:emit", "text.a")
    authority.recall(owner.digest)
    with pytest.raises(LeaseDenied, match="killed"):
        authority.use(helper, "events:emit", "text.a")


def test_other_units_keep_their_leases(world):
    one, two = world.unit("acme/one"), world.unit("acme/two")
    authority = world.started(world.grant(one, "events:emit", "text"), world.grant(two, "events:emit", "text"))
    authority.use(one, "events:emit", "text")
    authority.recall(two.digest)
    assert [status.lease_until_ms is not None for status in authority.grants()] == [True, False]
