"""Why a decision came out as it did: the policies that made it, and for a deny that none made, what came close.

A near miss is a permit whose scope fits; each conjunct of its conditions is evaluated alone, by Cedar, so that what is
said to have failed is what failed. Changes nothing and decides nothing.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import cedarpy
import msgspec
from cedarpy import pst

from remit.policy.deciding.decider import Decider
from remit.policy.sets.engine import Engine

if TYPE_CHECKING:
    from remit.kernel.model import Decision
    from remit.policy.deciding.requests import Request

__all__ = ["Explanation", "NearMiss", "Part", "explain"]

_MOST_MISSES = 20
_CLAUSE = re.compile(r"(when|unless) \{(.*)\}")
_SIMPLE = re.compile(r"(?<!\w)\(([a-z]+(?:\.[A-Za-z_]+)*)\)")
_STRING = re.compile(r'"(?:\\.|[^"\\])*"')


class Part(msgspec.Struct, frozen=True):
    """One policy that decided."""

    policy: str
    effect: str
    why: str


class NearMiss(msgspec.Struct, frozen=True):
    """A permit that would have allowed it, but for these conditions."""

    policy: str
    why: str
    failed: tuple[str, ...]
    """Conjuncts that were not true, in Cedar."""


class Explanation(msgspec.Struct, frozen=True):
    """A decision and its reasons."""

    outcome: str
    reason: str
    decided: tuple[Part, ...]
    near: tuple[NearMiss, ...]
    """The closest first; only where nothing allowed it."""
    change: str
    """The shortest change that would allow it, in words; "" where it is allowed or nothing short is known."""


def explain(engine: Engine, request: Request) -> Explanation:
    """Explain what policy says to a request."""
    decision = Decider(engine).decide(request)
    decided = tuple(
        Part(one, engine.policies[one].effect, engine.policies[one].annotations.get("why", ""))
        for one in decision.policies
        if one in engine.policies
    )
    near = () if decision.allowed else _near(engine, request)
    return Explanation(decision.outcome, decision.reason, decided, near, _change(decision, decided, near))


def _near(engine: Engine, request: Request) -> tuple[NearMiss, ...]:
    try:
        facts = engine.entities(request.entities)
    except ValueError:
        return ()
    misses = []
    for name in sorted(engine.reach(request.cedar(), facts)):
        policy = engine.policies[name]
        if policy.effect != "permit":
            continue
        conditions = _conditions(policy)
        probes = {"scope": replace(policy, id="scope", clauses=())}
        probes |= {
            str(number): replace(policy, id=str(number), clauses=(clause,)) for number, clause in enumerate(conditions)
        }
        held = Engine(probes, engine.schema).authorize(request.cedar(), facts, sliced=False).reasons
        failed = tuple(_worded(one) for number, one in enumerate(conditions) if str(number) not in held)
        if "scope" in held and failed:
            misses.append(NearMiss(name, policy.annotations.get("why", ""), failed))
    return tuple(sorted(misses, key=lambda miss: (len(miss.failed), miss.policy))[:_MOST_MISSES])


def _conditions(policy: pst.Template) -> list[pst.Clause]:
    """Each conjunct of each clause as a clause of its own."""
    found: list[pst.Clause] = []
    for clause in policy.clauses:
        if isinstance(clause, pst.Unless):
            found.append(clause)
        else:
            found += [pst.When(one) for one in _conjuncts(clause.expr)]
    return found


def _conjuncts(expression: pst.Expr) -> list[pst.Expr]:
    found: list[pst.Expr] = []
    stack = [expression]
    while stack:
        one = stack.pop()
        if isinstance(one, pst.BinaryOp) and one.op == "and":
            stack += [one.right, one.left]
        else:
            found.append(one)
    return found


def _worded(clause: pst.Clause) -> str:
    """A clause as Cedar writes it, in one line; an ``unless`` begins with the word."""
    anything = pst.ScopeAny()
    policy = pst.Template("x", "permit", anything, anything, anything, (clause,), pst.FrozenMap())
    node = pst.PolicySet(pst.FrozenMap(), pst.FrozenMap({"x": policy}), ())
    rendered = " ".join(str(cedarpy.PolicySet.from_pst(node)).split())
    match = _CLAUSE.search(_SIMPLE.sub(r"\1", rendered))
    if match is None:
        return "a condition"
    text = match[2].strip()
    while text.startswith("(") and text.endswith(")") and _encloses(text):
        text = text[1:-1]
    return f"unless {text}" if match[1] == "unless" else text


def _encloses(text: str) -> bool:
    """Whether the first bracket is closed by the last, strings aside."""
    depth = 0
    for place, char in enumerate(_STRING.sub(lambda found: "_" * len(found[0]), text)):
        depth += (char == "(") - (char == ")")
        if not depth:
            return place == len(text) - 1
    return False


def _change(decision: Decision, decided: tuple[Part, ...], near: tuple[NearMiss, ...]) -> str:
    if decision.allowed:
        return ""
    if any(part.policy == "guard.undeclared" for part in decided):
        return "declare the capability in the unit's unit.toml, then install and apply the unit again"
    forbids = [part.policy for part in decided if part.effect == "forbid"]
    if forbids:
        return f"nothing allows it while {', '.join(forbids)} forbids it: ask for something outside, or change that"
    if decision.outcome == "ask":
        return "a person's consent: 'remit lease approve', or apply with --yes"
    if near:
        return f"{near[0].policy} would allow it if {' and '.join(near[0].failed)}"
    return "no permit speaks of this: add one to a file in policy/"
