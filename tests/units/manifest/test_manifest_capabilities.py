"""What a manifest asks for: capabilities, the resources and budgets of each, and the limits of a call."""

from __future__ import annotations

import pytest

from remit.kernel.model import Budget
from remit.units import manifest as m
from tests.units.manifests import TOOL, changed, faults_of, paths_of, toml


def test_an_unknown_capability_names_the_nearest():
    found = faults_of(changed(TOOL, capability=[{"action": "net:htp", "resource": "https://a.example"}]))
    assert found[0][0] == "capability[0].action"
    assert "did you mean 'net:http'?" in found[0][1]


@pytest.mark.parametrize(
    ("action", "resources"),
    [
        ("net:http", ["https://api.example.com", "http://localhost:8080", "https://[::1]:1", "https://10.0.0.1"]),
        ("fs:read", ["/", "/srv/texts", "/srv/a b"]),
        ("events:emit", ["ticket.created", "ticket"]),
        ("events:subscribe", ["ticket.created", "unit.applied"]),
        ("action:call", ["acme/base:go", "acme/base"]),
        ("secret:read", ["api-token", "API_TOKEN.v2"]),
    ],
)
def test_a_well_formed_resource_is_accepted(action, resources):
    for resource in resources:
        m.parse(toml(changed(TOOL, capability=[{"action": action, "resource": resource}])))


@pytest.mark.parametrize(
    ("action", "resources"),
    [
        (
            "net:http",
            ["example.com", "https://*.example.com", "https://a.example/path", "https://u@a.example", "ftp://a.example",
             "https://A.example", "https://a.example:99999", "https://[::zz]", "https://a..b", "https://127.1", "https://a.0x7f"],
        ),
        ("fs:read", ["srv", "./srv", "/srv/../etc", "/srv//a", "/srv/", "/srv/.", "/a\nb", "~/x"]),
        ("events:emit", ["Ticket", "ticket.*", "ticket..a", ".a", "a" * 201]),
        ("action:call", ["base", "acme/base:", "Acme/base:go", "acme/base:go@^1", "*"]),
        ("secret:read", ["../token", "a b", "x" * 129]),
    ],
)  # fmt: skip
def test_a_malformed_resource_is_refused(action, resources):
    for resource in resources:
        assert paths_of(changed(TOOL, capability=[{"action": action, "resource": resource}])) == [
            "capability[0].resource"
        ]


def test_budgets_of_host_time_and_fuel_are_read():
    asked = {"action": "action:call", "resource": "acme/other:run"}
    budget = {"window": "1h", "host_time": "1500ms", "fuel": 10_000}
    (capability, _hearing) = m.parse(toml(changed(TOOL, capability=[asked | {"budget": budget}]))).capabilities
    assert capability.budget == Budget(3_600_000, host_us=1_500_000, fuel=10_000)


@pytest.mark.parametrize(
    ("budget", "path"),
    [
        ({"window": "1h", "fuel": 10}, "capability[0].budget.fuel"),
        ({"window": "1h", "host_time": "367d"}, "capability[0].budget.host_time"),
        ({"window": "1h", "host_time": 5}, "capability[0].budget.host_time"),
        ({"window": "1h", "host_time": "-5s"}, "capability[0].budget.host_time"),
    ],
)
def test_a_budget_that_means_nothing_is_a_fault(budget, path):
    asked = {"action": "fs:read", "resource": "/srv", "budget": budget}
    assert paths_of(changed(TOOL, capability=[asked])) == [path]


def test_only_http_has_methods_and_a_budget_bounds_something():
    odd = {"action": "fs:read", "resource": "/srv", "methods": ["GET"], "budget": {"window": "1h"}}
    assert paths_of(changed(TOOL, capability=[odd])) == ["capability[0].budget", "capability[0].methods"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("memory", "1KiB"), ("memory", "5GiB"), ("deadline", "11m"), ("deadline", "1d"), ("stack", "3MiB"),
        ("input", "100B"), ("output", "17MiB"), ("state", "5GiB"), ("host_calls", 0), ("log_lines", 100_001),
        ("effects", -1),
    ],
)  # fmt: skip
def test_limits_beyond_the_bounds_are_refused(key, value):
    assert paths_of(changed(TOOL, runtime=TOOL["runtime"] | {key: value})) == [f"runtime.{key}"]


@pytest.mark.parametrize(("declared", "heard"), [
    ([], ["a.b", "a.c"]), (["a"], ["a"]), (["a.b"], ["a.b", "a.c"]), (["a.b.d", "ab"], ["a.b.d", "ab", "a.b", "a.c"]),
])  # fmt: skip
def test_a_reaction_asks_to_hear_its_topic_unless_that_is_declared(declared, heard):
    asked = [{"action": "events:subscribe", "resource": one} for one in declared]
    document = changed(TOOL, capability=asked, on=[{"topic": "a.b"}, {"topic": "a.c", "qos": "realtime"}])
    assert [one.resource for one in m.parse(toml(document)).capabilities] == heard
