"""Policy texts in, one set under stable ids out, with every fault of every file on the way.

Ids are the ``@id`` annotations: Cedar's positional ids shift with each edit and would make the journal lie. What the
binding does not say is checked here: missing and repeated ids, templates that nothing links, ``ask`` without the
conjunct that makes it wait. Nothing here raises on hostile text; files are read in ``postures``.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import cedarpy
from cedarpy import pst

from remit.policy.engine import on_large_stack
from remit.policy.findings import Finding
from remit.policy.prescan import Statement, scan

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["compile_set"]

_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
_APPROVED = pst.GetAttr(pst.GetAttr(pst.Var("context"), "lease"), "approved")


def compile_set(files: Mapping[str, str], schema: cedarpy.Schema) -> tuple[dict[str, pst.Template], list[Finding]]:
    """Every policy by its id, and what is wrong. With an ``error`` among the findings the set must not be used."""
    policies: dict[str, pst.Template] = {}
    findings: list[Finding] = []
    owners: dict[str, str] = {}
    for file, text in files.items():
        statements, faults = scan(file, text)
        if faults:
            findings += faults
            continue
        parsed, more = on_large_stack(lambda statements=statements, file=file: _parse(file, statements, schema))  # type: ignore[misc]  # mypy cannot type a lambda with bound defaults
        findings += more
        for template, line in parsed:
            policy = template.annotations.get("id", "")
            if policy in owners:
                message = f"the id is taken by a policy of {owners[policy]}"
                findings.append(Finding(file, message, policy=policy, line=line))
                continue
            owners[policy] = file
            policies[policy] = replace(template, id=policy)
    return policies, findings


def _parse(
    file: str, statements: list[Statement], schema: cedarpy.Schema
) -> tuple[list[tuple[pst.Template, int]], list[Finding]]:
    """The policies of one file that carry a usable id, with their lines."""
    parsed: list[tuple[pst.Template, int]] = []
    findings: list[Finding] = []
    for statement in statements:
        try:
            node = cedarpy.policies_to_pst(statement.text)
        except ValueError as error:
            findings.append(Finding(file, f"it does not parse: {_short(str(error))}", line=statement.line))
            continue
        if node.templates or len(node.static_policies) != 1:
            message = "it is a template, which nothing links" if node.templates else "it is not one policy"
            findings.append(Finding(file, message, line=statement.line))
            continue
        template = next(iter(node.static_policies.values()))
        faults = _doubts(file, template, statement.line)
        if not any(fault.severity == "error" for fault in faults):
            faults += _validate(file, template, statement, schema)
        findings += faults
        if _ID.fullmatch(template.annotations.get("id", "")):
            parsed.append((template, statement.line))
    return parsed, findings


def _validate(file: str, template: pst.Template, statement: Statement, schema: cedarpy.Schema) -> list[Finding]:
    policy = template.annotations["id"]
    result = cedarpy.validate_policies(statement.text, schema)
    faults = sorted({_short(error.error).replace("policy `policy0`, ", "") for error in result.errors})
    if not result.validation_passed and not faults:
        faults = ["it does not follow the Cedar schema"]
    return [Finding(file, fault, policy=policy, line=statement.line) for fault in faults]


def _doubts(file: str, template: pst.Template, line: int) -> list[Finding]:
    """What Cedar has no opinion on."""
    policy = template.annotations.get("id", "")
    if not _ID.fullmatch(policy):
        message = 'it has no usable @id: write one like @id("site.no-uploads") in lower case'
        return [Finding(file, message, line=line)]
    asks = template.annotations.get("decision") == "ask"
    waits = template.effect == "permit" and any(
        isinstance(clause, pst.When) and _APPROVED in _conjuncts(clause.expr) for clause in template.clauses
    )
    if asks and not waits:
        message = 'it says @decision("ask") without `when { … && context.lease.approved }`: it would allow at once'
        return [Finding(file, message, policy=policy, line=line)]
    if waits and not asks:
        message = 'it waits for context.lease.approved: say so with @decision("ask")'
        return [Finding(file, message, severity="warning", policy=policy, line=line)]
    if template.effect == "forbid" and _mentions(template, _APPROVED):
        # Asking re-decides with approval; that is only sound while approval can never turn an allow into a deny.
        return [Finding(file, "a forbid must not read context.lease.approved", policy=policy, line=line)]
    return []


def _conjuncts(node: pst.Expr) -> set[pst.Expr]:
    found: set[pst.Expr] = set()
    stack = [node]
    while stack:
        one = stack.pop()
        if isinstance(one, pst.BinaryOp) and one.op == "and":
            stack += [one.left, one.right]
        else:
            found.add(one)
    return found


def _mentions(template: pst.Template, needle: pst.Expr) -> bool:
    stack: list[object] = [clause.expr for clause in template.clauses]
    while stack:
        one = stack.pop()
        if one == needle:
            return True
        if isinstance(one, tuple):
            stack += one
        elif isinstance(one, dict):
            stack += one.values()
        else:
            stack += [getattr(one, name) for name in getattr(type(one), "__dataclass_fields__", ())]
    return False


def _short(text: str) -> str:
    """The first line, bounded: parsers quote their input."""
    line = text.strip().partition("\n")[0]
    return line if len(line) <= 200 else line[:199] + "…"  # noqa: PLR2004 - a line of a terminal or two
