"""``secrets``: where they come from, and the places where they must not be."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.kernel.hostcall import Ok
from remit.schemas import mask

SECRET = 's3cr"et\\nö'


@pytest.fixture
def safe(tmp_path, monkeypatch):
    """A home that declares secrets in every way."""
    monkeypatch.setenv("TEST_TOKEN", SECRET)
    monkeypatch.delenv("TEST_UNSET", raising=False)
    monkeypatch.setenv("TEST_SHORT", "abc")
    (tmp_path / "token").write_text("from a file\n")
    (tmp_path / "token").chmod(0o600)
    (tmp_path / "open").write_text("for everybody")
    (tmp_path / "open").chmod(0o644)
    (tmp_path / "link").symlink_to(tmp_path / "token")
    (tmp_path / "binary").write_bytes(b"\xff" * 10)
    (tmp_path / "binary").chmod(0o600)
    declared = {
        "token": {"env": "TEST_TOKEN"}, "unset": {"env": "TEST_UNSET"}, "short": {"env": "TEST_SHORT"},
        "file": {"file": "token"}, "open": {"file": "open"}, "link": {"file": "link"}, "missing": {"file": "missing"},
        "outside": {"file": "../token"}, "absolute": {"file": "/etc/passwd"}, "binary": {"file": "binary"},
    }  # fmt: skip
    return SimpleNamespace(root=tmp_path, config=SimpleNamespace(secrets=declared))


@pytest.fixture
def scope(new_scope, safe):
    scope = new_scope(lambda *_: pytest.fail("nobody is called"))
    scope.authority.granted.update(("secret:read", name) for name in (*safe.config.secrets, "undeclared"))
    scope.authority.granted |= {("events:emit", "a.b"), ("action:call", "acme/other:go")}
    return scope


def test_a_secret_comes_from_the_environment_or_an_owner_only_file(scope, ask, safe):
    assert ask(scope, "secrets.read", "token", home=safe) == Ok(SECRET)
    assert ask(scope, "secrets.read", "file", home=safe) == Ok("from a file")


@pytest.mark.parametrize(("name", "code"), [
    ("undeclared", "not-found"), ("unset", "unavailable"), ("short", "unavailable"), ("open", "unavailable"),
    ("link", "unavailable"), ("missing", "unavailable"), ("outside", "unavailable"), ("absolute", "unavailable"),
    ("binary", "unavailable"), ("../token", "invalid"), ("", "invalid"),
])  # fmt: skip
def test_what_is_not_kept_safely_is_not_given(scope, ask, safe, name, code):
    refused = ask(scope, "secrets.read", name, home=safe)
    assert refused.code == code
    assert "abc" not in refused.message
    assert scope.secrets == {}


def test_without_a_grant_nothing_is_read(new_scope, ask, safe):
    scope = new_scope()
    assert ask(scope, "secrets.read", "token", home=safe).code == "denied"
    assert scope.secrets == {}


@pytest.mark.parametrize("call", [
    ("state.put", "k", f"x{SECRET}x", None), ("state.put", SECRET, "v", None),
    ("events.emit", "a.b", "text/plain", SECRET), ("events.emit", "a.b", "application/json", '"s3cr\\"et\\\\nö"'),
    ("actions.call", "acme/other:go", '{"key":"s3cr\\"et\\\\nö"}'),
])  # fmt: skip
def test_a_secret_is_neither_kept_nor_handed_on(scope, ask, safe, call):
    ask(scope, "secrets.read", "token", home=safe)
    assert ask(scope, *call, home=safe).code == "denied"
    assert scope.effects.rows == {}
    assert scope.effects.emitted == []


def test_a_log_line_is_masked_before_it_is_cut(scope, ask, safe):
    ask(scope, "secrets.read", "token", home=safe)
    ask(scope, "log.write", "info", "x" * 4090 + SECRET, f'{{"key":"{SECRET}"}}', home=safe)
    (line,) = scope.log
    assert SECRET[:4] not in line["message"]
    assert "[token]" in line["fields"]


@given(st.text(), st.text(), st.text(min_size=4))
def test_masking_leaves_no_secret_and_touches_nothing_else(before, after, secret):
    assert secret not in mask(before + secret + after, {"token": secret}).replace("[token]", "")
    assert mask(before, {"token": secret}) == before or secret in before or json.dumps(secret)[1:-1] in before
