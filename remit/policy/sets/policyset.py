"""Policy texts in, one set under stable ids out, with every fault of every file on the way.

Ids are the ``@id`` annotations: Cedar's positional ids shift with each edit and would make the journal lie. What the
binding does not say is checked here: missing and repeated ids, templates that nothing links, ``ask`` without the
conjunct that makes it wait. Nothing here raises on hostile text; files are read in ``postures``.
"""

from __future__ import annotations

import re
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import cedarpy
from cedarpy import pst

from remit.policy.sets.engine import on_large_stack
from remit.policy.sets.findings import Finding
from remit.policy.sets.prescan import Statement, scan
from remit.policy.sets.yielding import giving_way, rest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Compiled", "compile_set"]

_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
_APPROVED = pst.GetAttr(pst.GetAttr(pst.Var("context"), "lease"), "approved")
_EACH = 1
"""Policies between two looks at the time: Cedar parses one in some tenths of a millisecond."""
_MANY = 128
"""Policies between two looks at the time that are only looked up."""


class Compiled(NamedTuple):
    """What texts say, and what is wrong with them. With an ``error`` among the findings it must not be used."""

    policies: dict[str, pst.Template]
    """Every policy by its id."""
    findings: list[Finding]
    trees: dict[str, pst.Template]
    """Every policy that there is nothing to say about, by its text."""


def compile_set(
    files: Mapping[str, str], schema: cedarpy.Schema, known: Mapping[str, pst.Template] = MappingProxyType({})
) -> Compiled:
    """Read policy files.

    :param known: the ``trees`` of a set that was compiled under the same schema: their texts are not read again
    """
    compiled = Compiled({}, [], {})
    owners: dict[str, str] = {}
    for file, text in files.items():
        statements, faults = scan(file, text)
        compiled.findings.extend(faults)
        if faults:
            continue
        for statement, template in giving_way(_trees(file, statements, schema, known, compiled), _MANY):
            policy = template.id
            if policy in owners:
                message = f"the id is taken by a policy of {owners[policy]}"
                compiled.findings.append(Finding(file, message, policy=policy, line=statement.line))
                continue
            owners[policy] = file
            compiled.policies[policy] = template
    return compiled


def _trees(
    file: str,
    statements: list[Statement],
    schema: cedarpy.Schema,
    known: Mapping[str, pst.Template],
    compiled: Compiled,
) -> list[tuple[Statement, pst.Template]]:
    """The policies of one file that carry a usable id."""
    read = {one.text: known[one.text] for one in giving_way(statements, _MANY) if one.text in known}
    compiled.trees.update(read)
    unread = [one for one in statements if one.text not in read]
    if unread:
        read |= on_large_stack(lambda: _parse(file, unread, schema, compiled))
    return [(one, read[one.text]) for one in statements if one.text in read]


def _parse(
    file: str, statements: Iterable[Statement], schema: cedarpy.Schema, compiled: Compiled
) -> dict[str, pst.Template]:
    """Those by their texts, with Cedar's judgement and ours of each."""
    rest()
    parsed: dict[str, pst.Template] = {}
    sound: list[Statement] = []
    for statement in giving_way(statements, _EACH):
        try:
            node = cedarpy.policies_to_pst(statement.text)
        except ValueError as error:
            message = f"it does not parse: {_short(str(error))}"
            compiled.findings.append(Finding(file, message, line=statement.line))
            continue
        if node.templates or len(node.static_policies) != 1:
            message = "it is a template, which nothing links" if node.templates else "it is not one policy"
            compiled.findings.append(Finding(file, message, line=statement.line))
            continue
        template = next(iter(node.static_policies.values()))
        faults = _doubts(file, template, statement.line)
        compiled.findings.extend(faults)
        if not any(fault.severity == "error" for fault in faults):
            sound.append(statement)
        policy = template.annotations.get("id", "")
        if _ID.fullmatch(policy):
            parsed[statement.text] = replace(template, id=policy)
            if not faults:
                compiled.trees[statement.text] = parsed[statement.text]
    # All at once, for that is done without the interpreter; one by one only where there is something to say.
    if not cedarpy.validate_policies("\n".join(one.text for one in sound), schema, release_gil=True).validation_passed:
        for statement in giving_way(sound, _EACH):
            faults = _validate(file, statement, parsed[statement.text].id, schema)
            compiled.findings.extend(faults)
            if faults:
                compiled.trees.pop(statement.text, None)
    return parsed


def _validate(file: str, statement: Statement, policy: str, schema: cedarpy.Schema) -> list[Finding]:
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
