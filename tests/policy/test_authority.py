from __future__ import annotations

import threading

import pytest

from remit.errors import GrantUnknown, LeaseDenied, LeaseExhausted, PolicyInvalid
from remit.kernel.model import Budget, Capability, EntityRef, Grant
from remit.policy.authority import LEASE_MS

MINUTE = 60_000
EMIT = ("events:emit", "text.redacted")
HTTPS = "https://api.example.com"


def refused(authority, unit, action, resource, **options):
    with pytest.raises(LeaseDenied) as caught:
        authority.use(unit, action, resource, **options)
    return caught.value


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


# ---- leases ----


def test_a_lease_is_taken_at_first_use_and_renewed_while_the_grant_stands(world):
    unit = world.unit()
    authority = world.started(world.grant(unit, *EMIT))
    assert authority.grants()[0].lease_until_ms is None
    for _ in range(3):
        authority.use(unit, *EMIT)
        assert authority.grants()[0].lease_until_ms == world.clock.wall + LEASE_MS
        world.clock.advance(LEASE_MS)
        assert authority.grants()[0].lease_until_ms is None


def decisions_during(authority, work):
    """How often Cedar's decider was asked."""
    count = 0
    decider = authority.epoch.decider
    decide = decider.decide

    def counted(request):
        nonlocal count
        count += 1
        return decide(request)

    decider.decide = counted
    work()
    decider.decide = decide
    return count


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


# ---- administration ----


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
