"""How much work a stranger's schema can make of a value: bounded before it is made.

A linear-time pattern engine is not enough. References multiply: 40 definitions that each name the next one twice are
2**40 checks of one value, and a recursive schema that visits a child twice doubles the work with every level.
The first is refused when the schema is admitted; for the second :func:`max_depth` says how deep a value may be.
"""

from __future__ import annotations

import math
from collections import Counter
from itertools import repeat
from typing import TYPE_CHECKING, Any

from remit.errors import SchemaInvalid
from remit.schemas.subschemas import at_pointer, children, here, inside, steps

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["check_work", "max_depth"]

_MAX_VISITS = 100_000
"""Ways of reaching a schema from the root, a recursive one once around."""
_MAX_CHECKS = 1_000_000
"""Checks of one part of a value under a recursive schema; about a fifth of a second."""

Schema = dict[str, Any]


def check_work(root: Schema) -> None:
    """Refuse a schema whose references multiply beyond measure.

    :raises SchemaInvalid: if they do
    """
    cost: dict[int, int] = {}
    above: set[int] = set()

    def visit(schema: Any) -> int:
        if not isinstance(schema, dict) or id(schema) in above:
            return 1
        if id(schema) not in cost:
            above.add(id(schema))
            cost[id(schema)] = min(1 + sum(map(visit, _judging(schema, root))), _MAX_VISITS + 1)
            above.discard(id(schema))
        return cost[id(schema)]

    try:
        visits = visit(root)
    except RecursionError:
        visits = _MAX_VISITS + 1
    if visits > _MAX_VISITS:
        raise SchemaInvalid("the schema's references multiply beyond measure", remedy="refer to each definition less")


def max_depth(root: Schema) -> int | None:
    """How deep a value under this schema may be nested; ``None`` where its work grows with the value's size only.

    The schema has passed :func:`check_work`.

    :raises SchemaInvalid: if even finding that out is too much work
    """
    recursive = _endless(root)
    factor = 1
    budget = _MAX_CHECKS
    for schema in recursive.values():
        paths = _paths(schema, root)
        labels = {"*", *(step for place in paths for step in steps(place))}
        budget -= len(paths) * len(labels)
        if budget < 0:
            raise SchemaInvalid(
                "the schema's references multiply beyond measure", remedy="refer to each definition less"
            )
        for label in labels:
            factor = max(factor, sum(id(part) in recursive for place in paths for part in inside(place, label)))
    return None if factor == 1 else max(1, int(math.log(_MAX_CHECKS, factor)))


def _judging(schema: Schema, root: Schema) -> list[Any]:
    """Schemas inside and referred to; definitions count where they are used."""
    found = list(children({key: part for key, part in schema.items() if key not in ("$defs", "definitions")}))
    if "$ref" in schema:
        found.append(at_pointer(root, schema["$ref"][1:]))
    return found


def _endless(root: Schema) -> Mapping[int, Schema]:
    """The schemas from which one can go on for ever, by id: what is left when dead ends are taken away."""
    nodes: dict[int, Schema] = {}
    onward: dict[int, Counter[int]] = {}
    back: dict[int, list[int]] = {}
    stack: list[Any] = [root]
    while stack:
        schema = stack.pop()
        if not isinstance(schema, dict) or id(schema) in nodes:
            continue
        nodes[id(schema)] = schema
        inner = [part for part in _judging(schema, root) if isinstance(part, dict)]
        onward[id(schema)] = Counter(map(id, inner))
        for part in inner:
            back.setdefault(id(part), []).append(id(schema))
        stack.extend(inner)
    dead = [number for number, parts in onward.items() if not parts]
    while dead:
        number = dead.pop()
        nodes.pop(number, None)
        before = back.get(number, ())
        dead.extend(one for one in before if onward[one].pop(number, 0) and not onward[one])
    return nodes


def _paths(schema: Schema, root: Schema) -> list[Schema]:
    """The schemas that judge the same value as this one, each as often as it is reached."""
    paths: list[Schema] = []
    stack: list[tuple[Any, frozenset[int]]] = [(schema, frozenset())]
    while stack and len(paths) < _MAX_VISITS:
        place, above = stack.pop()
        if isinstance(place, dict) and id(place) not in above:
            paths.append(place)
            below = above | {id(place)}
            stack.extend(zip(here(place, root), repeat(below)))
    return paths
