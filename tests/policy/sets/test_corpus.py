from __future__ import annotations

import json
import subprocess
import sys

import pytest

import remit.policy
from remit.errors import PolicyInvalid
from remit.policy.sets.corpus import Verdict, authorize_lines

POLICIES = """
@id("read") permit (principal in Team::"a", action == Action::"read", resource);
permit (principal, action, resource) when { context.n > 2 };
forbid (principal, action, resource) when { context.missing == 1 };
"""
ENTITIES = [{"uid": {"type": "User", "id": "ann"}, "attrs": {}, "parents": [{"type": "Team", "id": "a"}]}]


def ask(context=None, action="read"):
    request = {
        "principal": {"type": "User", "id": "ann"},
        "action": {"type": "Action", "id": action},
        "resource": {"type": "Doc", "id": "d"},
    }
    return json.dumps(request | ({} if context is None else {"context": context}))


def verdicts(*lines, policies=POLICIES, entities=None, schema=None):
    return list(authorize_lines(policies, json.dumps(ENTITIES if entities is None else entities), schema, lines))


def test_each_line_gets_cedars_decision_reasons_and_errors():
    found = [verdict for verdict, fault in verdicts(ask({"n": 3}), "", ask({"n": 0, "missing": 1}), ask({"n": 0}))]
    assert found == [
        Verdict("allow", ("policy1", "read"), ("policy2",)),
        Verdict("deny", ("policy2",), ()),
        Verdict("allow", ("read",), ("policy2",)),
    ]


def test_the_public_engine_is_the_same_engine():
    engine = remit.policy.Engine.parse(POLICIES)
    answer = engine.authorize(json.loads(ask({"n": 3})), engine.entities(ENTITIES))
    assert (answer.decision, answer.reasons, answer.errors) == ("allow", ("policy1", "read"), ("policy2",))


@pytest.mark.parametrize(
    "line",
    [
        "{", "[]", "null", '{"principal": 1}', ask({"n": 1.5}), ask({"n": None}), ask({"n": 1 << 63}), "[" * 100_000,
        ask({"n": 1})[:-1] + ', "context": {"n": 5}}', ask("text"), ask([1]),
    ],
)  # fmt: skip
def test_a_line_that_is_no_request_is_a_deny_with_a_fault(line):
    [(verdict, fault)] = verdicts(line)
    assert verdict == Verdict("deny", (), ())
    assert fault


def test_a_request_that_breaks_the_schema_is_a_deny_with_a_fault():
    schema = (
        'entity Team; entity User in [Team]; entity Doc; action "read" appliesTo { principal: User, resource: Doc };'
    )
    policies = "permit (principal, action, resource);"
    [(good, none), (bad, fault)] = verdicts(ask(), ask(action="fly"), policies=policies, schema=schema)
    assert (good.decision, none) == ("allow", "")
    assert (bad.decision, bool(fault)) == ("deny", True)


@pytest.mark.parametrize("schema", ["", "  ", "garbage", "{", "entity A;"])
def test_a_schema_that_says_nothing_is_refused_and_not_ignored(schema):
    with pytest.raises(PolicyInvalid):
        verdicts(ask(), schema=schema)


@pytest.mark.parametrize("entities", [{}, [1], [{"uid": 1}], "text", [{"uid": {"type": "A", "id": "b"}, "attrs": 1}]])
def test_entities_that_are_none_are_refused(entities):
    with pytest.raises(PolicyInvalid):
        verdicts(ask(), entities=entities)


DEEP = {
    "parentheses": "permit (principal, action, resource) when { " + "(" * 290 + "true" + ")" * 290 + " };",
    "too many": "permit (principal, action, resource) when { " + "(" * 5_000 + "true" + ")" * 5_000 + " };",
    "ifs": "permit (principal, action, resource) when { " + "if true then true else " * 290 + "true };",
    "many ifs": "permit (principal, action, resource) when { " + "if true then true else " * 9_000 + "true };",
    "chain": "permit (principal, action, resource) when { " + "true && " * 4_000 + "true };",
    "long chain": "permit (principal, action, resource) when { " + "true && " * 100_000 + "true };",
    "negations": "permit (principal, action, resource) when { " + "!" * 4_000 + "true };",
    "dots": "permit (principal, action, resource) when { context" + ".a" * 4_000 + " };",
    "sets": "permit (principal, action, resource) when { " + "[" * 290 + "1" + "]" * 290 + " == [] };",
    "open": "permit (principal, action, resource) when { " + "{" * 4_000,
    "string": 'permit (principal, action, resource) when { "' + "(" * 9_000,
    "zero": "\0" * 1_000,
    "marks": "@" * 50_000,
}
PROBE = """
import sys, json
from remit.errors import PolicyInvalid
from remit.policy.sets.corpus import authorize_lines
request = json.dumps({"principal": 'U::"a"', "action": 'Action::"b"', "resource": 'R::"c"', "context": {}})
try:
    for verdict, fault in authorize_lines(sys.stdin.read(), "[]", None, [request]):
        print(verdict.decision)
except PolicyInvalid as error:
    print("refused")
"""


@pytest.mark.parametrize("shape", sorted(DEEP))
def test_no_policy_text_ends_the_process(shape):
    done = subprocess.run(
        [sys.executable, "-c", PROBE], input=DEEP[shape], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in {"allow", "deny", "refused"}


def test_a_byte_order_mark_before_the_first_request_changes_nothing():
    line = json.dumps({
        "principal": {"type": "U", "id": "a"}, "action": {"type": "Action", "id": "l"},
        "resource": {"type": "B", "id": "b"}, "context": {},
    })  # fmt: skip
    policies = "permit (principal, action, resource);"
    plain = list(authorize_lines(policies, "[]", None, [line, line]))
    assert [verdict.decision for verdict, _ in plain] == ["allow", "allow"]
    assert list(authorize_lines(policies, "[]", None, ["\ufeff" + line, line])) == plain
