"""Whether every value of one JSON Schema is a value of another: a sound check that may say no where the answer is yes.

Knows the keywords that people write for inputs and outputs (types, properties, items, bounds, enumerations, local
references); any other keyword of the wider schema must stand in the narrower one as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jsonpointer

from remit.errors import SchemaInvalid
from remit.schemas.foreign import Validator

__all__ = ["misfit"]

Schema = Mapping[str, Any] | bool
_DEEPEST = 32
_WORDS = frozenset({
    "$schema", "$id", "$comment", "$defs", "title", "description", "default", "examples", "deprecated", "readOnly",
    "writeOnly", "format", "x-remit-sensitive",
})  # fmt: skip
"""Keywords that allow and forbid nothing."""
_LEAST = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_ENTANGLED = frozenset({"contains", "unevaluatedProperties", "unevaluatedItems", "additionalItems"})
"""Keywords whose meaning hangs on their neighbours."""
_MOST = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")


def misfit(narrow: Schema, wide: Schema) -> str:
    """Why a value of ``narrow`` might be none of ``wide``: the place and what stands there; "" where each one is."""
    return next(_compare(_Side(narrow, narrow), _Side(wide, wide), "", 0), "")


class _Side:
    """One schema with the whole that its references lead into."""

    def __init__(self, schema: Any, root: Any) -> None:
        self.root = root
        for _ in range(_DEEPEST):
            reference = schema.get("$ref") if isinstance(schema, Mapping) else None
            if not isinstance(reference, str) or not reference.startswith("#") or set(schema) - _WORDS != {"$ref"}:
                break
            schema = jsonpointer.resolve_pointer(root, reference[1:], default=False)
        self.schema: Any = {} if schema is True else {"not": {}} if schema is False else schema

    @property
    def empty(self) -> bool:
        return bool(self.schema.get("not") == {})

    def get(self, key: str, default: Any = None) -> Any:
        return self.schema.get(key, default)

    def inner(self, schema: Any) -> _Side:
        return _Side(schema, self.root)


def _compare(narrow: _Side, wide: _Side, path: str, depth: int) -> Iterator[str]:
    where = path or "(the whole)"
    if depth > _DEEPEST:
        yield f"{where}: nested too deeply to compare"
        return
    wanted = {key: value for key, value in wide.schema.items() if key not in _WORDS}
    if not wanted or narrow.empty or (narrow.schema == wide.schema and narrow.root == wide.root):
        return
    values = narrow.get("enum", [narrow.get("const")] if "const" in narrow.schema else None)
    if values is not None:
        yield from _refused(values, wide, where)
        return
    for key, value in wanted.items():
        if key in _COMPARED:
            yield from _COMPARED[key](value, narrow, wide, path, depth)
        elif key in _LEAST or key in _MOST:
            has = narrow.get(key)
            if has is None or (has < value if key in _LEAST else has > value):
                yield f"{where}: {key} is {value}"
        elif key in _ENTANGLED or narrow.get(key) != value or "$ref" in str(value):
            yield f"{where}: {key} differs"


def _refused(values: Sequence[Any], wide: _Side, where: str) -> Iterator[str]:
    defs = wide.root.get("$defs", {}) if isinstance(wide.root, Mapping) else {}
    try:
        validator = Validator({"$defs": defs, **wide.schema})
    except SchemaInvalid:
        yield f"{where}: cannot be compared"
        return
    yield from (f"{where}: {value!r} is not allowed" for value in values if validator.faults(value))


def _types(value: Any, narrow: _Side, _wide: _Side, path: str, _depth: int) -> Iterator[str]:
    allowed = _type_names(value)
    more = _type_names(narrow.get("type")) - allowed - ({"integer"} if "number" in allowed else set())
    if more:
        yield f"{path or '(the whole)'}: may be {' or '.join(sorted(more))}"


def _required(value: Any, narrow: _Side, _wide: _Side, path: str, _depth: int) -> Iterator[str]:
    missing = set(value) - set(narrow.get("required", ()))
    if missing:
        yield f"{path or '(the whole)'}: {', '.join(sorted(missing))} may be missing"


def _properties(value: Any, narrow: _Side, wide: _Side, path: str, depth: int) -> Iterator[str]:
    rest = narrow.get("additionalProperties", True) if "patternProperties" not in narrow.schema else True
    for name, schema in value.items():
        own = narrow.get("properties", {}).get(name, rest)
        yield from _compare(narrow.inner(own), wide.inner(schema), f"{path}/{name}", depth + 1)


def _others(value: Any, narrow: _Side, wide: _Side, path: str, depth: int) -> Iterator[str]:
    known = wide.get("properties", {})
    others = {name: schema for name, schema in narrow.get("properties", {}).items() if name not in known}
    others["*"] = narrow.get("additionalProperties", True) if "patternProperties" not in narrow.schema else True
    for name, schema in others.items():
        yield from _compare(narrow.inner(schema), wide.inner(value), f"{path}/{name}", depth + 1)


def _items(value: Any, narrow: _Side, wide: _Side, path: str, depth: int) -> Iterator[str]:
    if narrow.get("prefixItems") or wide.get("prefixItems"):
        yield f"{path or '(the whole)'}: prefixItems cannot be compared"
        return
    yield from _compare(narrow.inner(narrow.get("items", True)), wide.inner(value), f"{path}/*", depth + 1)


def _type_names(value: Any) -> set[str]:
    if value is None:
        return {"null", "boolean", "object", "array", "number", "integer", "string"}
    return {value} if isinstance(value, str) else set(value)


_COMPARED: Mapping[str, Callable[[Any, _Side, _Side, str, int], Iterator[str]]] = {
    "type": _types,
    "required": _required,
    "properties": _properties,
    "additionalProperties": _others,
    "items": _items,
}
