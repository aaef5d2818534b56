"""JSON Schemas of WIT types: what a function of any component takes and gives, as people and callers know it.

Works on the spelling of types that the compiler's process reports (:mod:`remit.sandbox.types`), so that nothing here
touches the component. Values: records are objects, variants ``{"case": payload}``, results ``{"ok": …}`` or
``{"err": …}``, flags arrays of names, ``list<u8>`` base64, an absent option ``null``.
Source: Component Model, https://github.com/WebAssembly/component-model/blob/main/design/mvp/WIT.md.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

__all__ = ["Function", "Unsupported", "parse_function"]

_TOKEN = re.compile(r"[a-z0-9_…][a-zA-Z0-9_-]*|->|[<>{}(),:]")
_WHOLE = {
    f"{sign}{bits}": (0, (1 << bits) - 1) if sign == "u" else (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
    for sign in "us"
    for bits in (8, 16, 32, 64)
}
_PLAIN: dict[str, dict[str, Any]] = {
    "bool": {"type": "boolean"},
    "f32": {"type": "number"},
    "f64": {"type": "number"},
    "char": {"type": "string", "minLength": 1, "maxLength": 1},
    "string": {"type": "string"},
}
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


class Unsupported(ValueError):  # noqa: N818 - says what the type is, not that somebody erred
    """A type that no JSON value stands for: a resource, a stream, a future."""


class Function(msgspec.Struct, frozen=True):
    """The schemas of one function."""

    input: dict[str, Any]
    """An object with a property for each parameter."""
    output: dict[str, Any]
    """Of the result, or of its ``ok`` side where the function gives a ``result``."""
    error: dict[str, Any] | None = None
    """Of the ``err`` side."""


def parse_function(spelled: str, names: tuple[str, ...]) -> Function:
    """The schemas of a spelled signature whose parameters have these names.

    :raises Unsupported: if a type in it has no JSON form
    """
    reader = _Reader(_TOKEN.findall(spelled))
    reader.expect("func")
    params = reader.between("(", ")", reader.type)
    result = reader.type() if reader.take("->") else None
    if len(params) != len(names) or not reader.done:
        raise Unsupported(f"{spelled[:200]} is not a signature")
    properties = dict(zip(names, params, strict=True))
    required = [name for name, schema in properties.items() if not _optional(schema)]
    whole = {"$schema": _DIALECT, **_object(properties, required)}
    if result is None:
        return Function(whole, {"$schema": _DIALECT, "type": "null"})
    if "x-wit-result" in result:
        ok, err = (branch["properties"] for branch in result["oneOf"])
        return Function(whole, {"$schema": _DIALECT, **ok["ok"]}, {"$schema": _DIALECT, **err["err"]})
    return Function(whole, {"$schema": _DIALECT, **result})


def _object(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": properties, "required": required}


def _optional(schema: dict[str, Any]) -> bool:
    return {"type": "null"} in schema.get("anyOf", ())


def _tagged(name: str, payload: dict[str, Any]) -> dict[str, Any]:
    return _object({name: payload}, [name])


class _Reader:
    """Reads types from tokens. The speller bounds their depth."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0

    @property
    def done(self) -> bool:
        return self._at == len(self._tokens)

    def _next(self) -> str:
        if self.done:
            raise Unsupported("the signature ends in the middle")
        self._at += 1
        return self._tokens[self._at - 1]

    def take(self, token: str) -> bool:
        """Step over a token if it is the next."""
        if self.done or self._tokens[self._at] != token:
            return False
        self._at += 1
        return True

    def expect(self, token: str) -> None:
        if not self.take(token):
            raise Unsupported(f"{token!r} is missing in the signature")

    def between(self, opening: str, closing: str, read: Any) -> list[Any]:
        """What stands between two brackets, separated by commas."""
        self.expect(opening)
        found = []
        while not self.take(closing):
            found.append(read())
            if not self.take(","):
                self.expect(closing)
                break
        return found

    def type(self) -> dict[str, Any]:
        """One type as a schema."""
        name = self._next()
        if name in _PLAIN:
            return dict(_PLAIN[name])
        if name in _WHOLE:
            least, most = _WHOLE[name]
            return {"type": "integer", "minimum": least, "maximum": most}
        if name == "_":
            return {"type": "null"}
        if name in {"record", "variant", "enum", "flags"}:
            return self._named(name)
        if name in {"list", "option", "tuple", "result"}:
            bytes_follow = self._tokens[self._at : self._at + 3] == ["<", "u8", ">"]
            parts = self.between("<", ">", self.type)
            if name == "list" and bytes_follow:
                return {"type": "string", "contentEncoding": "base64"}
            return _applied(name, parts)
        raise Unsupported(f"a value of type {name[:80]} has no JSON form")

    def _named(self, kind: str) -> dict[str, Any]:
        match kind:
            case "record":
                fields = dict(self.between("{", "}", self._field))
                return _object(fields, [name for name, schema in fields.items() if not _optional(schema)])
            case "variant":
                cases = self.between("{", "}", self._case)
                return {"oneOf": [{"const": name} if of is None else _tagged(name, of) for name, of in cases]}
            case "enum":
                return {"enum": self.between("{", "}", self._next)}
        return {"type": "array", "uniqueItems": True, "items": {"enum": self.between("{", "}", self._next)}}

    def _field(self) -> tuple[str, dict[str, Any]]:
        name = self._next()
        self.expect(":")
        return name, self.type()

    def _case(self) -> tuple[str, dict[str, Any] | None]:
        name = self._next()
        found = self.between("(", ")", self.type) if self._tokens[self._at : self._at + 1] == ["("] else [None]
        return name, found[0]


def _applied(name: str, parts: list[dict[str, Any]]) -> dict[str, Any]:
    match name:
        case "list":
            return {"type": "array", "items": parts[0]}
        case "option":
            # null inside null cannot be told apart: a nested option says which it is.
            inner = _tagged("some", parts[0]) if _optional(parts[0]) else parts[0]
            return {"anyOf": [inner, {"type": "null"}]}
        case "tuple":
            return {"type": "array", "prefixItems": parts, "items": False, "minItems": len(parts)}
    return {"x-wit-result": True, "oneOf": [_tagged("ok", parts[0]), _tagged("err", parts[1])]}
