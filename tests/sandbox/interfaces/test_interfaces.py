"""The host interfaces: what they ask policy for, what they bound, and what they leave behind."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.kernel.hostcall import Ok, Refused
from remit.sandbox.egress.target import parse_target
from remit.sandbox.interfaces.files import normal_path


def test_log_lines_are_bounded_in_number_and_length(new_scope, ask):
    scope = new_scope(log_lines=3)
    for _ in range(10):
        assert ask(scope, "log.write", "info", "m" * 10_000, "{}") == Ok()
    assert len(scope.log) == 4
    assert {len(line["message"]) for line in scope.log[:3]} == {4096}
    assert "dropped" in scope.log[3]["message"]
    told = json.loads(scope.log[3]["fields"])
    assert (told["code"], "runtime.log_lines" in told["remedy"], told["limit"]) == ("RM-5023", True, 3)
    assert scope.log[0] | {"message": ""} == {"level": "info", "message": "", "fields": "{}"}


def test_fields_that_are_too_long_are_left_out_whole(scope, ask):
    ask(scope, "log.write", "info", "m", '"' + "x" * 20_000 + '"')
    assert scope.log[0]["fields"] == ""


def test_parameters_are_the_units_own(scope, ask):
    assert ask(scope, "parameters.get") == Ok('{"mask":"x"}')


def test_clocks_are_the_kernels(new_scope, ask):
    scope = new_scope(clock=SimpleNamespace(now_ms=lambda: 1_700_000_000_123, monotonic_ns=lambda: 42))
    assert ask(scope, "clock.now-ms") == Ok(1_700_000_000_123)
    assert ask(scope, "clock.monotonic-ns") == Ok(42)


def test_randomness_is_the_kernels_and_bounded(scope, ask):
    assert ask(scope, "random.hex", 4) == Ok("00010203")
    assert ask(scope, "random.next") == Ok(0x0001020304050607)
    assert ask(scope, "random.hex", 65_537).code == "invalid"


def test_state_keeps_versions(scope, ask):
    assert ask(scope, "state.get", "k") == Ok(None)
    assert ask(scope, "state.put", "k", "v", 0) == Ok(1)
    assert ask(scope, "state.get", "k") == Ok({"value": "v", "version": 1})
    assert ask(scope, "state.put", "k", "w", 0).code == "conflict"
    assert ask(scope, "state.list", "", "", 10) == Ok(["k"])
    assert ask(scope, "state.delete", "k") == Ok(value=True)
    assert ask(scope, "state.delete", "k") == Ok(value=False)


def test_a_full_quota_is_exhausted_not_a_trap(scope, ask):
    scope.authority.granted.add(("events:emit", "ticket.created"))
    scope.effects.quota = 3
    assert ask(scope, "state.put", "k", "long", None).code == "exhausted"
    assert ask(scope, "events.emit", "ticket.created", "text/plain", "long").code == "exhausted"


@pytest.mark.parametrize("call", [
    ("state.get", ""), ("state.get", "k" * 513), ("state.get", "é" * 257), ("state.put", "", "v", None),
    ("state.put", "k" * 513, "v", None), ("state.put", "k", "v" * ((1 << 20) + 1), None), ("state.delete", "k" * 513),
    ("state.list", "p" * 513, "", 1), ("state.list", "", "a" * 513, 1), ("state.list", "", "", 0),
    ("state.list", "", "", 1001),
])  # fmt: skip
def test_state_refuses_what_is_beyond_its_bounds(scope, call, ask):
    assert ask(scope, *call).code == "invalid"
    assert scope.effects.rows == {}


def test_an_event_needs_a_grant_for_its_topic(scope, ask):
    refused = ask(scope, "events.emit", "ticket.created", "application/json", "{}")
    assert refused.code == "denied"
    (note,) = scope.notes
    assert (note.type, note.data["resource"], note.data["policies"]) == ("lease.denied", "ticket.created", ["p1"])
    scope.authority.granted.add(("events:emit", "ticket.created"))
    assert ask(scope, "events.emit", "ticket.created", "application/json", "{}") == Ok("id-1")
    assert scope.effects.emitted == [("ticket.created", "application/json", "{}")]


@pytest.mark.parametrize("topic", ["lease.given", "unit.applied", "home.created"])
def test_the_kernels_topics_are_denied_and_noted_before_policy_is_asked(scope, topic, ask):
    scope.authority.granted.add(("events:emit", topic))
    assert ask(scope, "events.emit", topic, "application/json", "{}").code == "denied"
    (note,) = scope.notes
    assert (note.type, note.subject, note.data["resource"]) == ("lease.denied", "acme/guest", topic)
    assert note.data["code"] == "RM-3007"
    assert scope.authority.used == []
    assert scope.effects.emitted == []


@pytest.mark.parametrize("topic", ["", "nodot", "Upper.case", "a..b", "a." + "b" * 300])
def test_what_is_no_topic_is_invalid(scope, topic, ask):
    assert ask(scope, "events.emit", topic, "application/json", "{}").code == "invalid"
    assert scope.notes == []


def test_an_event_that_is_too_large_is_invalid(scope, ask):
    scope.authority.granted.add(("events:emit", "a.b"))
    assert ask(scope, "events.emit", "a.b", "text/plain", "x" * ((1 << 20) + 1)).code == "invalid"
    assert ask(scope, "events.emit", "a.b", "t" * 201, "x").code == "invalid"


def request(url: str, method: str = "get", body: str = ""):
    return {"method": method, "url": url, "headers": [], "body": body, "body-encoding": "utf8", "timeout-ms": 0}


@pytest.mark.parametrize(("call", "used"), [
    (("http.fetch", request("HTTPS://Api.Example.COM:443/x?y", "post", "abc")),
     ("net:http", "https://api.example.com", "POST", len("/x?y") + 3)),
    (("files.read", "/data/../etc//passwd", "utf8"), ("fs:read", "/etc/passwd", "", 0)),
    (("files.write", "/data/x", "abc", "utf8"), ("fs:write", "/data/x", "", 3)),
    (("files.list", "//data/"), ("fs:read", "/data", "", 0)),
    (("secrets.read", "api-key"), ("secret:read", "api-key", "", 0)),
])  # fmt: skip
def test_a_capability_without_a_grant_is_denied_and_noted(scope, ask, call, used):
    assert ask(scope, *call).code == "denied"
    assert scope.authority.used == [used]
    assert ("lease.denied", used[0], used[1]) in [
        (note.type, note.data["action"], note.data["resource"]) for note in scope.notes
    ]
    assert scope.record.entries == []


def test_an_exhausted_budget_says_so(scope, ask):
    scope.authority.exhausted = True
    assert ask(scope, "secrets.read", "x").code == "exhausted"
    assert scope.notes[0].type == "lease.exhausted"


@pytest.mark.parametrize("call", [
    ("http.fetch", request("ftp://example.com")), ("http.fetch", request("https://u:p@example.com")),
    ("http.fetch", request("https://example.com", "GE T")), ("files.read", "etc/passwd", "utf8"),
    ("files.read", "/a\0b", "utf8"), ("secrets.read", "../x"), ("secrets.read", ""), ("actions.call", "", "{}"),
])  # fmt: skip
def test_a_resource_that_is_none_never_reaches_policy(scope, call, ask):
    assert ask(scope, *call).code == "invalid"
    assert scope.authority.used == []


@pytest.mark.parametrize(("url", "expected"), [
    ("https://example.com", "https://example.com"),
    ("http://Example.com:80/", "http://example.com"),
    ("https://example.com:8443/a", "https://example.com:8443"),
    ("https://example.com.", "https://example.com"),
    ("https://[2001:DB8::1]/", "https://[2001:db8::1]"),
    ("https://bücher.example/", "https://xn--bcher-kva.example"),
    ("https://example.com\\@evil.example", None), ("https://example.com@evil.example", None),
    ("https://@example.com", None), (" https://example.com", None), ("https://exa\tmple.com", None),
    ("https://", None), ("//example.com", None), ("https://example.com:99999", None), ("file:///etc/passwd", None),
    ("https://example.com:x", None), ("https://[::1", None), ("https://.", None), ("https://" + "a" * 9000, None),
])  # fmt: skip
def test_an_origin_is_canonical_or_refused(url, expected):
    assert getattr(parse_target(url), "origin", None) == expected


@given(st.text())
def test_an_origin_is_its_own_origin(url):
    found = parse_target(f"https://{url}")
    assert found is None or parse_target(found.origin).origin == found.origin


@given(st.text(alphabet="/.ab\0é", max_size=30))
def test_a_normal_path_is_absolute_and_does_not_climb(path):
    found = normal_path(path)
    assert found is None or (
        found.startswith("/")
        and not found.startswith("//")
        and ".." not in found.split("/")
        and normal_path(found) == found
    )


def test_actions_go_through_the_kernel_under_a_lease(new_scope, ask):
    asked = []
    scope = new_scope(lambda _scope, _grant, action, text: asked.append((action, text)) or Ok("done"))
    assert ask(scope, "actions.call", "acme/other:go", "{}").code == "denied"
    assert asked == []
    scope.authority.granted.add(("action:call", "acme/other:go"))
    assert ask(scope, "actions.call", "acme/other:go", "{}") == Ok("done")
    assert asked == [("acme/other:go", "{}")]


def test_actions_are_unavailable_where_the_kernel_offers_none(scope, ask):
    assert ask(scope, "actions.call", "acme/other:go", "{}") == Refused("unavailable", "units cannot call actions here")
    assert scope.authority.used == []
