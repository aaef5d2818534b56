from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.policy.sets.prescan import MAX_FILE, MAX_NESTING, MAX_OPERANDS, MAX_POLICY, scan

HEAD = '@id("x") permit (principal, action, resource) when { '
BOMBS = {
    "parentheses": HEAD + "(" * 700 + "true" + ")" * 700 + " };",
    "brackets": HEAD + "[" * 700 + "1" + "]" * 700 + " == 1 };",
    "records": HEAD + "{a:" * 700 + "1" + "}" * 700 + " == 1 };",
    "conditionals": HEAD + "if true then true else " * 1_500 + "true };",
    "negations": HEAD + "!(" * 700 + "true" + ")" * 700 + " };",
    "conjunctions": HEAD + " && ".join(["true"] * 100_000) + " };",
    "sums": HEAD + "+".join(["1"] * 5_000) + " == 1 };",
    "members": HEAD + "context" + ".a" * 5_000 + " };",
    "behind a carriage return": HEAD + "true // \r && " + "(" * 700 + "true" + ")" * 700 + " };",
    "behind a quote in a comment": '// "\n' + HEAD + "(" * 700 + "true" + ")" * 700 + ' }; // "',
    "behind an escaped line break": HEAD + '"\\\n' + "(" * 700 + '"' + " };",
    "unclosed": HEAD + "(" * 700,
}


@pytest.mark.parametrize("name", sorted(BOMBS))
def test_bombs_are_refused_before_the_parser(name):
    _, findings = scan("bomb.cedar", BOMBS[name])
    assert findings
    assert all(finding.severity == "error" for finding in findings)


def test_a_process_that_checks_every_bomb_on_a_small_stack_survives():
    program = (
        "import sys, threading, json\n"
        "from remit.policy.postures import check\n"
        "texts = json.load(sys.stdin)\n"
        "bad = []\n"
        "def work():\n"
        "    for name, text in texts.items():\n"
        "        if not any(f.severity == 'error' for f in check('standard', {name: text})): bad.append(name)\n"
        "threading.stack_size(512 * 1024)\n"
        "thread = threading.Thread(target=work); thread.start(); thread.join()\n"
        "print('survived', bad)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(BOMBS),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "survived []"), done.stderr[-500:]


def test_what_is_just_within_the_bounds_passes():
    nested = HEAD + "(" * (MAX_NESTING - 1) + "true" + ")" * (MAX_NESTING - 1) + " };"
    flat = HEAD + " && ".join(["true"] * (MAX_OPERANDS + 1)) + " };"
    for text in (nested, flat):
        assert scan("x", text)[1] == []


def test_what_is_just_beyond_them_does_not():
    nested = HEAD + "(" * MAX_NESTING + "true" + ")" * MAX_NESTING + " };"
    flat = HEAD + " && ".join(["true"] * (MAX_OPERANDS + 2)) + " };"
    for text in (nested, flat, HEAD + '"' + "a" * MAX_POLICY + '" == "" };', " " * (MAX_FILE + 1)):
        assert scan("x", text)[1]


@pytest.mark.parametrize("char", ["\x00", "\u202e", "\u200b", "\ufeff", "\x1b", "\ud800"])
def test_characters_that_deceive_readers_are_refused_even_in_comments(char):
    assert scan("x", f"\n// {char}\n")[1][0].line == 2


@given(st.lists(st.sampled_from(['permit(a,b,"c;d");', "forbid(x) ;", "// note; more\n", "\n", " "]), max_size=20))
def test_statements_keep_every_policy_and_know_its_line(parts):
    text = "".join(parts)
    statements, findings = scan("x", text)
    assert findings == []
    assert len(statements) == sum(part.startswith(("permit", "forbid")) for part in parts)
    lines = text.split("\n")
    for statement in statements:
        assert statement.text.split("\n")[0] in lines[statement.line - 1]


@given(st.text(max_size=300))
def test_any_text_is_scanned_without_raising(text):
    statements, _ = scan("x", text)
    assert all(statement.text in text for statement in statements)
