"""Uses: what a grant covers, and what it is charged."""

from __future__ import annotations

import pytest

from remit.errors import LeaseExhausted
from remit.kernel.model import Budget
from remit.policy.authority import LEASE_MS
from tests.policy.uses import EMIT, HTTPS, MINUTE, refused

# ---- grants and what they cover ----


def test_a_grant_on_a_topic_allows_what_is_below_it(world):
    unit = world.unit()
    grant = world.grant(unit, "events:emit", "text")
    authority = world.started(grant)
    assert authority.use(unit, "events:emit", "text") == grant
    assert authority.use(unit, "events:emit", "text.redacted") == grant
    assert refused(authority, unit, "events:emit", "textual").details["policies"] == ["guard.undeclared"]


def test_a_use_without_a_grant_names_the_guard_and_what_would_help(world):
    unit = world.unit("acme/sneaky")
    error = refused(world.started(), unit, "net:http", HTTPS)
    assert error.details["policies"] == ["guard.undeclared"]
    assert "acme/sneaky may not use net:http on https://api.example.com" in error.message
    assert "declares no capability" in error.message
    assert "[[capability]]" in error.remedy


def test_no_grant_means_no_use_even_where_policy_has_no_guard(world, monkeypatch):
    monkeypatch.setattr("remit.policy.postures.run_canaries", lambda _engine, _posture: [])
    monkeypatch.setattr(
        "remit.policy.postures.posture_files",
        lambda _posture: {"all": '@id("all") permit (principal, action, resource);'},
    )
    assert "it holds no grant" in refused(world.started(), world.unit(), *EMIT).message


def test_another_digest_or_another_unit_inherits_nothing(world):
    unit = world.unit()
    authority = world.started(world.grant(unit, *EMIT))
    authority.use(unit, *EMIT)
    refused(authority, world.unit(version="1.0.1"), *EMIT)
    refused(authority, world.unit("acme/other", digest=unit.digest), *EMIT)


def test_an_unsigned_claim_does_not_matter_the_granted_unit_does(world):
    granted = world.unit(admission="local")
    authority = world.started(world.grant(granted, *EMIT), posture="strict")
    claimed = world.unit(admission="signed", digest=granted.digest)
    assert refused(authority, claimed, *EMIT).details["policies"] == ["guard.unsigned"]


def test_a_grant_without_the_consent_that_policy_wants_now_is_of_no_use(world):
    unit = world.unit()
    error = refused(world.started(world.grant(unit, "net:http", HTTPS, consent="")), unit, "net:http", HTTPS)
    assert error.details["policies"] == ["ask.http"]
    assert "--yes" in error.remedy


def test_consent_makes_it_useful(world):
    unit = world.unit()
    grant = world.grant(unit, "net:http", HTTPS, consent="local")
    assert world.started(grant).use(unit, "net:http", HTTPS, method="GET") == grant


def test_a_granted_folder_never_reaches_a_forbidden_place_inside_it(world):
    unit = world.unit()
    grant = world.grant(unit, "fs:read", "/")
    authority = world.started(grant)
    assert authority.use(unit, "fs:read", "/srv/in") == grant
    for path in ("/etc/passwd", "/home/bob/.ssh/id", "/proc/1/mem"):
        assert refused(authority, unit, "fs:read", path).details["policies"] == ["guard.secret-dirs"]
    assert refused(authority, unit, "fs:read", "/srv/home/remit.toml").details["policies"] == ["guard.own-files"]


@pytest.mark.parametrize("resource", ["/data/../etc", "//", "/data\n", "/" + "a" * (1 << 20), "", "\x1b[2J"])
def test_a_malformed_resource_is_denied_in_one_short_line(world, resource):
    unit = world.unit()
    authority = world.started(world.grant(unit, "fs:read", "/"))
    message = refused(authority, unit, "fs:read", resource).message
    assert len(message) < 1_000
    assert message.isprintable()


def test_a_grant_on_what_is_no_resource_covers_nothing(world):
    unit = world.unit()
    authority = world.started(world.grant(unit, "fs:read", "../"))
    refused(authority, unit, "fs:read", "/srv")
    assert [one.state for one in authority.grants()] == ["standing"]


def test_methods_outside_the_envelope_are_denied(world):
    unit = world.unit()
    authority = world.started(world.grant(unit, "net:http", HTTPS, methods=("GET", "HEAD")))
    authority.use(unit, "net:http", HTTPS, method="HEAD")
    for method in ("POST", "get", ""):
        assert "the grant is for GET, HEAD" in refused(authority, unit, "net:http", HTTPS, method=method).message


def test_two_grants_on_one_origin_each_serve_their_method_and_budget(world):
    unit = world.unit()
    read = world.grant(unit, "net:http", HTTPS, methods=("GET",))
    write = world.grant(unit, "net:http", HTTPS, methods=("POST",), budget=Budget(MINUTE, calls=1))
    authority = world.started(read, write)
    assert authority.use(unit, "net:http", HTTPS, method="POST") == write
    with pytest.raises(LeaseExhausted):
        authority.use(unit, "net:http", HTTPS, method="POST")
    assert authority.use(unit, "net:http", HTTPS, method="GET") == read


def test_the_more_specific_grant_is_charged_first(world):
    unit = world.unit()
    wide = world.grant(unit, "events:emit", "text")
    narrow = world.grant(unit, "events:emit", "text.redacted", budget=Budget(MINUTE, calls=1))
    authority = world.started(wide, narrow)
    assert [authority.use(unit, *EMIT).id for _ in range(3)] == [narrow.id, wide.id, wide.id]


def test_a_home_forbid_ends_a_grant_that_was_given_before(world):
    unit = world.unit()
    forbid = '@id("site.quiet") @why("quiet") forbid (principal, action == Remit::Action::"events:emit",'
    forbid += ' resource in Remit::Topic::"text");'
    authority = world.started(world.grant(unit, "events:emit", "text"), files={"policy/site.cedar": forbid})
    assert refused(authority, unit, *EMIT).details["policies"] == ["site.quiet"]


# ---- budgets ----


def test_a_charge_that_does_not_fit_takes_nothing(world, budget):
    unit = world.unit()
    authority = world.started(world.grant(unit, *EMIT, budget=budget))
    authority.use(unit, *EMIT, nbytes=90)
    with pytest.raises(LeaseExhausted) as caught:
        authority.use(unit, *EMIT, nbytes=11)
    assert (caught.value.details["calls_left"], caught.value.details["bytes_left"]) == (2, 10)
    assert authority.use(unit, *EMIT, nbytes=10)
    assert (authority.grants()[0].calls_left, authority.grants()[0].bytes_left) == (1, 0)


@pytest.mark.parametrize("charge", [{"calls": -1}, {"nbytes": -1}])
def test_a_negative_charge_gives_nothing_back(world, budget, charge):
    unit = world.unit()
    authority = world.started(world.grant(unit, *EMIT, budget=budget))
    refused(authority, unit, *EMIT, **charge)
    assert (authority.grants()[0].calls_left, authority.grants()[0].bytes_left) == (3, 100)


def test_only_the_next_window_refills(world, budget):
    unit = world.unit()
    grant = world.grant(unit, *EMIT, budget=budget)
    authority = world.started(grant)
    world.clock.advance(MINUTE - world.clock.wall % MINUTE + 1_000)
    authority.use(unit, *EMIT, calls=3)
    with pytest.raises(LeaseExhausted) as caught:
        authority.use(unit, *EMIT)
    authority.activate([unit], [])
    authority.activate([unit], [grant])
    world.clock.wall -= 10 * MINUTE  # set back
    with pytest.raises(LeaseExhausted):
        authority.use(unit, *EMIT)
    world.clock.wall = caught.value.details["resets_ms"] - 1
    with pytest.raises(LeaseExhausted):
        authority.use(unit, *EMIT)
    world.clock.advance(1)
    assert authority.use(unit, *EMIT, calls=3) == grant


def test_renewal_refills_nothing(world):
    unit = world.unit()
    authority = world.started(world.grant(unit, *EMIT, budget=Budget(1 << 40, calls=2)))
    for _ in range(2):
        authority.use(unit, *EMIT)
        world.clock.advance(LEASE_MS + 1)
    with pytest.raises(LeaseExhausted):
        authority.use(unit, *EMIT)
