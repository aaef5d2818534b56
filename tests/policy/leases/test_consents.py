from __future__ import annotations

import pytest

from remit.errors import ConsentUnknown, Denied, GrantUnknown, LeaseDenied
from remit.kernel.model import Budget, Capability, Decision
from remit.policy.asking import request
from remit.policy.postures import load

HTTPS = "https://api.example.com"
HTTP = ("net:http", HTTPS)
ELSEWHERE = '@id("site.other") forbid (principal == Remit::Unit::"zeta/other", action, resource);'
IN_REACH = '@id("site.mail") forbid (principal, action == Remit::Action::"net:http", resource in Remit::Domain::"com");'
ASKS = (
    '@id("site.secrets") @decision("ask") @prompt("Let {unit} read {resource} ({methods})?")'
    ' @approvers("security, owner")'
    ' permit (principal, action == Remit::Action::"secret:read", resource) when { context.lease.approved };'
)


def asked(authority, unit, action=HTTP[0], resource=HTTP[1], **options):
    """The question that a refused use raised."""
    with pytest.raises(LeaseDenied) as caught:
        authority.use(unit, action, resource, **options)
    return caught.value


def started(world, unit=None, **options):
    unit = unit or world.unit()
    return world.started(world.grant(unit, *HTTP, consent=""), **options), unit


def test_a_use_that_asks_waits_and_names_the_question(world):
    authority, unit = started(world)
    error = asked(authority, unit)
    [consent] = authority.consents.all()
    assert error.details["consent"] == consent.id
    assert f"remit lease approve {consent.id}" in error.remedy
    assert (consent.state, consent.unit, consent.resource) == ("pending", unit.id, HTTPS)
    assert world.journal.records[-1].event.type == "consent.asked"


def test_the_same_is_asked_once_however_often_it_is_tried(world):
    authority, unit = started(world)
    for _ in range(5):
        asked(authority, unit)
    assert [one.event.type for one in world.journal.records].count("consent.asked") == 1


def test_a_yes_takes_effect_at_the_next_use_and_outlives_a_restart(world):
    authority, unit = started(world)
    consent = asked(authority, unit).details["consent"]
    authority.answer(consent, given=True, by="local")
    grant = authority.use(unit, *HTTP)
    again = world.authority()
    again.activate([unit], [grant])
    assert again.use(unit, *HTTP) == grant


def test_a_no_is_remembered_and_says_who(world):
    authority, unit = started(world)
    consent = asked(authority, unit).details["consent"]
    authority.answer(consent, given=False, by="local", reason="not there")
    error = asked(authority, unit)
    assert "local refused it: not there" in error.message
    assert [one.event.type for one in world.journal.records].count("consent.asked") == 1
    again = world.authority()
    again.activate([unit], [world.grant(unit, *HTTP, consent="")])
    assert "local refused it" in asked(again, unit).message


def test_a_no_after_a_yes_ends_the_lease(world):
    authority, unit = started(world)
    consent = asked(authority, unit).details["consent"]
    authority.answer(consent, given=True, by="local")
    authority.use(unit, *HTTP)
    authority.answer(consent, given=False, by="local")
    asked(authority, unit)


def test_a_yes_does_not_serve_another_envelope_resource_or_digest(world):
    unit = world.unit()
    authority, _ = started(world, unit)
    authority.answer(asked(authority, unit).details["consent"], given=True, by="local")
    upgraded = world.unit(version="2.0.0")
    for other in (
        world.grant(unit, *HTTP, consent="", methods=("GET",)),
        world.grant(unit, *HTTP, consent="", budget=Budget(1_000, calls=1)),
        world.grant(unit, "net:http", "https://other.example.com", consent=""),
        world.grant(upgraded, *HTTP, consent=""),
    ):
        authority.activate([other.unit], [other])
        asked(authority, other.unit, other.capability.action, other.capability.resource, method="GET")


def test_an_edit_elsewhere_keeps_a_consent_and_one_in_reach_voids_it(world):
    authority, unit = started(world)
    authority.answer(asked(authority, unit).details["consent"], given=True, by="local")
    authority.publish(load("standard", {"policy/a.cedar": ELSEWHERE}))
    authority.use(unit, *HTTP)
    authority.publish(load("standard", {"policy/a.cedar": ELSEWHERE + IN_REACH.replace("forbid", "permit")}))
    authority.use(unit, *HTTP)  # a plain permit by now
    changed = IN_REACH.replace("forbid", "permit").replace(";", " when { context.lease.approved };")
    authority.publish(load("standard", {"policy/a.cedar": changed.replace("@id", '@decision("ask") @id', 1)}))
    asked(authority, unit)


def test_a_consent_at_apply_is_bound_like_any_other(world):
    unit = world.unit()
    authority = world.authority()
    grant = world.grant(unit, *HTTP, reach=authority.review(unit, world.grant(unit, *HTTP).capability).reach)
    authority.activate([unit], [grant])
    authority.use(unit, *HTTP)
    ask = IN_REACH.replace("forbid", "permit").replace(";", " when { context.lease.approved };")
    authority.publish(load("standard", {"policy/a.cedar": ask.replace("@id", '@decision("ask") @id', 1)}))
    asked(authority, unit)


def test_the_policy_words_the_question_and_names_who_may_answer(world):
    unit = world.unit()
    operators = {"local": ("operator",), "sam": ("security",)}
    grant = world.grant(unit, "secret:read", "TOKEN", consent="")
    authority = world.started(grant, files={"policy/a.cedar": ASKS}, operators=operators)
    consent = authority.consents.get(asked(authority, unit, "secret:read", "TOKEN").details["consent"])
    assert consent.approvers == ("security", "owner")
    with pytest.raises(Denied, match="security, owner"):
        authority.answer(consent.id, given=True, by="local")
    assert authority.answer(consent.id, given=True, by="sam").by == "sam"


def test_a_prompt_cannot_reach_into_objects(world):
    text = ASKS.replace("Let {unit} read {resource} ({methods})?", "{unit.__class__} {resource} {0} {unit}")
    unit = world.unit()
    grant = world.grant(unit, "secret:read", "TOKEN", consent="")
    authority = world.started(grant, files={"policy/a.cedar": text.replace("ask.", "site.")})
    consent = request(authority, unit.id, "secret:read", "TOKEN")
    assert consent.prompt == "{unit.__class__} TOKEN {0} acme/tool"


def test_asking_ahead_raises_the_question_or_says_that_nobody_need_be_asked(world):
    authority, unit = started(world)
    assert request(authority, unit.id, *HTTP).state == "pending"
    allowed = world.grant(unit, "events:emit", "text")
    authority.activate([unit], [allowed])
    answer = request(authority, unit.id, "events:emit", "text.a")
    assert isinstance(answer, Decision)
    assert answer.allowed
    with pytest.raises(GrantUnknown):
        request(authority, unit.id, "fs:read", "/srv")
    with pytest.raises(GrantUnknown):
        request(authority, "acme/unknown", *HTTP)


def test_a_question_that_nobody_asked_has_no_answer(world):
    authority, _ = started(world)
    with pytest.raises(ConsentUnknown):
        authority.answer("c0", given=True, by="local")


def test_a_part_that_waits_for_its_grant_asks_about_the_grant(world):
    """A yes about the part would change nothing, where the grant that it came from lacks one."""
    parent, child = world.unit("acme/parent"), world.unit("zeta/child")
    grant = world.grant(parent, *HTTP, consent="")
    authority = world.started(grant)
    authority.activate([parent, child], [grant])
    authority.delegate(grant.id, child.id, Capability(*HTTP), by="local")
    question = asked(authority, child).details["consent"]
    assert authority.consents.get(question).grant == grant.id
    assert request(authority, child.id, *HTTP).id == question
    authority.answer(question, given=True, by="local")
    assert authority.use(child, *HTTP).parent == grant.id
