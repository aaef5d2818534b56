"""Hostile policy text: refused with a finding, or harmless; the process goes on."""

from __future__ import annotations

import pytest

from remit.errors import PolicyInvalid
from remit.kernel.model import Budget, Capability
from remit.policy.postures import check, load, schema_text
from remit.policy.reviewing.lint import lint
from remit.policy.sets.engine import Engine, parse_schema
from remit.policy.sets.layout import formatted
from tests.policy.adversarial.entries import Entries
from tests.policy.adversarial.survival import survives

attack = Entries()
HEAD = '@id("site.x") forbid (principal is Remit::Unit, action in Remit::Action::"use", resource) when { '


def errors(text, posture="standard"):
    return [one.message for one in check(posture, {"policy/a.cedar": text}) if one.severity == "error"]


def refused(text, words):
    found = errors(text)
    assert any(words in one for one in found), found
    with pytest.raises(PolicyInvalid):
        load("standard", {"policy/a.cedar": text})


def nested(depth, opener="(", closer=")"):
    return HEAD + opener * depth + "true" + closer * depth + " };"


@attack("700 nested parens")
def _(_at):
    survives(nested(700), nested(700, "[", "]"), nested(700, "!(", ")"), nested(100_000), HEAD + "(" * 700)
    refused(nested(700), "nest")


@attack("64 on a small-stack thread")
def _(_at):
    survives(nested(64), nested(31), nested(32), HEAD + "if true then true else " * 64 + "true };", stack=256 * 1024)
    refused(nested(64), "nest")


@attack("100k && chain in format")
def _(_at):
    chain = HEAD + " && ".join(["true"] * 100_000) + " };"
    survives(chain)
    with pytest.raises(PolicyInvalid):
        formatted("a.cedar", chain)


@attack("bidi or homoglyph ids")
def _(_at):
    for char in "\u202e\u2066\u200b\ufeff":
        refused(f'@id("site.x{char}") forbid (principal, action, resource) when {{ false }};', "character")
    lookalike = f'{HEAD} principal == Remit::Unit::"acm\u0435/tool" }};'
    assert any("CYRILLIC and LATIN" in one.message for one in lint("standard", {"policy/a.cedar": lookalike}))
    refused('@id("sit\u0435.x") forbid (principal, action, resource) when { false };', "@id")


@attack("duplicate @id")
def _(_at):
    rule = "forbid (principal, action, resource) when { false };"
    refused(f'@id("site.x") {rule} @id("site.x") {rule}', "the id is taken")
    refused(f'@id("admin.owner") {rule}', "the id is taken")
    refused(f'@id("site.x") @id("site.y") {rule}', "duplicate annotation")


@attack("ask without the conjunct")
def _(_at):
    ask = (
        '@id("site.x") @decision("ask") permit (principal is Remit::Unit, action == Remit::Action::"fs:read", resource)'
    )
    refused(f"{ask};", "it would allow at once")
    refused(f"{ask} when {{ context.lease.approved || true }};", "it would allow at once")
    refused(f"{ask} unless {{ context.lease.approved }};", "it would allow at once")


@attack("permit for everything with no condition")
def _(_at):
    refused('@id("site.x") permit (principal, action, resource);', "a canary was let through")


@attack("forbid with overflow")
def _(at):
    text = HEAD + "context.lease has calls && context.lease.calls + 1 > 5 };"
    authority = at.world.authority(files={"policy/a.cedar": text})
    huge = Capability("events:emit", "text", budget=Budget(60_000, calls=(1 << 63) - 1))
    decision = authority.review(at.world.unit(), huge)
    assert (decision.outcome, decision.policies) == ("deny", ("site.x",))
    assert "failed to evaluate" in decision.reason


@attack("forbid on an optional attribute")
def _(at):
    refused(HEAD + "context.lease.calls > 5 };", "optional")
    guarded = HEAD + "context.lease has calls && context.lease.calls > 5 };"
    authority = at.world.authority(files={"policy/a.cedar": guarded})
    assert authority.review(at.world.unit(), Capability("events:emit", "text")).allowed


@attack("unless with an error")
def _(at):
    text = (
        '@id("site.x") forbid (principal is Remit::Unit, action in Remit::Action::"use", resource) '
        "unless { context.lease has calls && context.lease.calls * 2 > 0 };"
    )
    authority = at.world.authority(files={"policy/a.cedar": text})
    huge = Capability("events:emit", "text", budget=Budget(60_000, calls=(1 << 62) + 1))
    assert authority.review(at.world.unit(), huge).policies == ("site.x",)
    small = Capability("events:emit", "text", budget=Budget(60_000, calls=1))
    assert authority.review(at.world.unit(), small).allowed


@attack("template left unlinked")
def _(_at):
    refused('@id("site.x") permit (principal == ?principal, action, resource);', "template")


@attack("empty schema file")
def _(_at):
    for text in ("", " \n\t", "// nothing\n", "{}", "namespace Remit { entity Unit; }"):
        with pytest.raises(PolicyInvalid):
            parse_schema(text)
    with pytest.raises(PolicyInvalid):
        Engine.parse("permit (principal, action, resource);", "")


@attack("schema swap that drops an action")
def _(at):
    without = schema_text().replace('"secret:read" in', '"secret:gone" in')
    at.patch.setattr("remit.policy.postures.schema_text", lambda: without)
    with pytest.raises(PolicyInvalid, match="secret:read"):
        load("standard", {})


@attack("NUL, CRLF or BOM")
def _(_at):
    rule = '@id("site.x") forbid (principal, action, resource)\r\nwhen { false };\r\n'
    assert errors(rule) == []
    for text in (rule.replace("false", "f\0alse"), f"\0{rule}", f"\ufeff{rule}", f"// \r{HEAD}\0true }};"):
        refused(text, "character")


@pytest.mark.parametrize("entry", attack)
def test_hostile_policy_text(at, entry):
    attack[entry](at)
