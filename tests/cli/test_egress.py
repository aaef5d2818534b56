"""Where units may reach, from the command line; components seen from outside."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def sneaky(home, remit, units):
    """A home in which acme/sneaky, which may reach one origin, is active."""
    remit("unit", "install", units / "sneaky", "--allow-unsigned")
    remit("unit", "apply", "acme/sneaky", "--yes")
    return home


def preview(remit, *words):
    return json.loads(remit("egress", "preview", *words, "--json").stdout)["previews"]


@pytest.mark.usefixtures("sneaky")
def test_a_preview_says_what_a_request_would_meet(remit):
    (denied,) = preview(remit, "https://other.example/x")
    assert (denied["unit"], denied["outcome"], denied["grant"]) == ("acme/sneaky", "denied", "")
    (method,) = preview(remit, "https://updates.example.com/x", "--method", "POST")
    assert "the grant is for GET" in method["reason"]
    (invalid,) = preview(remit, "ftp://updates.example.com")
    assert invalid["outcome"] == "invalid"
    assert "denied" in remit("egress", "preview", "https://other.example", "--unit", "acme/sneaky").stdout
    assert "RM-" in remit("egress", "preview", "https://other.example", "--unit", "acme/nobody", code=1).stderr


@pytest.mark.usefixtures("home")
def test_a_home_without_units_that_reach_out_says_so(remit):
    assert "No active unit" in remit("egress", "preview", "https://a.example").stdout
    assert "No unit reached outside" in remit("egress", "list").stdout


@pytest.mark.usefixtures("sneaky")
def test_attempts_are_listed(remit):
    remit("call", "acme/sneaky:probe")
    shown = json.loads(remit("egress", "list", "--json").stdout)["attempts"]
    assert {record["event"]["type"] for record in shown} == {"egress.denied"}
    assert "acme/sneaky" in remit("egress", "list").stdout


@pytest.mark.usefixtures("home")
def test_a_component_is_shown_with_what_it_needs(remit, units, tmp_path):
    found = json.loads(remit("unit", "inspect", units / "sneaky" / "sneaky.wasm", "--json").stdout)
    assert set(found["capabilities"]) == {"net:http", "fs:read"}
    text = remit("unit", "inspect", units / "echo" / "echo.wasm").stdout
    assert "world tool" in text
    (tmp_path / "no.wasm").write_bytes(b"\0asm\x01\0\0\0")
    assert "RM-5001" in remit("unit", "inspect", tmp_path / "no.wasm", code=1).stderr
    assert "RM-5001" in remit("unit", "inspect", tmp_path / "missing.wasm", code=1).stderr


@pytest.mark.usefixtures("echo")
def test_a_recorded_call_points_at_its_transcript(remit):
    remit("call", "acme/echo:echo", '{"text": "x"}', "--record", "full")
    (record,) = [json.loads(line) for line in remit("events", "--last", "1", "--json").stdout.splitlines()]
    assert record["event"]["data"]["transcript"].startswith("sha256:")
