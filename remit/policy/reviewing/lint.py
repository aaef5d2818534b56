"""What Cedar's own checks do not say about a home's policies; and a look at untrusted text in a process of its own.

Warnings are opinions: a set with warnings loads. The errors are those of ``remit policy check``.
"""

from __future__ import annotations

import subprocess
import sys
import unicodedata
from dataclasses import replace
from typing import TYPE_CHECKING

import cedarpy
import msgspec
from cedarpy import pst

from remit.policy.postures import check, schema_text
from remit.policy.sets.engine import on_large_stack, parse_schema
from remit.policy.sets.findings import Finding
from remit.policy.sets.policyset import compile_set
from remit.policy.sets.prescan import scan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["lint", "lint_in_child"]

_CHILD_SECONDS = 60
_ILL_TYPED = pst.BinaryOp("less", pst.StringLit("a"), pst.LongLit(1))


def lint(posture: str, files: Mapping[str, str]) -> list[Finding]:
    """Every error and warning about files on top of a posture, by file and line. Never raises on their text."""
    schema = parse_schema(schema_text())
    findings = check(posture, files)
    policies = compile_set(files, schema).policies
    lines = dict(_lines(files))
    for name, policy in policies.items():
        file, line = lines.get(name, ("(policy set)", 0))
        findings += [
            Finding(file, message, severity="warning", policy=name, line=line) for message in _doubts(policy, schema)
        ]
    return sorted(dict.fromkeys(findings), key=lambda one: (one.file, one.line, one.severity))


def _doubts(policy: pst.Template, schema: cedarpy.Schema) -> Iterator[str]:
    if on_large_stack(lambda: _never(policy, schema)):
        yield "it can never apply: its scope and conditions are false for every request"
    scopes = (policy.principal, policy.resource)
    if policy.effect == "permit" and not policy.clauses and not any(_named(scope) for scope in scopes):
        yield "it permits without any bound: name a principal or a resource, or add a condition"
    for word in _words(policy):
        scripts = _scripts(word)
        if len(scripts) > 1:
            yield f"{word[:40]!a} mixes letters of {' and '.join(sorted(scripts))}, which may look alike"
    if policy.effect == "permit" and not policy.annotations.get("why"):
        yield 'it does not say why: add @why("…"), which denials and plans show'


def _never(policy: pst.Template, schema: cedarpy.Schema) -> bool:
    """Whether no request can satisfy it, as far as Cedar's type checker knows.

    The checker does not look behind what it knows to be false: a policy that is still valid with an ill-typed condition
    at its end can never get there. The binding does not pass on its warning about that.
    """
    probe = replace(policy, id="probe", clauses=(*policy.clauses, pst.When(_ILL_TYPED)))
    node = pst.PolicySet(pst.FrozenMap(), pst.FrozenMap({"probe": probe}), ())
    text = str(cedarpy.PolicySet.from_pst(node))
    return bool(cedarpy.validate_policies(text, schema).validation_passed)


def _named(scope: pst.PrincipalOrResourceConstraint) -> bool:
    return not isinstance(scope, pst.ScopeAny | pst.ScopeIs)


def _words(policy: pst.Template) -> list[str]:
    """What people read as names: ids of entities and strings."""
    found: list[str] = []
    stack: list[object] = [policy.principal, policy.action, policy.resource, *(one.expr for one in policy.clauses)]
    while stack:
        one = stack.pop()
        if isinstance(one, str):
            found.append(one)
        elif isinstance(one, tuple):
            stack += one
        elif isinstance(one, dict):
            stack += one.values()
        else:
            stack += [getattr(one, name) for name in getattr(type(one), "__dataclass_fields__", ())]
    return sorted({word for word in found if not word.isascii()})


def _scripts(word: str) -> set[str]:
    return {unicodedata.name(char, "?").partition(" ")[0] for char in word if char.isalpha()}


def _lines(files: Mapping[str, str]) -> Iterator[tuple[str, tuple[str, int]]]:
    """Where each policy begins, by its ``@id``."""
    for file, text in files.items():
        for statement in scan(file, text)[0]:
            _, mark, rest = statement.text.partition('@id("')
            if mark:
                yield rest.partition('"')[0], (file, statement.line)


# ---- in a process of its own ----


def lint_in_child(posture: str, files: Mapping[str, str]) -> list[Finding]:
    """:func:`lint` where text that ends the parser ends nothing else."""
    question = msgspec.json.encode({"posture": posture, "files": dict(files)})
    command = [sys.executable, "-m", __name__]
    try:
        done = subprocess.run(command, input=question, capture_output=True, timeout=_CHILD_SECONDS, check=False)  # noqa: S603 - our own module
        return msgspec.json.decode(done.stdout, type=list[Finding])
    except subprocess.TimeoutExpired:
        return [Finding("(policy set)", f"looking at it took more than {_CHILD_SECONDS} seconds")]
    except msgspec.DecodeError:
        return [Finding("(policy set)", "the process that looked at it died: its text is not fit to be parsed")]


def _main() -> None:
    question = msgspec.json.decode(sys.stdin.buffer.read(), type=dict[str, object])
    found = lint(str(question["posture"]), msgspec.convert(question["files"], dict[str, str]))
    sys.stdout.buffer.write(msgspec.json.encode(found))


if __name__ == "__main__":
    _main()
