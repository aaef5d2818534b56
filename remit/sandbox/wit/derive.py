"""JSON Schemas of WIT types: what a function of any component takes and gives, as people and callers know it.

:mod:`remit.sandbox.wit.jsonform` converts the values that these schemas describe, and a property holds the two equal.
Source: Component Model, https://github.com/WebAssembly/component-model/blob/main/design/mvp/WIT.md; numbers that JSON
lacks are spelled as in ProtoJSON, https://protobuf.dev/programming-guides/json/.
"""

from __future__ import annotations

from typing import Any

from remit.kernel.model import Exported
from remit.sandbox.wit.spelling import Unsupported, parse_signature
from remit.sandbox.wit.types import (
    WHOLE,
    Enum,
    Flags,
    ListOf,
    Option,
    Primitive,
    Record,
    Result,
    TupleOf,
    Type,
    Variant,
)

__all__ = ["F32_MOST", "SPELLED_FLOATS", "describe", "schema_of"]

F32_MOST = 3.4028234663852886e38
"""The greatest finite number of 32 bits."""
SPELLED_FLOATS = ("NaN", "Infinity", "-Infinity")

_SPELLED: dict[str, Any] = {"enum": list(SPELLED_FLOATS)}
_PLAIN: dict[str, dict[str, Any]] = {
    "bool": {"type": "boolean"},
    "f32": {"anyOf": [{"type": "number", "minimum": -F32_MOST, "maximum": F32_MOST}, _SPELLED]},
    "f64": {"anyOf": [{"type": "number"}, _SPELLED]},
    "char": {"type": "string", "minLength": 1, "maxLength": 1},
    "string": {"type": "string"},
    **{name: {"type": "integer", "minimum": least, "maximum": most} for name, (least, most) in WHOLE.items()},
}
_BASE64 = "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def describe(spelled: str, names: tuple[str, ...]) -> Exported:
    """The schemas of a spelled signature whose parameters have these names.

    :raises Unsupported: if a type in it has no JSON form
    """
    signature = parse_signature(spelled)
    if len(signature.params) != len(names):
        raise Unsupported("its parameters have not one name each")
    whole = _whole(_record(tuple(zip(names, signature.params, strict=True))))
    if isinstance(signature.result, Result):
        return Exported(whole, _whole(schema_of(signature.result.ok)), _whole(schema_of(signature.result.err)))
    return Exported(whole, _whole(schema_of(signature.result)))


def _whole(schema: dict[str, Any]) -> dict[str, Any]:
    return {"$schema": _DIALECT, **schema}


def schema_of(kind: Type | None) -> dict[str, Any]:  # noqa: C901 - one case for each type of WIT
    """The schema of a type; ``None``, where there is no value, is ``null``.

    :raises Unsupported: if it has no JSON form
    """
    match kind:
        case None:
            return {"type": "null"}
        case Primitive(name=name):
            return dict(_PLAIN[name])
        case Enum(names=names):
            return {"enum": list(names)}
        case Flags(names=names):
            return {"type": "array", "uniqueItems": True, "items": {"enum": list(names)}}
        case Option(of=inner):
            # null inside null cannot be told apart: a nested option says which it is.
            some = schema_of(inner)
            return {"anyOf": [_tagged("some", some) if kind.nested else some, {"type": "null"}]}
        case ListOf(of=Primitive(name="u8")):
            return {"type": "string", "contentEncoding": "base64", "pattern": _BASE64}
        case ListOf(of=inner):
            return {"type": "array", "items": schema_of(inner)}
        case TupleOf(parts=parts):
            schemas = [schema_of(part) for part in parts]
            return {"type": "array", "prefixItems": schemas, "items": False, "minItems": len(schemas)}
        case Record(fields=fields):
            return _record(fields)
        case Result(ok=ok, err=err):
            return {"oneOf": [_tagged("ok", schema_of(ok)), _tagged("err", schema_of(err))]}
        case Variant(cases=cases):
            return {"oneOf": [{"const": name} if of is None else _tagged(name, schema_of(of)) for name, of in cases]}
    raise Unsupported("a handle of a resource has no JSON form")


def _record(fields: tuple[tuple[str, Type], ...]) -> dict[str, Any]:
    properties = {name: schema_of(part) for name, part in fields}
    return _object(properties, [name for name, part in fields if not isinstance(part, Option)])


def _object(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": properties, "required": required}


def _tagged(name: str, payload: dict[str, Any]) -> dict[str, Any]:
    return _object({name: payload}, [name])
