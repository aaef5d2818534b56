"""Which policies can matter to a request, by their scopes alone: the engine then evaluates a few instead of thousands.

Cedar scans its whole set for each request. A policy whose scope names an entity that is neither the request's nor above
it is never satisfied and never in error, so leaving it out changes no decision, no reason and no error. Conditions are
not looked at. Action groups come from the engine: they stand in the schema, not among the entities.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any

from cedarpy import pst

from remit.policy.sets.yielding import giving_way

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = ["Key", "Parents", "ScopeIndex", "above", "parents_of", "uid_key"]

Key = tuple[str, str]
"""An entity's type and id."""
Parents = dict[Key, tuple[Key, ...]]
"""The direct parents of entities."""
_Place = tuple[Key | None, Key | None, Key | None]
_EACH = 16
"""Policies between two looks at the time: each takes some microseconds."""


class ScopeIndex:
    """Policies by what their scopes name: principal, action and resource; ``None`` where a scope names nothing."""

    def __init__(self, policies: Mapping[str, pst.Template], *, actions: bool = True) -> None:
        """Index the policies.

        :param actions: whether scopes are told apart by their actions too
        """
        self._by_place: dict[Key | None, dict[Key | None, dict[Key | None, list[str]]]] = {}
        named = set()
        for policy, template in giving_way(policies.items(), _EACH):
            for principal, action, resource in _places(template):
                by_action = self._by_place.setdefault(principal, {})
                by_resource = by_action.setdefault(action if actions else None, {})
                by_resource.setdefault(resource, []).append(policy)
                named.add(resource)
        self._resources = sorted(resource for resource in named if resource is not None)

    def reach(self, principals: Sequence[Key], actions: Sequence[Key], resources: Sequence[Key]) -> frozenset[str]:
        """The policies whose scopes name these entities or none; each list holds an entity and all above it."""
        found: list[str] = []
        for principal in (None, *principals):
            by_action = self._by_place.get(principal)
            if by_action is None:
                continue
            for action in (None, *actions):
                by_resource = by_action.get(action)
                if by_resource is not None:
                    for resource in (None, *resources):
                        found += by_resource.get(resource, ())
        return frozenset(found)

    def resources_of(self, principals: Sequence[Key]) -> frozenset[Key | None]:
        """What scopes name as resource that name one of these principals or none, whatever their action."""
        found: set[Key | None] = set()
        for principal in (None, *principals):
            for by_resource in self._by_place.get(principal, {}).values():
                found |= by_resource.keys()
        return frozenset(found)

    def remains(self) -> list[Any]:
        """The parts that it is made of."""
        return list(self._by_place.values())

    def named_below(self, kind: str, prefix: str) -> list[Key]:
        """Resources of a type that scopes name and whose ids begin like that."""
        names = self._resources
        first = last = bisect_left(names, (kind, prefix))
        while last < len(names) and names[last][0] == kind and names[last][1].startswith(prefix):
            last += 1
        return names[first:last]


def _places(template: pst.Template) -> Iterator[_Place]:
    principal, resource = _named(template.principal), _named(template.resource)
    action = template.action
    if isinstance(action, pst.ActionEq):
        yield principal, uid_key(action.entity), resource
    elif isinstance(action, pst.ActionIn):
        for one in set(action.entities):
            yield principal, uid_key(one), resource
    else:
        yield principal, None, resource


def _named(scope: pst.PrincipalOrResourceConstraint) -> Key | None:
    if isinstance(scope, pst.ScopeEq | pst.ScopeIn | pst.ScopeIsIn) and isinstance(scope.entity, pst.EntityUid):
        return uid_key(scope.entity)
    return None


def uid_key(uid: pst.EntityUid) -> Key:
    """The key of an entity in a policy."""
    return str(uid.type), uid.id


# ---- what is above an entity ----


def parents_of(entities: Iterable[Any]) -> Parents | None:
    """The direct parents of each entity of a Cedar entity list, or ``None`` where it is not written as expected."""
    try:
        return {
            _json_key(entity["uid"]): tuple([_json_key(one) for one in entity.get("parents", ())])
            for entity in entities
        }
    except (TypeError, KeyError, AttributeError):
        return None


def _json_key(uid: Any) -> Key:
    """The key behind ``{"type", "id"}`` or ``{"__entity": {"type", "id"}}``.

    :raises KeyError: if it is written otherwise
    """
    if "__entity" in uid:
        uid = uid["__entity"]
    kind, name = uid["type"], uid["id"]
    if not isinstance(kind, str) or not isinstance(name, str):
        raise KeyError("type")
    return kind, name


def above(key: Key, parents: Mapping[Key, Sequence[Key]]) -> list[Key]:
    """An entity and everything above it, each once."""
    found = {key: None}
    waiting = [key]
    for one in waiting:
        for parent in parents.get(one, ()):
            if parent not in found:
                found[parent] = None
                waiting.append(parent)
    return waiting
