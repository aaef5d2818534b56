"""Administrators' commands over a real home: what the walk-through of docs/policy.md does not show."""

from __future__ import annotations

import json

import pytest

from remit.host import Kernel

ASK = (
    '@id("site.ask") @why("ask first") @decision("ask")\n'
    'permit (principal == Remit::Unit::"acme/sneaky", action == Remit::Action::"net:http", resource)\n'
    "when { context.lease.approved };\n"
)
QUIET = '@id("site.quiet") @why("quiet") forbid (principal, action == Remit::Action::"events:emit", resource);\n'


@pytest.fixture
def sneaky(home, remit, units):
    """A home in which acme/sneaky and acme/counter are active."""
    remit("unit", "install", units / "sneaky", units / "counter", "--allow-unsigned")
    remit("unit", "apply", "acme/sneaky", "acme/counter", "--yes")
    return home


@pytest.fixture
def draft(tmp_path):
    """A folder of policies."""
    folder = tmp_path / "draft"
    folder.mkdir()
    (folder / "site.cedar").write_text(ASK)
    return folder


def data(result):
    return json.loads(result.stdout)


def grant_of(remit, unit, action):
    leases = data(remit("lease", "list", "--json"))["leases"]
    return next(one for one in leases if (one["unit"], one["action"]) == (unit, action))


@pytest.mark.usefixtures("sneaky")
def test_a_consent_that_a_policy_voids_is_asked_answered_and_remembered(remit, draft):
    request = ("lease", "request", "acme/sneaky", "net:http", "https://updates.example.com", "--json")
    assert data(remit(*request))["state"] == "decided"
    remit("policy", "shadow", draft)
    remit("policy", "publish", draft)
    asked = data(remit(*request))
    assert (asked["state"], asked["policies"]) == ("pending", ["ask.http", "site.ask"])
    assert [one["id"] for one in data(remit("lease", "list", "--json"))["pending"]] == [asked["id"]]
    assert asked["id"] in remit("lease", "list").stdout
    why = ("lease", "why", "acme/sneaky", "net:http", "https://updates.example.com", "--json")
    assert data(remit(*why))["outcome"] == "ask"
    remit("lease", "approve", asked["id"])
    assert data(remit(*why))["outcome"] == "allow"
    remit("lease", "deny", asked["id"], "--reason", "no more")
    assert data(remit(*request))["state"] == "refused"
    assert data(remit("lease", "list", "--json"))["pending"] == []
    remit("lease", "approve", "c0", code=1)


@pytest.mark.usefixtures("sneaky")
def test_show_names_mode_reach_and_consent(remit):
    grant = grant_of(remit, "acme/sneaky", "fs:read")
    shown = data(remit("lease", "show", grant["id"], "--json"))
    assert shown["mode"] == "guarded"
    assert shown["consented"]
    assert "guard.secret-dirs" in shown["policies"]
    remit("lease", "show", "g0", code=1)


@pytest.mark.usefixtures("sneaky")
def test_revoking_by_publisher_resource_and_unit(remit):
    by_resource = data(remit("lease", "revoke", "--resource", "https://updates.", "--json"))["revoked"]
    assert [one["action"] for one in by_resource] == ["net:http"]
    by_publisher = data(remit("lease", "revoke", "--publisher", "acme", "--json"))["revoked"]
    assert {one["action"] for one in by_publisher} == {"fs:read", "events:emit"}
    remit("lease", "revoke", "--publisher", "acme", code=1)
    remit("lease", "revoke", code=64)
    remit("lease", "revoke", "--quarantine", code=64)


@pytest.mark.usefixtures("sneaky")
def test_renew_takes_a_grant_or_a_unit(remit):
    assert data(remit("lease", "renew", "acme/sneaky", "--json")) == {"renewed": 2}
    assert data(remit("lease", "renew", grant_of(remit, "acme/counter", "events:emit")["id"], "--json")) == {
        "renewed": 1
    }
    remit("lease", "renew", code=64)
    remit("lease", "renew", "acme/unknown", code=1)


@pytest.mark.usefixtures("sneaky")
def test_explaining_a_record_of_the_journal(remit):
    remit("call", "acme/sneaky:probe", "{}")
    lines = remit("events", "--prefix", "lease.denied", "--json").stdout.splitlines()
    record = next(one for one in map(json.loads, lines) if one["event"]["data"]["action"] == "fs:read")
    said = data(remit("policy", "explain", record["seq"], "--json"))
    assert {part["policy"] for part in said["decided"]} == {"guard.secret-dirs", "guard.undeclared"}
    remit("policy", "explain", "1", code=64)
    remit("policy", "explain", "acme/sneaky", "fs:read", code=64)
    remit("policy", "explain", "acme/sneaky", "fs:read", "relative", code=1)


@pytest.mark.usefixtures("sneaky")
def test_a_posture_changes_with_yes_alone(remit):
    remit("policy", "posture", "strict", code=2)
    assert data(remit("policy", "posture", "--json"))["posture"] == "standard"
    remit("policy", "posture", "strict", "--yes")
    assert data(remit("policy", "posture", "--json"))["posture"] == "strict"
    remit("policy", "posture", "relaxed", "--yes", code=3)
    remit("policy", "posture", "relaxed", "--yes", "--override")
    remit("policy", "posture", "anything", code=1)


@pytest.mark.usefixtures("sneaky")
def test_a_widening_set_is_refused_and_an_owner_may_insist(remit, draft):
    remit("policy", "publish", draft, code=3)
    remit("policy", "publish", draft, "--override")
    assert data(remit("policy", "history", "--json"))["live"]["override"]
    remit("policy", "shadow", "--stop", code=1)
    remit("policy", "rollback", "ffffff", code=1)


def test_without_a_folder_the_candidate_is_what_lies_in_the_home(sneaky, remit):
    (sneaky / "policy" / "site.cedar").write_text(QUIET)
    assert remit("policy", "diff").stdout == "no policy differs\n"  # this very command started under it
    assert data(remit("policy", "history", "--json"))["live"]["reason"] == "the files of the home"


@pytest.mark.usefixtures("sneaky")
def test_a_candidate_that_is_wrong_is_refused_with_every_fault(remit, draft):
    (draft / "bad.cedar").write_text("permit (")
    for words in (("diff",), ("what-if",), ("shadow",), ("publish",)):
        assert "RM-4001" in remit("policy", *words, draft, code=1).stderr
    remit("policy", "lint", draft, code=1)
    remit("policy", "validate", draft, code=1)
    remit("policy", "fmt", draft / "bad.cedar", code=1)


def test_authorize_prints_a_line_for_each_request_and_needs_no_home(remit, tmp_path, monkeypatch):
    monkeypatch.setenv("REMIT_HOME", str(tmp_path / "nowhere"))
    (tmp_path / "p").write_text(
        "permit (principal, action, resource) when { context.n > 1 };\n"
        '@id("x") forbid (principal, action, resource) when { context.n > 2 };'
    )
    (tmp_path / "e").write_text("[]")
    uids = {name: {"type": "T", "id": "a"} for name in ("principal", "resource")} | {
        "action": {"type": "Action", "id": "a"}
    }
    lines = [json.dumps(uids | {"context": {"n": n}}) for n in (1, 2, 3)] + ["{", json.dumps(uids | {"context": {}})]
    (tmp_path / "r").write_text("\n".join(lines))
    words = ("policy", "authorize", "--policies", tmp_path / "p", "--entities", tmp_path / "e", "--requests")
    result = remit(*words, tmp_path / "r", "--json")
    assert [json.loads(line) for line in result.stdout.splitlines()] == [
        {"decision": "deny", "reasons": [], "errors": []},
        {"decision": "allow", "reasons": ["policy0"], "errors": []},
        {"decision": "deny", "reasons": ["x"], "errors": []},
        {"decision": "deny", "reasons": [], "errors": []},
        {"decision": "deny", "reasons": [], "errors": ["policy0", "x"]},
    ]
    assert "request 4" in result.stderr
    assert (
        remit(*words, "-", stdin=lines[1] + "\n", code=0).stdout
        == '{"decision":"allow","reasons":["policy0"],"errors":[]}\n'
    )


def test_authorize_names_the_file_at_fault(remit, tmp_path):
    ask = json.dumps({name: {"type": "T", "id": "a"} for name in ("principal", "action", "resource")})
    good = {"policies": b"permit (principal, action, resource);", "entities": b"[]", "requests": ask.encode()}

    def tried(code, **changed):
        words = ["policy", "authorize"]
        for name, content in {**good, **changed}.items():
            path = tmp_path / name
            path.write_bytes(content)
            words += [f"--{name}", path]
        return remit(*words, code=code)

    box = {"uid": {"type": "T", "id": "a"}, "attrs": {}, "parents": []}
    twice = json.dumps([box, box | {"attrs": {"n": 1}}]).encode()
    for entities in (b"nope", b"{}", twice):
        assert "correct the entities" in tried(1, entities=entities).stderr
    assert "correct the policy text" in tried(1, policies=b"permit (").stderr
    assert "give the whole schema" in tried(1, schema=b"entity Foo;").stderr
    for name in good:
        if name != "requests":
            assert "is not UTF-8" in tried(64, **{name: b"\xff"}).stderr
    odd = b"\xef\xbb\xbf%b\r\n\r\n\xff\xfe\n[]\n%b" % (ask.encode(), ask.encode())
    result = tried(0, requests=odd)
    assert [json.loads(line)["decision"] for line in result.stdout.splitlines()] == ["allow", "deny", "deny", "allow"]
    assert [line.split(":")[0] for line in result.stderr.splitlines()] == ["request 2", "request 3"]
    words = ("policy", "authorize", "--policies", tmp_path / "policies", "--entities", tmp_path / "entities")
    for missing in (tmp_path, tmp_path / "nowhere"):
        assert "name a readable file" in remit(*words, "--requests", missing, code=64).stderr


def test_a_folder_is_laid_out_file_by_file(remit, draft):
    (draft / "more.cedar").write_text(QUIET)
    assert len(data(remit("policy", "fmt", draft, "--json"))["changed"]) == 2
    remit("policy", "fmt", "--check", draft)


def test_bounds_are_of_a_part_that_is_delegated(remit):
    for option, value in (("--calls", "3"), ("--bytes", "3"), ("--host-time", "3s"), ("--fuel", "3")):
        words = ("lease", "request", "acme/tool", "net:http", "https://a.example", option, value)
        assert "--from" in remit(*words, code=64).stderr


@pytest.mark.usefixtures("sneaky")
def test_a_part_of_a_grant_is_delegated_listed_and_revoked(remit):
    parent = grant_of(remit, "acme/sneaky", "net:http")["id"]
    words = ("lease", "request", "acme/counter", "net:http", "https://updates.example.com", "--from", parent, "--json")
    given = data(remit(*words, "--calls", "5"))
    assert (given["parent"], given["capability"]["budget"]["calls"]) == (parent, 5)
    assert grant_of(remit, "acme/counter", "net:http")["id"] == given["id"]
    remit("lease", "request", "acme/counter", "net:http", "https://other.example.com", "--from", parent, code=1)
    remit("lease", "request", "acme/counter", "fs:read", "/data", "--from", parent, code=64)
    remit("lease", "revoke", parent)
    assert grant_of(remit, "acme/counter", "net:http")["state"] == "revoked"


@pytest.mark.usefixtures("sneaky")
def test_every_operation_crosses_the_homes_socket(remit, draft, home):
    with Kernel.open(home):
        remit("policy", "diff", draft, code=2)
        remit("policy", "what-if", draft)
        remit("policy", "shadow", draft)
        remit("policy", "shadow", "--stop")
        remit("policy", "publish", draft, "--override")
        asked = data(remit("lease", "request", "acme/sneaky", "net:http", "https://updates.example.com", "--json"))
        remit("lease", "approve", asked["id"])
        remit("lease", "why", "acme/sneaky", "net:http", "https://updates.example.com")
        remit("lease", "show", asked["grant"])
        remit("lease", "renew", "acme/sneaky")
        remit("lease", "revoke", "--publisher", "acme", "--quarantine")
        remit("lease", "renew", "--publisher", "acme")
        remit("lease", "request", "acme/counter", "fs:read", "/data/notes", "--from",
              grant_of(remit, "acme/sneaky", "fs:read")["id"])  # fmt: skip
        remit("policy", "rollback")
        remit("lease", "revoke", "--publisher", "acme")
