from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from remit.errors import PolicyInvalid
from remit.policy.postures import load
from remit.policy.reviewing.cases import junit, run_cases

CASES = """
[[case]]
name = "emit what is declared"
unit = "acme/tool"
action = "events:emit"
resource = "text.a"
expect = "allow"
policies = ["allow.emit"]
[[case]]
name = "ask for the network"
unit = "acme/tool"
action = "net:http"
resource = "https://example.com"
methods = ["GET"]
calls = 5
expect = "ask"
[[case]]
name = "quarantine"
unit = "acme/tool"
action = "events:emit"
resource = "text.a"
quarantined = true
expect = "deny"
policies = ["guard.quarantine"]
[[case]]
name = "in the kernel's process"
unit = "acme/tool"
action = "unit:inline"
expect = "allow"
policies = ["allow.inline"]
[[case]]
name = "callers call"
operator = "carl"
roles = ["caller"]
action = "action:invoke"
resource = "acme/tool:run"
expect = "allow"
[[case]]
name = "wrong <expectation>"
unit = "acme/tool"
action = "fs:read"
resource = "/etc/passwd"
approved = true
expect = "allow"
[[case]]
name = "no resource of it"
unit = "acme/tool"
action = "fs:read"
resource = "etc"
expect = "deny"
"""


@pytest.fixture(scope="module")
def engine():
    return load("standard", {}).engine


def test_cases_come_out_as_policy_decides(engine):
    results = {one.name: one for one in run_cases(engine, {"a.toml": CASES})}
    assert [one.ok for one in results.values()] == [True, True, True, True, True, False, False]
    assert results["wrong <expectation>"].message == "expected allow, got deny by guard.secret-dirs"
    assert "not a resource" in results["no resource of it"].message


def test_the_right_outcome_by_another_policy_fails(engine):
    text = CASES.replace('["allow.emit"]', '["site.other"]')
    [failed] = [one for one in run_cases(engine, {"a.toml": text}) if one.name == "emit what is declared"]
    assert failed.message == "expected allow by site.other, got allow by allow.emit"


@pytest.mark.parametrize(
    "text",
    ["", "[[", "case = 1", "[[other]]\nname = 'x'", '[[case]]\nname = "x"', CASES + '[[case]]\nname = "x"\ncolour = 1'],
)
def test_what_is_no_test_file_is_refused(engine, text):
    with pytest.raises(PolicyInvalid):
        run_cases(engine, {"a.toml": text})


def test_results_become_junit_that_others_read(engine):
    results = run_cases(engine, {"a.toml": CASES, "b.toml": CASES.replace("quarantine", "q\\u0000", 1)})
    root = ET.fromstring(junit(results))
    assert (root.get("tests"), root.get("failures")) == ("14", "4")
    assert [suite.get("name") for suite in root] == ["a.toml", "b.toml"]
    assert len(root.findall(".//failure")) == 4
