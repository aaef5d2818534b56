"""Cedar requests with the smallest entity set that decides them: what crosses from Remit's words into Cedar's.

Entities are always given as type and id (the textual form invites injection), and always with every ancestor, for Cedar
takes the transitive closure from what it is given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from remit.kernel.model import Capability, EntityRef, UnitRef
from remit.policy.deciding.resources import Resource, Uid, parse_resource

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import PurePosixPath

    from remit.schemas.config import Operator

__all__ = ["Request", "administration", "at_special_address", "capability_use", "in_process"]

_LONG = (1 << 63) - 1
_OWN_NAMES = frozenset({".remit", "remit.toml", "remit.lock", "policy"})


class Request(msgspec.Struct, frozen=True):
    """One question to Cedar, and the entities that it is about."""

    principal: Uid
    action: str
    resource: Uid
    context: dict[str, Any]
    entities: list[dict[str, Any]]

    def cedar(self) -> dict[str, Any]:
        """The request as the engine takes it."""
        return {
            "principal": _uid(self.principal),
            "action": {"type": "Remit::Action", "id": self.action},
            "resource": _uid(self.resource),
            "context": self.context,
        }


def _uid(uid: Uid) -> dict[str, str]:
    return {"type": f"Remit::{uid.type}", "id": uid.id}


def _entity(uid: Uid, parents: Iterable[Uid] = (), attributes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return {"uid": _uid(uid), "attrs": dict(attributes or {}), "parents": [_uid(parent) for parent in parents]}


def _is_quarantined(unit_id: str, unit: UnitRef | None, quarantined: frozenset[str]) -> bool:
    return unit_id.partition("/")[0] in quarantined or (unit is not None and unit.digest in quarantined)


def _unit_entity(unit_id: str, unit: UnitRef | None, quarantined: frozenset[str]) -> dict[str, Any]:
    publisher = Uid("Publisher", unit_id.partition("/")[0])
    facts = {
        "publisher": {"__entity": _uid(publisher)},
        "admission": {"__entity": _uid(Uid("Admission", unit.admission if unit else "unknown"))},
        "kind": {"__entity": _uid(Uid("Kind", unit.kind if unit else "unknown"))},
        "version": unit.version if unit else "",
        "digest": unit.digest if unit else "",
        "quarantined": _is_quarantined(unit_id, unit, quarantined),
    }
    return _entity(Uid("Unit", unit_id), [publisher], facts)


def _duration(ms: int) -> dict[str, Any]:
    return {"__extn": {"fn": "duration", "arg": f"{min(ms, _LONG)}ms"}}


def _publisher(uid: Uid, quarantined: frozenset[str]) -> dict[str, Any]:
    return _entity(uid, (), {"quarantined": uid.id in quarantined})


def _closure(
    resource: Resource, units: Mapping[str, UnitRef], own: PurePosixPath | None, quarantined: frozenset[str]
) -> dict[Uid, dict[str, Any]]:
    entities: dict[Uid, dict[str, Any]] = {}
    for uid, parents in resource.parents.items():
        if uid.type == "Unit":
            entities[uid] = _unit_entity(uid.id, units.get(uid.id), quarantined)
        elif uid.type == "UnitAction":
            [unit] = parents
            facts = {"quarantined": _is_quarantined(unit.id, units.get(unit.id), quarantined)}
            entities[uid] = _entity(uid, parents, facts)
        elif uid.type == "Publisher":
            entities[uid] = _publisher(uid, quarantined)
        elif uid.type not in {"TopicClass", "PathClass"}:  # enumerated entities stand in the schema
            attributes = resource.attributes if uid == resource.uid else None
            entities[uid] = _entity(uid, parents, attributes)
    if own is not None and resource.uid.type == "Path" and _is_own(resource, own):
        entities[resource.uid]["parents"].append(_uid(Uid("PathClass", "kernel")))
    return entities


def _is_own(path: Resource, home: PurePosixPath) -> bool:
    """Whether a path belongs to what the kernel keeps, or to what governs it."""
    base = str(home).rstrip("/")
    return any(Uid("Path", f"{base}/{name}") in path.parents for name in _OWN_NAMES)


def capability_use(
    unit: UnitRef,
    capability: Capability,
    *,
    declared: bool,
    approved: bool,
    units: Mapping[str, UnitRef],
    home: PurePosixPath | None = None,
    quarantined: frozenset[str] = frozenset(),
) -> Request:
    """The question whether a unit may hold (or use) a capability.

    :param units: the active units by id, for what is known of a called one
    :param home: the home's folder, whose own files are off limits
    :param quarantined: publishers whose units may do nothing, and digests of units that may not
    :raises ResourceInvalid: if the resource does not follow the action's grammar
    """
    resource = parse_resource(capability.action, capability.resource)
    lease: dict[str, Any] = {"declared": declared, "approved": approved}
    if capability.methods:
        lease["methods"] = sorted(set(capability.methods))
    if capability.budget is not None:
        budget = capability.budget
        lease["window"] = _duration(budget.window_ms)
        bounds = {"calls": budget.calls, "bytes": budget.bytes, "fuel": budget.fuel}
        lease |= {name: min(bound, _LONG) for name, bound in bounds.items() if bound is not None}
        if budget.host_us is not None:
            lease["host_time"] = _duration(-(-budget.host_us // 1_000))  # Cedar counts milliseconds: never fewer
    principal = Uid("Unit", unit.id)
    entities = _closure(resource, units, home, quarantined)
    publisher = Uid("Publisher", unit.publisher)
    entities |= {principal: _unit_entity(unit.id, unit, quarantined), publisher: _publisher(publisher, quarantined)}
    return Request(principal, capability.action, resource.uid, {"lease": lease}, list(entities.values()))


def in_process(action: str, unit: UnitRef, *, quarantined: frozenset[str] = frozenset()) -> Request:
    """The question whether a unit may run in the kernel's own process: its guests (``unit:inline``), or native code."""
    principal, publisher = Uid("Unit", unit.id), Uid("Publisher", unit.publisher)
    entities = [_unit_entity(unit.id, unit, quarantined), _publisher(publisher, quarantined)]
    return Request(principal, action, Uid("Process", "kernel"), {}, entities)


def administration(
    principal: str,
    known: Operator,
    action: str,
    resource: EntityRef,
    context: Mapping[str, Any],
    *,
    units: Mapping[str, UnitRef],
    grants: Mapping[str, str],
    quarantined: frozenset[str] = frozenset(),
) -> Request:
    """The question whether an operator may do something.

    :param known: what ``remit.toml`` says of the operator
    :param grants: the unit id of each known grant id, for rules like "revoke what this publisher holds"
    :raises ResourceInvalid: if a topic or action name is malformed
    """
    operator = Uid("Operator", principal)
    parents = [Uid("Role", role) for role in known.roles]
    own = {"publishes": [{"__entity": _uid(Uid("Publisher", name))} for name in known.publishes]}
    entities = {operator: _entity(operator, parents, own)} | {role: _entity(role) for role in parents}
    uid = Uid(resource.type, resource.id)
    if resource.type in {"Topic", "Action", "Unit"}:
        parsed = parse_resource("events:emit" if resource.type == "Topic" else "action:call", resource.id)
        uid = parsed.uid
        entities |= _closure(parsed, units, None, quarantined)
    elif resource.type == "Grant" and resource.id in grants:
        unit = parse_resource("action:call", grants[resource.id])
        entities |= _closure(unit, units, None, quarantined) | {uid: _entity(uid, [unit.uid])}
    else:
        entities[uid] = _entity(uid)
    facts = {name: value for name, value in context.items() if value is not None}
    if isinstance(facts.get("approvers"), list):
        facts["approvers"] = [{"__entity": _uid(Uid("Role", role))} for role in facts["approvers"]]
    if isinstance(facts.get("shadow"), int):
        facts["shadow"] = _duration(facts["shadow"])
    return Request(operator, action, uid, facts, list(entities.values()))


def at_special_address(request: Request, special: str) -> Request:
    """The question of :func:`capability_use` about an origin, asked of the special address that the origin leads to.

    :param special: an ``AddressClass`` of the schema
    """
    address = {"__entity": _uid(Uid("AddressClass", special))}
    return msgspec.structs.replace(request, action="net:special", context=request.context | {"address": address})
