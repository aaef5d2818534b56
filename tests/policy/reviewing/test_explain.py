from __future__ import annotations

import pytest

from remit.kernel.model import Budget, Capability, UnitRef
from remit.policy.deciding.requests import capability_use
from remit.policy.postures import load
from remit.policy.reviewing.explain import explain

SITE = """
@id("site.api") @why("our API")
permit (
  principal in Remit::Publisher::"acme",
  action == Remit::Action::"net:http",
  resource in Remit::Domain::"example.com"
)
when { context.lease has calls && context.lease.calls <= 10 && resource.scheme == "https" }
unless { principal.version like "0.*" };
"""


def asked(resource, *, unit="acme/tool", version="1.0.0", calls=5, declared=True):
    ref = UnitRef(unit, version, "sha256:x", "tool", "signed")
    capability = Capability("net:http", resource, budget=None if calls is None else Budget(1_000, calls=calls))
    engine = load("standard", {"policy/site.cedar": SITE}).engine
    return explain(engine, capability_use(ref, capability, declared=declared, approved=False, units={}))


def near(explanation, policy):
    return next(miss.failed for miss in explanation.near if miss.policy == policy)


def test_an_allow_names_the_permits_and_needs_no_change():
    said = asked("https://api.example.com")
    assert (said.outcome, [part.policy for part in said.decided], said.near, said.change) == (
        "allow",
        ["site.api"],
        (),
        "",
    )


@pytest.mark.parametrize(
    ("options", "failed"),
    [
        ({"calls": 50}, ["context.lease.calls <= 10"]),
        ({"calls": None}, ["context.lease has calls", "context.lease.calls <= 10"]),
        ({"version": "0.9.0"}, ['unless principal.version like "0.*"']),
    ],
)
def test_a_near_miss_shows_exactly_the_conditions_that_failed(options, failed):
    said = asked("https://api.example.com", **options)
    found = [text.replace("(", "").replace(")", "") for text in near(said, "site.api")]
    assert found == failed


def test_a_permit_whose_scope_does_not_fit_is_not_near():
    said = asked("https://api.example.com", unit="zeta/tool")
    assert [miss.policy for miss in said.near] == ["ask.http"]


def test_a_forbid_is_named_and_no_permit_is_recommended_over_it():
    said = asked("https://api.example.com", declared=False)
    assert said.decided[0].policy == "guard.undeclared"
    assert "unit.toml" in said.change


def test_a_question_is_answered_by_a_consent():
    said = asked("https://elsewhere.net")
    assert said.outcome == "ask"
    assert "remit lease approve" in said.change


def test_where_no_permit_speaks_of_it_the_change_says_so(monkeypatch):
    monkeypatch.setattr("remit.policy.postures.posture_files", lambda _posture: {"none": ""})
    engine = load("standard", {}).engine
    unit = UnitRef("acme/tool", "1.0.0", "sha256:x", "tool", "signed")
    request = capability_use(unit, Capability("events:emit", "text"), declared=True, approved=False, units={})
    said = explain(engine, request)
    assert (said.outcome, said.decided, said.near) == ("deny", (), ())
    assert "no permit speaks of this" in said.change
