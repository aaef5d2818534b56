"""The read model ``topology``: which unit offers, calls, tells and reaches what, as granted and as seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import msgspec

from remit.host.models.model import Data, Model, said, text
from remit.journal import GENERATION_TOPICS, Record

__all__ = ["Edge", "Topology", "topology"]

_MOST = 5_000
Relation = Literal["offers", "emits", "hears", "calls", "reaches", "fills"]
_GRANTED: Mapping[str, Relation] = {
    "events:emit": "emits",
    "events:subscribe": "hears",
    "action:call": "calls",
    "net:http": "reaches",
    "fs:read": "reaches",
    "fs:write": "reaches",
}
_KINDS: Mapping[Relation, str] = {
    "offers": "action",
    "emits": "topic",
    "hears": "topic",
    "calls": "action",
    "reaches": "place",
    "fills": "slot",
}


class Edge(msgspec.Struct, frozen=True):
    """One line of the graph, from a unit."""

    unit: str
    relation: Relation
    target: str
    granted: bool = False
    """Whether the active generation declares it."""
    seen: int = 0
    """How often it was observed."""
    refused: int = 0


class Topology(msgspec.Struct):
    """The state: the active units with their versions, and edges by a joined key."""

    units: dict[str, str] = {}
    edges: dict[str, Edge] = {}


def _step(state: Topology, record: Record, data: Data) -> Topology:
    event = record.event
    if event.type in GENERATION_TOPICS:
        generation = said(record, data).get("generation")
        return _declared(state, generation) if isinstance(generation, Mapping) else state
    unit = _unit_of(event.source)
    if unit:
        return _observed(state, unit, "emits", event.type)
    facts = said(record, data)
    name = text(facts.get("unit"))
    match event.type:
        case "action.completed" | "action.failed" if name:
            state = _observed(state, name, "offers", text(facts.get("action")))
        case "egress.allowed" if name and isinstance(facts.get("host"), str):
            state = _observed(state, name, "reaches", f"{text(facts.get('scheme'))}://{text(facts['host'])}")
        case "lease.denied" if name and (relation := _GRANTED.get(text(facts.get("action")))):
            state = _observed(state, name, relation, text(facts.get("resource")), refused=True)
        case _:
            pass
    return state


def _declared(state: Topology, generation: Mapping[str, Any]) -> Topology:
    units = {one["ref"]["id"]: one["ref"]["version"] for one in generation.get("units", ())}
    fresh = Topology(units, {key: msgspec.structs.replace(edge, granted=False) for key, edge in state.edges.items()})
    for unit, relation, target in _lines(generation):
        key = _key(unit, relation, target)
        known = fresh.edges.get(key) or Edge(unit, relation, target)
        fresh.edges[key] = msgspec.structs.replace(known, granted=True)
    return fresh


def _lines(generation: Mapping[str, Any]) -> Iterator[tuple[str, Relation, str]]:
    for grant in generation.get("grants", ()):
        relation = _GRANTED.get(grant["capability"]["action"])
        if relation is not None:
            yield grant["unit"]["id"], relation, text(grant["capability"]["resource"])
    for one in generation.get("units", ()):
        for slot in one.get("slots", ()):
            yield one["ref"]["id"], "fills", text(slot)


def _observed(state: Topology, unit: str, relation: Relation, target: str, *, refused: bool = False) -> Topology:
    if not target:
        return state
    key = _key(unit, relation, target)
    edge = state.edges.get(key)
    if edge is None:
        if len(state.edges) >= _MOST:
            return state
        edge = Edge(unit, relation, target)
    state.edges[key] = msgspec.structs.replace(edge, seen=edge.seen + (not refused), refused=edge.refused + refused)
    return state


def _key(unit: str, relation: str, target: str) -> str:
    return f"{unit}\n{relation}\n{target}"


def _unit_of(source: str) -> str:
    """The id in ``//HOME/unit/ID@DIGEST``, or ""."""
    _, unit, rest = source.partition("/unit/")
    return rest.partition("@")[0] if unit else ""


def _show(state: Topology) -> object:
    lines = [edge for edge in state.edges.values() if edge.unit in state.units or edge.seen or edge.refused]
    nodes = {unit: {"id": unit, "kind": "unit", "version": version} for unit, version in state.units.items()}
    for edge in lines:
        nodes.setdefault(edge.unit, {"id": edge.unit, "kind": "unit", "version": ""})
        kind = _KINDS[edge.relation]
        nodes.setdefault(f"{kind} {edge.target}", {"id": f"{kind} {edge.target}", "kind": kind, "name": edge.target})
    edges = [msgspec.to_builtins(edge) | {"to": f"{_KINDS[edge.relation]} {edge.target}"} for edge in lines]
    return {"nodes": list(nodes.values()), "edges": edges}


def topology() -> Model[Topology]:
    """The fold."""
    return Model("topology", 1, ("",), Topology, _step, _show)
