from __future__ import annotations

import pytest

from remit.errors import PolicyInvalid
from remit.policy.postures import POSTURES, posture_files
from remit.policy.reviewing.lint import lint, lint_in_child
from remit.policy.sets.layout import formatted

U, A = "Remit::Unit", "Remit::Action"


def warnings(text):
    found = lint("standard", {"policy/a.cedar": text})
    assert all(one.severity == "warning" for one in found), found
    return " | ".join(one.message for one in found)


@pytest.mark.parametrize(
    "condition",
    ["false", "principal has nothing", "context.lease has calls && !(context.lease has calls) && false", "!true"],
)
def test_a_policy_that_can_never_apply_is_noticed(condition):
    text = f'@id("s") @why("x") forbid (principal is {U}, action == {A}::"fs:read", resource) when {{ {condition} }};'
    assert "can never apply" in warnings(text)


def test_a_scope_that_fits_no_action_is_noticed():
    text = f'@id("s") @why("x") forbid (principal, action == {A}::"fs:read", resource is Remit::Topic);'
    found = lint("standard", {"policy/a.cedar": text})
    assert any("can never apply" in one.message or one.severity == "error" for one in found)


def test_a_policy_that_may_apply_is_not_accused():
    text = f'@id("s") @why("x") forbid (principal is {U}, action == {A}::"fs:read", resource)'
    assert warnings(text + " when { context.lease has calls && context.lease.calls > 3 };") == ""
    assert warnings(text + ";") == ""


def test_a_permit_without_any_bound_is_noticed():
    start = f'@id("s") @why("x") permit (principal, action == {A}::"fs:read", '
    assert "without any bound" in warnings(start + "resource);")
    assert warnings(start + 'resource in Remit::Path::"/srv");') == ""


def test_letters_that_look_alike_are_noticed():
    text = f'@id("s") @why("x") forbid (principal == {U}::"acm\u0435/tool", action, resource);'
    assert "mixes letters of CYRILLIC and LATIN" in warnings(text)


def test_a_permit_without_a_reason_is_noticed():
    text = f'@id("s") permit (principal == {U}::"a/b", action == {A}::"fs:read", resource);'
    assert "does not say why" in warnings(text)


@pytest.mark.parametrize("posture", sorted(POSTURES))
def test_shipped_policies_can_all_apply_and_say_why(posture):
    messages = [one.message for one in lint(posture, {})]
    assert messages == []
    for text in posture_files(posture).values():
        assert text.count("@why") == text.count("@id")


@pytest.mark.parametrize("text", ["(" * 5_000, "\u202e", "permit (", '@id("a") permit (principal, action, resource);'])
def test_untrusted_text_is_looked_at_in_a_process_of_its_own(text):
    assert any(one.severity == "error" for one in lint_in_child("standard", {"policy/a.cedar": text}))


def test_a_process_that_dies_is_a_finding(monkeypatch):
    monkeypatch.setattr("remit.policy.reviewing.lint.__name__", "remit.policy.no_such_module")
    [finding] = lint_in_child("standard", {})
    assert "died" in finding.message


def test_layout_is_stable_and_keeps_comments():
    laid = formatted("a", f'// why\n@id("s") permit(principal==  {U}::"a/b",action,resource);')
    assert "// why" in laid
    assert formatted("a", laid) == laid
    for posture in POSTURES:
        for name, text in posture_files(posture).items():
            assert formatted(name, formatted(name, text)) == formatted(name, text)


@pytest.mark.parametrize("text", ["permit (", "(" * 5_000, "true && " * 100_000])
def test_layout_of_what_is_no_policy_is_refused(text):
    with pytest.raises(PolicyInvalid):
        formatted("a", text)
