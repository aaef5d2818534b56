"""Every shipped policy, by the decisions it makes."""

from __future__ import annotations

import os

import pytest

from remit.errors import PolicyInvalid
from remit.kernel.model import Capability, EntityRef
from remit.policy.deciding.canaries import ADMINISTRATION
from remit.policy.postures import POSTURES, check, load, posture_files, read_files
from remit.schemas.config import Operator

HTTPS, HTTP = "https://api.example.com", "http://api.example.com"
PLAIN = """@id("site.plain")
permit (principal is Remit::Unit, action == Remit::Action::"net:http", resource in Remit::Domain::"example.com");"""
LOOPBACK = """@id("site.loopback")
permit (principal is Remit::Unit, action == Remit::Action::"net:special", resource in Remit::Domain::"example.com")
when { context.address == Remit::AddressClass::"loopback" };"""
SERVICES = {
    # action, resource: outcome and policies under relaxed, standard, strict (of a signed unit)
    ("events:emit", "text.redacted"): [("allow", "allow.emit")] * 3,
    ("events:emit", "text"): [("allow", "allow.emit")] * 3,
    ("events:emit", "lease.denied"): [("deny", "guard.kernel-topics")] * 3,
    ("events:emit", "unit"): [("deny", "guard.kernel-topics")] * 3,
    ("events:subscribe", "ticket.created"): [("allow", "allow.subscribe")] * 3,
    ("events:subscribe", "action.completed"): [("ask", "ask.kernel-topics")] * 3,
    ("action:call", "acme/redact:redact"): [("allow", "allow.call")] * 3,
    ("action:call", "acme/redact"): [("allow", "allow.call")] * 3,
    ("net:http", HTTPS): [("allow", "allow.https"), ("ask", "ask.http"), ("ask", "ask.http")],
    ("fs:read", "/srv/in"): [("allow", "allow.read"), ("ask", "ask.read"), ("ask", "ask.read")],
    ("fs:write", "/srv/out"): [("ask", "ask.write")] * 3,
    ("secret:read", "token"): [("ask", "ask.secret")] * 3,
    ("fs:read", "/etc/shadow"): [("deny", "guard.secret-dirs")] * 3,
    ("fs:read", "/etc"): [("deny", "guard.secret-dirs")] * 3,
    ("fs:read", "/etcetera"): [("allow", "allow.read"), ("ask", "ask.read"), ("ask", "ask.read")],
    ("fs:write", "/root/x"): [("deny", "guard.secret-dirs")] * 3,
    ("fs:read", "/proc/self/environ"): [("deny", "guard.secret-dirs")] * 3,
    ("fs:read", "/sys/kernel"): [("deny", "guard.secret-dirs")] * 3,
    ("fs:read", "/dev/mem"): [("deny", "guard.secret-dirs")] * 3,
    ("fs:read", "/home/bob/.ssh/id_ed25519"): [("deny", "guard.secret-dirs")] * 3,
    ("fs:write", "/home/bob/.SSH/authorized_keys"): [("deny", "guard.secret-dirs")] * 3,
    ("fs:write", "/srv/home/policy/mine.cedar"): [("deny", "guard.own-files")] * 3,
    ("fs:write", "/srv/home/remit.toml"): [("deny", "guard.own-files")] * 3,
    ("fs:read", "/srv/other/.remit/keys/x"): [("deny", "guard.own-files")] * 3,
}
CASES = [
    (posture, action, resource, *answers[place])
    for (action, resource), answers in SERVICES.items()
    for place, posture in enumerate(("relaxed", "standard", "strict"))
]


@pytest.mark.parametrize(("posture", "action", "resource", "outcome", "policy"), CASES)
def test_a_signed_unit_is_answered_by_the_policy_meant_for_it(world, posture, action, resource, outcome, policy):
    decision = world.authority(posture).review(world.unit(), Capability(action, resource))
    assert (decision.outcome, decision.policies) == (outcome, (policy,))
    assert decision.reason


@pytest.mark.parametrize("posture", sorted(POSTURES))
def test_plain_http_waits_for_a_policy_of_the_operators(world, posture):
    unit, wanted = world.unit(), Capability("net:http", HTTP)
    assert world.authority(posture).review(unit, wanted).outcome == "deny"
    allowed = world.authority(posture, files={"site.cedar": PLAIN}).review(unit, wanted).outcome
    assert allowed == ("deny" if posture == "strict" else "allow")


@pytest.mark.parametrize("posture", sorted(POSTURES))
@pytest.mark.parametrize("special", ["loopback", "private", "metadata", "translated"])
def test_special_addresses_wait_for_a_policy_of_the_operators(world, posture, special):
    grant = world.grant(world.unit(), "net:http", HTTPS, consent="local")
    assert world.started(grant, posture=posture).reach(grant, HTTPS, special).outcome == "deny"
    authority = world.started(grant, posture=posture, files={"site.cedar": LOOPBACK})
    assert authority.reach(grant, HTTPS, special).outcome == ("allow" if special == "loopback" else "deny")
    assert authority.reach(grant, "https://other.example", special).outcome == "deny"
    assert authority.reach(grant, HTTPS, "no-such-class").outcome == "deny"
    authority.revoke(grant.id)
    assert authority.reach(grant, HTTPS, special).outcome == "deny"


@pytest.mark.parametrize("posture", sorted(POSTURES))
def test_only_strict_keeps_local_units_from_everything(world, posture):
    authority = world.authority(posture)
    local = world.unit(admission="local")
    decisions = {authority.review(local, Capability("events:emit", "text.redacted")).policies}
    assert decisions == {("guard.unsigned",) if posture == "strict" else ("allow.emit",)}


@pytest.mark.parametrize("posture", sorted(POSTURES))
def test_only_strict_keeps_local_units_out_of_the_kernels_process(world, posture):
    authority = world.authority(posture)
    assert authority.inline(world.unit(admission="signed"))
    assert authority.inline(world.unit(admission="local")) is (posture != "strict")


def test_where_units_run_is_policy_of_the_home(world):
    text = """@id("workers.acme") @why("large")
      forbid (principal is Remit::Unit, action == Remit::Action::"unit:inline", resource)
      when { principal.publisher == Remit::Publisher::"acme" };"""
    authority = world.authority(files={"policy/workers.cedar": text})
    assert [authority.inline(world.unit(unit)) for unit in ("acme/tool", "zeta/tool")] == [False, True]


def test_a_policy_that_cannot_be_evaluated_keeps_units_out(world):
    text = """@id("broken") @why("too much")
      permit (principal is Remit::Unit, action == Remit::Action::"unit:inline", resource)
      when { 9223372036854775807 + (if principal.quarantined then 0 else 1) == 1 };"""
    assert not world.authority(files={"policy/broken.cedar": text}).inline(world.unit())


@pytest.mark.parametrize("posture", sorted(POSTURES))
def test_owners_may_administer_everything_and_strangers_nothing(world, posture):
    authority = world.authority(posture)
    for action in ADMINISTRATION:
        resource = EntityRef("Home", "home")
        assert authority.authorize("local", action, resource).policies == ("admin.owner",)
        assert authority.authorize("mallory", action, resource).outcome == "deny"


@pytest.mark.parametrize("posture", sorted(POSTURES))
@pytest.mark.parametrize("action", ["unit:apply", "unit:revert"])
def test_in_strict_only_an_owner_promotes_without_evidence(world, posture, action):
    authority = world.authority(posture, operators={"olga": ("operator",), "local": ("owner",)})
    home = EntityRef("Home", "home")
    for override in ({}, {"override": False}):
        assert authority.authorize("olga", action, home, override).allowed
    denied = authority.authorize("olga", action, home, {"override": True})
    assert denied.policies == (("guard.unproven-promotion",) if posture == "strict" else ("admin.operator",))
    assert authority.authorize("local", action, home, {"override": True}).allowed


def test_each_role_reaches_as_far_as_it_is_meant_to(world):
    operators = {"olga": ("operator",), "carl": ("caller",), "nobody": ()}
    authority = world.authority(operators=operators)
    asked = [*((action, EntityRef("Unit", "acme/tool")) for action in ADMINISTRATION)]
    asked += [
        ("action:invoke", EntityRef("Action", "acme/tool:run")),
        ("event:emit", EntityRef("Topic", "ticket.created")),
    ]
    allowed = {
        name: {action for action, resource in asked if authority.authorize(name, action, resource).allowed}
        for name in operators
    }
    using = {"action:invoke", "event:emit"}
    units = {"unit:apply", "unit:install", "unit:revert", "unit:uninstall", "unit:quarantine"}
    units |= {"lease:request", "lease:revoke", "lease:renew", "policy:shadow", "home:tend"}
    assert allowed == {"olga": using | units, "carl": using, "nobody": set()}


@pytest.mark.parametrize("posture", sorted(POSTURES))
def test_who_publishes_a_namespace_sends_its_units_and_no_others(world, posture):
    authority = world.authority(posture, operators={"ann": Operator(publishes=("acme",))})
    asked = {
        name: authority.authorize("ann", "unit:publish", EntityRef("Unit", name)) for name in ("acme/a", "acme2/a")
    }
    assert asked["acme/a"].policies == ("admin.publisher",)
    assert not asked["acme2/a"].allowed
    assert not authority.authorize("ann", "unit:publish", EntityRef("Home", "home")).allowed


def test_not_even_an_owner_speaks_for_the_kernel(world):
    decision = world.authority().authorize("local", "event:emit", EntityRef("Topic", "unit.applied"))
    assert (decision.outcome, decision.policies) == ("deny", ("guard.kernel-topics",))


@pytest.mark.parametrize("posture", sorted(POSTURES))
def test_shipped_policies_are_clean_and_say_why(posture):
    assert check(posture, {}) == []
    engine = load(posture, {}).engine
    assert all(policy.annotations.get("why") for policy in engine.policies.values())


def test_the_digest_follows_every_file_and_the_posture():
    mine = '@id("my.rule") forbid (principal, action, resource) when { false };'
    sets = [("standard", {}), ("strict", {}), ("standard", {"a.cedar": mine}), ("standard", {"b.cedar": mine})]
    assert len({load(*one).digest for one in sets}) == len(sets)
    assert load("standard", {}).digest == load("standard", {}).digest


def test_an_unknown_posture_is_a_fault():
    assert posture_files("lenient") == {}
    assert "lenient" in str(check("lenient", {})[0])
    with pytest.raises(PolicyInvalid):
        load("lenient", {})


# ---- the home's own files ----


def test_matching_files_are_read_in_order(tmp_path):
    folder = tmp_path / "policy"
    folder.mkdir()
    for name in ("b.cedar", "a.cedar", "c.txt"):
        (folder / name).write_text(f"// {name}", encoding="utf-8")
    files, findings = read_files(tmp_path, ("policy/*.cedar", "policy/a.cedar"))
    assert (list(files), findings) == (["policy/a.cedar", "policy/b.cedar"], [])


@pytest.mark.parametrize("pattern", ["../x.cedar", "/etc/*.cedar", "a/../../b", "", "a\0b", "policy/missing.cedar"])
def test_patterns_that_leave_the_home_or_name_nothing_are_faults(tmp_path, pattern):
    files, findings = read_files(tmp_path, (pattern,))
    assert files == {}
    assert len(findings) == 1


def test_what_is_no_text_file_is_a_fault_and_never_blocks(tmp_path):
    (tmp_path / "folder.cedar").mkdir()
    os.mkfifo(tmp_path / "pipe.cedar")
    (tmp_path / "latin.cedar").write_bytes(b"// \xe9")
    (tmp_path / "dangling.cedar").symlink_to(tmp_path / "nowhere")
    files, findings = read_files(tmp_path, ("*.cedar",))
    assert files == {}
    assert {finding.file for finding in findings} == {"folder.cedar", "pipe.cedar", "latin.cedar", "dangling.cedar"}
