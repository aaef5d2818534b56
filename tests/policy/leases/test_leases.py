"""Leases: taken at the first use, renewed while the grant stands, ended by a revocation or another generation."""

from __future__ import annotations

import threading

import pytest

from remit.errors import GrantUnknown, LeaseDenied
from remit.policy.authority import LEASE_MS
from tests.policy.uses import EMIT, decisions_during, refused


def test_a_lease_is_taken_at_first_use_and_renewed_while_the_grant_stands(world):
    unit = world.unit()
    authority = world.started(world.grant(unit, *EMIT))
    assert authority.grants()[0].lease_until_ms is None
    for _ in range(3):
        authority.use(unit, *EMIT)
        assert authority.grants()[0].lease_until_ms == world.clock.wall + LEASE_MS
        world.clock.advance(LEASE_MS)
        assert authority.grants()[0].lease_until_ms is None


def test_within_a_lease_cedar_is_not_asked(world):
    unit = world.unit()
    authority = world.started(world.grant(unit, *EMIT))
    authority.use(unit, *EMIT)
    assert decisions_during(authority, lambda: [authority.use(unit, *EMIT) for _ in range(10)]) == 0
    world.clock.advance(LEASE_MS)
    assert decisions_during(authority, lambda: [authority.use(unit, *EMIT) for _ in range(10)]) == 1


@pytest.mark.parametrize("wall", [-3_600_000, 3_600_000])
def test_a_wall_clock_that_jumps_never_stretches_a_lease(world, wall):
    unit = world.unit()
    authority = world.started(world.grant(unit, *EMIT))
    authority.use(unit, *EMIT)
    world.clock.wall += wall
    world.clock.mono += LEASE_MS * 1_000_000
    assert decisions_during(authority, lambda: authority.use(unit, *EMIT)) == 1


def test_the_lease_table_is_bounded(world, monkeypatch):
    monkeypatch.setattr("remit.policy.authority._MAX_LEASES", 5)
    unit = world.unit()
    authority = world.started(world.grant(unit, "events:emit", "text"))
    for count in range(30):
        authority.use(unit, "events:emit", f"text.n{count}")
        assert len(authority._leases) <= 5


# ---- revoking and activating ----


def test_revoking_is_effective_at_the_next_use(world):
    unit = world.unit()
    grant, other = world.grant(unit, *EMIT), world.grant(unit, "action:call", "acme/base")
    authority = world.started(grant, other)
    authority.use(unit, *EMIT)
    authority.revoke(grant.id)
    error = refused(authority, unit, *EMIT)
    assert f"{grant.id} was revoked" in error.message
    assert authority.use(unit, "action:call", "acme/base:run") == other
    assert [one.state for one in authority.grants()] == ["revoked", "standing"]


def test_a_revoked_grant_stays_so_when_it_is_activated_again_and_after_a_restart(world):
    unit = world.unit()
    grant = world.grant(unit, *EMIT)
    authority = world.started(grant)
    authority.revoke(grant.id)
    authority.activate([unit], [])
    authority.activate([unit], [grant])
    refused(authority, unit, *EMIT)
    world.journal.say("grant.revoked", {"id": grant.id, "reason": "spam", "by": "local"})
    restarted = world.authority()
    restarted.activate([unit], [grant])
    refused(restarted, unit, *EMIT)


def test_an_unknown_grant_cannot_be_revoked(world):
    with pytest.raises(GrantUnknown):
        world.started().revoke("grant-0")


def test_a_generation_without_the_grant_ends_its_leases_at_once(world):
    unit = world.unit()
    authority = world.started(world.grant(unit, *EMIT))
    authority.use(unit, *EMIT)
    authority.activate([unit], [])
    refused(authority, unit, *EMIT)
    assert authority.grants() == []


def test_before_anything_is_activated_nothing_is_allowed(world):
    refused(world.authority(), world.unit(), *EMIT)


def test_a_revoke_between_decision_and_charge_wins(world):
    unit = world.unit()
    grant = world.grant(unit, *EMIT)
    authority = world.started(grant)
    take = authority._take

    def late(*arguments):
        lease = take(*arguments)
        authority._take = take
        authority.revoke(grant.id)
        return lease

    authority._take = late
    assert "was revoked" in refused(authority, unit, *EMIT).message


def test_threads_that_use_while_grants_are_swapped_see_only_typed_answers(world):
    unit = world.unit()
    grant = world.grant(unit, *EMIT)
    authority = world.started(grant)
    stop, odd = threading.Event(), []

    def work():
        while not stop.is_set():
            try:
                if authority.use(unit, *EMIT) != grant:
                    odd.append("another grant")
            except LeaseDenied:
                continue
            except BaseException as error:  # noqa: BLE001 - whatever it is, it is a finding
                odd.append(error)
                return

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(30):
        authority.activate([unit], [])
        authority.activate([unit], [grant])
    stop.set()
    for thread in threads:
        thread.join()
    assert odd == []
    assert authority.use(unit, *EMIT) == grant
