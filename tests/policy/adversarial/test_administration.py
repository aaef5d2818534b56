"""Attacks by those who administer, or who would like to: rules bind them too, and what comes back is what was."""

from __future__ import annotations

import pytest

from remit.errors import Denied, LeaseDenied, PolicyInvalid, PolicyUnknown
from remit.kernel.model import EntityRef
from remit.policy.postures import POSTURES, posture_files
from remit.schemas.config import Operator
from tests.policy.adversarial.entries import Entries
from tests.policy.bureau import CONFIG, OPEN, QUIET

attack = Entries()
TOOL = EntityRef("Unit", "acme/tool")
ASKS = (
    '@id("site.secrets") @why("two factors") @decision("ask") @approvers("mfa") '
    'permit (principal, action == Remit::Action::"secret:read", resource) when { context.lease.approved };'
)
SECOND_FACTOR = (
    '@id("site.mfa") @why("two factors") forbid (principal, action == Remit::Action::"consent:give", resource) '
    'unless { principal in Remit::Role::"mfa" };'
)


@pytest.fixture
def at(at, bureau):
    """The simulated home and, beside it, one on disk."""
    at.bureau = bureau
    return at


@attack("publish that widens without a shadow")
def _(at):
    bureau = at.bureau

    def decide(**facts):
        return bureau.authority.authorize("local", "policy:publish", at.home, facts)

    assert decide(widens=False).allowed
    assert decide(widens=True).policies == ("guard.unseen-widening",)
    assert decide(widens=True, override=False).policies == ("guard.unseen-widening",)
    assert decide(widens=True, shadow=0).allowed
    assert decide(widens=True, override=True).allowed
    # A shadow of another set is none of this one, and neither is one that ended.
    candidate = bureau.candidate(OPEN)
    bureau.office.shadow(bureau.candidate(QUIET), "local")
    assert bureau.office.shadowed_ms(candidate) is None
    bureau.office.shadow(candidate, "local")
    at.world.clock.advance(5)
    assert bureau.office.shadowed_ms(candidate) == 5
    at.world.clock.wall -= 1_000
    assert bureau.office.shadowed_ms(candidate) == 0
    bureau.office.end_shadow("local")
    assert bureau.office.shadowed_ms(candidate) is None
    bureau.office.publish(bureau.candidate(posture="strict"), by="local")
    assert decide(widens=True, shadow=3_599_999).policies == ("guard.short-shadow",)
    assert decide(widens=True, shadow=3_600_000).allowed
    # To insist is an owner's: a role that a home lets publish may not.
    publisher = (
        '@id("site.p") permit (principal in Remit::Role::"editor", action == Remit::Action::"policy:publish", '
        "resource);"
    )
    editors = at.world.authority(operators={"ed": ("editor",)}, files={"policy/p.cedar": publisher})
    assert editors.authorize("ed", "policy:publish", at.home, {"widens": False}).allowed
    assert not editors.authorize("ed", "policy:publish", at.home, {"widens": True, "override": True}).allowed


@attack("approver without mfa")
def _(at):
    operators = {"local": ("owner",), "sam": ("owner", "mfa")}
    unit = at.world.unit()
    grant = at.world.grant(unit, "secret:read", "TOKEN", consent="")
    files = {"policy/a.cedar": ASKS, "policy/b.cedar": SECOND_FACTOR}
    # The shipped question names no roles and would be answered by either; a set with both names both policies.
    authority = at.world.started(grant, operators=operators, files=files)
    with pytest.raises(LeaseDenied) as refusal:
        authority.use(unit, "secret:read", "TOKEN")
    consent = refusal.value.details["consent"]
    assert authority.authorize("local", "consent:give", TOOL).policies == ("site.mfa",)
    with pytest.raises(Denied, match="mfa"):
        authority.answer(consent, given=True, by="local")
    with pytest.raises(Denied):
        authority.answer(consent, given=True, by="nobody")
    assert authority.authorize("sam", "consent:give", TOOL).allowed
    # Nor does a consent at apply, which names the policies that ask, go around them.
    alone = at.world.authority(operators=operators, files={"policy/a.cedar": ASKS})
    asked = {"asked": ("site.secrets",)}
    assert alone.authorize("local", "consent:give", TOOL).allowed
    assert alone.authorize("local", "consent:give", TOOL, asked).policies == ("guard.approvers",)
    assert alone.authorize("sam", "consent:give", TOOL, asked).allowed
    authority.answer(consent, given=True, by="sam")
    assert authority.use(unit, "secret:read", "TOKEN") == grant


@attack("self-approval by the unit's publisher")
def _(at):
    ann = Operator(("owner",), publishes=("acme", "home"))
    for posture in sorted(POSTURES):
        authority = at.world.authority(posture, operators={"ann": ann})
        for facts in ({}, {"widens": False}):
            decision = authority.authorize("ann", "consent:give", TOOL, facts)
            assert decision.policies == ("guard.self-approval",)
        assert authority.authorize("ann", "consent:give", EntityRef("Unit", "zeta/tool")).allowed
        assert authority.authorize("ann", "unit:apply", TOOL).allowed
    # And no set without that rule can come into force.
    base = posture_files("standard")
    [name] = [name for name, text in base.items() if "guard.self-approval" in text]
    at.patch.setattr(
        "remit.policy.postures.posture_files",
        lambda _posture: base | {name: base[name].replace("principal.publishes.contains(resource.publisher)", "false")},
    )
    with pytest.raises(PolicyInvalid, match="own publisher"):
        at.bureau.candidate({})


@attack("rollback restores the exact digest")
def _(at):
    bureau = at.bureau
    first = bureau.authority.digest
    bureau.office.publish(bureau.candidate(QUIET), by="local")
    bureau.office.publish(bureau.candidate(OPEN, "strict"), by="local")
    for digest in (first[:20].removeprefix("sha256:"), ""):
        bureau.office.roll_back(bureau.office.earlier(digest), by="local")
        bureau.start()
    assert bureau.authority.digest == bureau.office.history.sets[-1].digest
    bureau.office.roll_back(bureau.office.earlier(first.removeprefix("sha256:")[:12]), by="local")
    assert bureau.authority.digest == first
    assert (list((bureau.root / "policy").iterdir()), (bureau.root / "remit.toml").read_text()) == ([], CONFIG)
    bureau.start()
    assert bureau.authority.digest == first
    # A set that comes out otherwise than its record says does not come back.
    quiet = bureau.office.history.sets[1].digest.removeprefix("sha256:")
    other = bureau.candidate(OPEN)
    at.patch.setattr("remit.policy.office.load", lambda *_, **__: other)
    with pytest.raises(PolicyInvalid, match="other shipped policies"):
        bureau.office.earlier(quiet[:12])
    for digest in ("0" * 64, "sha256:", "g" * 12, quiet[:5]):
        with pytest.raises(PolicyUnknown):
            bureau.office.earlier(digest)


@pytest.mark.parametrize("entry", attack)
def test_hostile_administration(at, entry):
    attack[entry](at)
