"""Policies administered over a real journal: published, shadowed, compared, rolled back, through restarts."""

from __future__ import annotations

import pytest

from remit.errors import PolicyInvalid, PolicyUnknown
from remit.journal import Draft
from tests.policy.bureau import CONFIG, HTTP, NO_EMIT, OPEN, QUIET


def test_a_home_announces_its_first_set_and_only_changes_after(bureau):
    bureau.start()
    bureau.start()
    assert [one.digest for one in bureau.office.history.sets] == [bureau.authority.digest]


def test_an_edited_file_is_recorded_at_the_next_start(bureau):
    (bureau.root / "policy" / "site.cedar").write_text(NO_EMIT)
    bureau.start()
    assert [one.reason for one in bureau.office.history.sets] == ["the home's first policies", "the files of the home"]
    assert bureau.outcome() == "deny"


def test_publishing_decides_at_once_and_after_a_restart(bureau):
    bureau.office.publish(bureau.candidate(QUIET), by="local", reason="too loud")
    assert bureau.outcome() == "deny"
    assert (bureau.root / "policy" / "site.cedar").read_text() == NO_EMIT
    digest = bureau.authority.digest
    bureau.start()
    assert (bureau.authority.digest, bureau.outcome()) == (digest, "deny")
    assert len(bureau.office.history.sets) == 2


def test_an_earlier_set_is_named_by_its_digest(bureau):
    for files in (QUIET, OPEN):
        bureau.office.publish(bureau.candidate(files), by="local")
    quiet = bureau.office.history.sets[1].digest
    assert bureau.office.earlier(quiet.removeprefix("sha256:")[:8]).digest == quiet
    for digest in ("0" * 8, quiet.removeprefix("sha256:")[:3]):
        with pytest.raises(PolicyUnknown):
            bureau.office.earlier(digest)


def test_a_posture_is_changed_in_the_file_and_its_comments_stay(bureau):
    bureau.office.publish(bureau.candidate(posture="strict"), by="local")
    assert (bureau.root / "remit.toml").read_text() == CONFIG.replace("standard", "strict")
    bureau.start()
    assert bureau.office.live.posture == "strict"


@pytest.mark.parametrize(
    "name",
    [
        "policy/../x.cedar", "elsewhere/site.cedar", "/etc/site.cedar", "policy/a/b.cedar",
        "{outside}/policy/site.cedar", "elsewhere/policy/site.cedar", "policy//site.cedar", "./policy/site.cedar",
        "policy/./site.cedar", "policy/a\0.cedar", "policy/a\n.cedar", "policy/\udcff.cedar", "", "policy",
    ],
)  # fmt: skip
def test_files_outside_the_homes_policies_are_refused(bureau, name, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    with pytest.raises(PolicyInvalid):
        bureau.office.publish(bureau.candidate({name.format(outside=outside): NO_EMIT}), by="local")
    assert list(outside.iterdir()) == []


def test_a_set_that_lets_a_canary_through_is_refused_and_changes_nothing(bureau):
    digest = bureau.authority.digest
    with pytest.raises(PolicyInvalid, match="canary"):
        bureau.candidate({"policy/a.cedar": '@id("a") permit (principal is Remit::Operator, action, resource);'})
    assert (bureau.authority.digest, list((bureau.root / "policy").iterdir())) == (digest, [])


def test_only_what_may_allow_more_widens(bureau):
    assert not bureau.office.diff(bureau.candidate(QUIET))["widens"]
    assert bureau.office.diff(bureau.candidate(OPEN))["widens"]
    bureau.office.publish(bureau.candidate(QUIET), by="local")
    assert bureau.office.diff(bureau.candidate({}))["widens"]
    changed = NO_EMIT.replace(";", " when { context.lease has calls };")
    assert bureau.office.diff(bureau.candidate({"policy/site.cedar": changed}))["widens"]
    assert bureau.office.diff(bureau.candidate({"policy/other.cedar": NO_EMIT + "\n"}))["changes"] == []


def test_a_shadow_grants_nothing_and_records_each_difference_once(bureau):
    bureau.office.shadow(bureau.candidate(QUIET), "local")
    for _ in range(3):
        bureau.authority.use(bureau.unit, "events:emit", "text.a")
        bureau.authority.renew(bureau.grant.id)
    [difference] = bureau.differences()
    assert (difference.live, difference.shadow, difference.policies) == ("allow", "deny", ("site.quiet",))


def test_a_shadow_outlives_a_restart_and_ends_when_its_set_is_published(bureau, world):
    candidate = bureau.candidate(QUIET)
    bureau.office.shadow(candidate, "local")
    world.clock.advance(1_000)
    bureau.start()
    assert bureau.office.shadowed_ms(candidate) == 1_000
    assert bureau.office.shadowed_ms(bureau.candidate(OPEN)) is None
    bureau.authority.use(bureau.unit, "events:emit", "text")
    assert len(bureau.differences()) == 1
    bureau.office.publish(candidate, by="local")
    assert bureau.office.history.shadow is None
    with pytest.raises(PolicyUnknown):
        bureau.office.end_shadow("local")


def test_what_if_finds_exactly_the_decisions_that_flip(bureau):
    denied = {"unit": bureau.unit.id, "digest": bureau.unit.digest, "action": "net:http", "policies": ["ask.http"]}
    bureau.journal.append([Draft(type="lease.denied", data=denied | {"resource": "https://a.example.com"})] * 3)
    bureau.journal.append([Draft(type="action.completed", data={"principal": "local", "action": "acme/tool:run"})])
    bureau.journal.append([Draft(type="lease.denied", data={"unit": 1}), Draft(type="grant.given", data="x")])
    assert bureau.office.what_if(bureau.candidate({}))["flips"] == []
    found = bureau.office.what_if(bureau.candidate({"policy/site.cedar": NO_EMIT + HTTP}))
    assert found["questions"] == 3
    flips = [(one["action"], one["before"], one["after"], one["times"]) for one in found["flips"]]
    assert flips == [("net:http", "ask", "allow", 3), ("events:emit", "allow", "deny", 1)]


def test_why_tells_a_missing_grant_from_a_revoked_one(bureau):
    assert bureau.office.why(bureau.unit.id, "events:emit", "text.a")["outcome"] == "allow"
    assert bureau.office.why(bureau.unit.id, "events:emit", "other")["decided"][0]["policy"] == "guard.undeclared"
    bureau.authority.revoke(bureau.grant.id)
    said = bureau.office.why(bureau.unit.id, "events:emit", "text.a")
    assert (said["outcome"], said["reason"]) == ("deny", f"its grant {bureau.grant.id} was revoked")
    with pytest.raises(PolicyUnknown):
        bureau.office.why("acme/unknown", "events:emit", "text")
