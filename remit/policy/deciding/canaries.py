"""Requests that must be denied whatever the policies say: run at each load; a set that lets one through is refused.

They catch what validation cannot: a guard that went missing, a permit for everybody, action groups that lost their
members on the way to the engine.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from cedarpy import pst

from remit.kernel.model import Capability, EntityRef, UnitRef
from remit.policy.deciding.decider import Decider
from remit.policy.deciding.requests import Request, administration, at_special_address, capability_use, in_process
from remit.policy.deciding.resources import GRAMMARS
from remit.policy.sets.engine import Engine
from remit.policy.sets.findings import Finding
from remit.policy.sets.yielding import breathe, giving_way, rest
from remit.schemas.config import Operator

if TYPE_CHECKING:
    from collections.abc import Iterator

    import cedarpy

__all__ = ["ADMINISTRATION", "run_canaries"]

ADMINISTRATION = (
    "consent:give",
    "home:backup",
    "home:tend",
    "lease:renew",
    "lease:request",
    "lease:revoke",
    "plugin:change",
    "policy:publish",
    "policy:rollback",
    "policy:shadow",
    "trust:change",
    "unit:apply",
    "unit:install",
    "unit:publish",
    "unit:quarantine",
    "unit:revert",
    "unit:uninstall",
)
"""Every action of group ``admin`` in the Cedar schema."""

_EACH = 1
"""Questions between two looks at the time: Cedar takes some tenths of a millisecond for one that is new to it."""
_SAMPLES = {
    "action:call": "canary/unit:action",
    "events:emit": "canary.topic",
    "events:subscribe": "canary.topic",
    "fs:read": "/srv/canary",
    "fs:write": "/srv/canary",
    "net:http": "https://canary.example",
    "secret:read": "canary",
}
_SIGNED = UnitRef("canary/unit", "1.0.0", "sha256:canary", "tool", "signed")
_LOCAL = UnitRef("canary/unit", "1.0.0", "sha256:canary", "tool", "local")


def run_canaries(engine: Engine, posture: str) -> list[Finding]:
    """A finding for each request that was let through; it names the policies that did."""
    decider = Decider(engine, breathe)
    findings = []
    for what, request in giving_way(itertools.chain(_capabilities(posture), _administration()), _EACH):
        decision = decider.decide(request)
        if decision.outcome != "deny":
            culprits = ", ".join(decision.policies) or "no guard"
            message = f"a canary was let through ({what}) by {culprits}"
            findings.append(Finding("(policy set)", message, policy=decision.policies[0] if decision.policies else ""))
    rest()
    if not _groups_hold(engine.schema):
        findings.append(Finding("(policy set)", "a canary was let through: action groups have no members"))
    return findings


def _hold(unit: UnitRef, action: str, resource: str, *, declared: bool, shut: bool = False) -> Request:
    asked = Capability(action, resource)
    quarantined = frozenset({unit.publisher}) if shut else frozenset()
    return capability_use(unit, asked, declared=declared, approved=True, units={}, quarantined=quarantined)


def _capabilities(posture: str) -> Iterator[tuple[str, Request]]:
    for action in GRAMMARS:
        yield f"{action} undeclared", _hold(_SIGNED, action, _SAMPLES[action], declared=False)
        if posture == "strict":
            yield f"{action} by an unsigned unit", _hold(_LOCAL, action, _SAMPLES[action], declared=True)
    native = UnitRef("canary/unit", "1.0.0", "sha256:canary", "native", "signed")
    shut = frozenset() if posture == "strict" else frozenset({native.publisher})
    what = "native code" if posture == "strict" else "native code in quarantine"
    yield what, in_process("unit:native", native, quarantined=shut)
    for special in ("loopback", "metadata"):
        origin = Capability("net:http", "https://canary.example")
        request = capability_use(_SIGNED, origin, declared=False, approved=True, units={})
        yield f"a {special} address undeclared", at_special_address(request, special)
    for action in ("fs:read", "fs:write"):
        for path in ("/etc/shadow", "/root/x", "/proc/1/mem", "/sys/x", "/home/x/.ssh/id", "/home/x/.remit/keys/k"):
            yield f"{action} on {path}", _hold(_SIGNED, action, path, declared=True)
    for action in GRAMMARS:
        yield f"{action} by a unit in quarantine", _hold(_SIGNED, action, _SAMPLES[action], declared=True, shut=True)
    yield "a kernel topic emitted by a unit", _hold(_SIGNED, "events:emit", "lease.denied", declared=True)
    known = _hold(_SIGNED, "events:emit", "canary.topic", declared=True)
    unknown = Request(known.principal, "no:such-action", known.resource, known.context, known.entities)
    yield "an action that does not exist", unknown


def _administration() -> Iterator[tuple[str, Request]]:
    home = EntityRef("Home", "canary")
    for action in ADMINISTRATION:
        request = administration("stranger", Operator(), action, home, {}, units={}, grants={})
        yield f"{action} by an operator without a role", request
        unit = _hold(_SIGNED, "action:call", "canary/unit:action", declared=True)
        entities = [*unit.entities, *request.entities]
        yield f"{action} by a unit", Request(unit.principal, action, request.resource, {}, entities)
    owner = Operator(("owner",), publishes=("canary",))
    topic = administration("owner", owner, "event:emit", EntityRef("Topic", "unit.applied"), {}, units={}, grants={})
    yield "a kernel topic emitted by an owner", topic
    own = administration("owner", owner, "consent:give", EntityRef("Unit", "canary/unit"), {}, units={}, grants={})
    yield "a consent by the unit's own publisher", own
    named = {"approvers": ["security"]}
    other = administration(
        "owner", Operator(("owner",)), "consent:give", EntityRef("Unit", "canary/unit"), named, units={}, grants={}
    )
    yield "a consent by somebody without the role that the question is for", other


def _groups_hold(schema: cedarpy.Schema | None) -> bool:
    """Whether a forbid on the group of all capabilities stops one of them, over a permit for everything."""

    def probe(name: str, effect: pst.Effect, action: pst.ActionConstraint) -> pst.Template:
        return pst.Template(name, effect, pst.ScopeAny(), action, pst.ScopeAny(), (), pst.FrozenMap())

    use = pst.EntityUid(pst.EntityType("Action", ("Remit",)), "use")
    engine = Engine(
        {"all": probe("all", "permit", pst.ScopeAny()), "none": probe("none", "forbid", pst.ActionIn((use,)))}, schema
    )
    decision = Decider(engine).decide(_hold(_SIGNED, "events:emit", "canary.topic", declared=True))
    return decision.policies == ("none",)
