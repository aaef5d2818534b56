"""Schemas that strangers wrote: of actions, parameters, documents. Admitted within bounds, judged in linear time.

Refused: remote references, anchors and embedded ids (so that what a schema means is in the schema), other drafts, more
than 256 KiB, nesting beyond 64, references that multiply the work without end. Patterns run in a linear-time engine
that has neither look-around nor back-references. ``format`` is an annotation, as the draft says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from remit.errors import SchemaInvalid
from remit.schemas.fault import MAX_FAULTS, Fault, in_order, show_path
from remit.schemas.jsonvalue import MAX_DEPTH, beyond, deeper_than, not_json
from remit.schemas.sensitive import KEYWORD, redact, sensitive_pointers
from remit.schemas.subschemas import at_pointer, children
from remit.schemas.wording import say, unknown_key
from remit.schemas.work import check_work, max_depth

if TYPE_CHECKING:
    import jsonschema_rs

__all__ = ["DRAFT", "MAX_PATTERNS", "MAX_SCHEMA_BYTES", "Validator"]

DRAFT = "https://json-schema.org/draft/2020-12/schema"
MAX_SCHEMA_BYTES = 256 << 10
MAX_PATTERNS = 128
_PATTERN_BYTES = 2 << 20
_EXPLAINED_NODES = 20_000
_EXPLAINED_TEXT = 1 << 20
_EXPLAINED_DEPTH = 12
_REFUSED = ("$anchor", "$dynamicAnchor", "$dynamicRef", "$recursiveRef", "$recursiveAnchor", "$vocabulary")


class Validator:
    """A compiled foreign schema. Safe to share between threads.

    :raises SchemaInvalid: if it is not a JSON Schema 2020-12 within the bounds of this module
    """

    def __init__(self, schema: Mapping[str, Any] | bool) -> None:
        self._schema = _admitted(schema)
        self._judge = _compiled(self._schema)
        self._max_depth = max_depth(self._schema) if isinstance(self._schema, dict) else None

    @property
    def schema(self) -> dict[str, Any] | bool:
        """The schema, as it was admitted. Not to be changed."""
        return self._schema

    def is_valid(self, value: Any) -> bool:
        """Whether a JSON value follows the schema. Parts that the schema does not speak of are not looked at."""
        try:
            return not self._too_deep(value) and self._judge.is_valid(value)
        except ValueError:
            return False

    def redacted(self, value: Any) -> Any:
        """As :func:`remit.schemas.redact`; a value whose schema marks nothing is given back as it is."""
        return redact(self._schema, value) if self._marks else value

    def faults(self, value: Any) -> list[Fault]:
        """Everything that is wrong with a value, sorted by path. Messages never quote the value."""
        if self._too_deep(value):
            return [Fault("", f"is nested more than {self._max_depth} deep under a schema that refers to itself twice")]
        if self.is_valid(value):
            return []
        if not self._explainable(value):
            return [Fault("", "does not follow its schema, and is too large for a list of faults")]
        try:
            errors = list(islice(self._judge.iter_errors(value), MAX_FAULTS + 1))
        except ValueError as error:
            return in_order(not_json(value) or [Fault("", f"is not a JSON value: {type(error).__name__}")])
        return in_order(fault for error in errors for fault in self._explain(error))

    def _too_deep(self, value: Any) -> bool:
        return self._max_depth is not None and deeper_than(value, self._max_depth)

    def _explainable(self, value: Any) -> bool:
        """Whether the library, which makes every error before it gives the first, may be asked for them."""
        if self._max_depth is not None and deeper_than(value, min(self._max_depth, _EXPLAINED_DEPTH)):
            return False
        return not beyond(value, nodes=_EXPLAINED_NODES, text=_EXPLAINED_TEXT)

    @cached_property
    def _marks(self) -> bool:
        """Whether the keyword stands anywhere in the schema: it refers to nothing outside itself."""
        return KEYWORD.encode() in msgspec.json.encode(self._schema)

    @cached_property
    def _sensitive(self) -> frozenset[tuple[str, ...]]:
        return frozenset(tuple(pointer.split("/")[1:]) for pointer in sensitive_pointers(self._schema))

    def _explain(self, error: jsonschema_rs.ValidationError) -> Iterator[Fault]:
        path = list(error.instance_path)
        visible = self._visible(path)
        if visible < len(path):  # the keys below a sensitive value are part of it
            yield Fault(show_path(path[:visible]), "does not follow its schema")
            return
        kind: str = error.kind.name
        expected: Any = error.kind.value
        if kind == "falseSchema" and error.schema_path[-1:] == ["additionalProperties"]:
            # The library's word for a key that nobody declared, where none is declared; it does not say which key.
            kind = "propertyNames"
        if kind == "required":
            yield Fault(show_path([*path, str(expected)]), "is missing")
        elif kind in ("additionalProperties", "unevaluatedProperties"):
            if self._hidden(path):
                yield Fault(show_path(path), "has a key that is not allowed")
                return
            known = self._known(error.schema_path)
            for key in expected:
                yield Fault(show_path([*path, str(key)]), unknown_key(str(key), known))
        else:
            yield Fault(show_path(path), say(kind, expected))

    def _hidden(self, path: list[str | int]) -> bool:
        return any(len(pointer) == len(path) and _matches(pointer, path) for pointer in self._sensitive)

    def _visible(self, path: list[str | int]) -> int:
        """How many steps of a path may be named: up to the first sensitive value, itself included."""
        lengths = [len(pointer) for pointer in self._sensitive if _matches(pointer, path)]
        return min(lengths, default=len(path))

    def _known(self, schema_path: list[str | int]) -> list[str]:
        place: Any = self._schema
        for step in schema_path[:-1]:
            try:
                place = place[step]
            except (LookupError, TypeError):
                return []
        properties = place.get("properties") if isinstance(place, Mapping) else None
        return list(properties) if isinstance(properties, Mapping) else []


def _matches(pointer: tuple[str, ...], path: list[str | int]) -> bool:
    if len(pointer) > len(path):
        return False
    return all(
        step in ("*", str(part).replace("~", "~0").replace("/", "~1"))
        for step, part in zip(pointer, path, strict=False)
    )


def _admitted(schema: Any) -> dict[str, Any] | bool:
    """A private copy of the schema, checked against every bound that the library does not know."""
    if deeper_than(schema, MAX_DEPTH):
        raise SchemaInvalid(f"the schema is nested more than {MAX_DEPTH} deep")
    if beyond(schema, nodes=MAX_SCHEMA_BYTES, text=MAX_SCHEMA_BYTES):
        raise SchemaInvalid(f"the schema has more than {MAX_SCHEMA_BYTES} bytes")
    try:
        encoded = msgspec.json.encode(schema)
        copy = msgspec.json.decode(encoded)
    except (TypeError, ValueError, RecursionError) as error:
        raise SchemaInvalid("the schema is not JSON") from error
    if len(encoded) > MAX_SCHEMA_BYTES:
        raise SchemaInvalid(f"the schema has {len(encoded)} bytes; {MAX_SCHEMA_BYTES} are allowed")
    if isinstance(copy, bool):
        return copy
    if not isinstance(copy, dict):
        raise SchemaInvalid("a schema is an object, true or false")
    if copy.get("$schema", DRAFT) not in (DRAFT, f"{DRAFT}#"):
        raise SchemaInvalid("the schema is of another draft", remedy=f'set "$schema" to "{DRAFT}", or drop it')
    _check_references(copy)
    return copy


def _check_references(root: dict[str, Any]) -> None:
    """Walk every schema inside, and every target of a reference, refusing what is not local."""
    seen: set[int] = set()
    stack: list[Any] = [root]
    patterns = 0
    while stack:
        schema = stack.pop()
        if not isinstance(schema, dict) or id(schema) in seen:
            continue
        seen.add(id(schema))
        keyed = schema.get("patternProperties")
        patterns += ("pattern" in schema) + (len(keyed) if isinstance(keyed, dict) else 0)
        if patterns > MAX_PATTERNS:  # each may take megabytes once compiled
            raise SchemaInvalid(f"the schema has more than {MAX_PATTERNS} patterns")
        odd = [keyword for keyword in _REFUSED if keyword in schema]
        if "$id" in schema and schema is not root:
            odd.append("$id")
        if odd:
            raise SchemaInvalid(
                f"the schema uses {odd[0]!r}, which is not accepted here", remedy="use '$ref': '#/$defs/NAME'"
            )
        if "$ref" in schema:
            stack.append(_target(root, schema["$ref"]))
        stack.extend(children(schema))
    check_work(root)


def _target(root: dict[str, Any], reference: Any) -> Any:
    if not isinstance(reference, str) or not reference.startswith("#"):
        raise SchemaInvalid(
            "the schema refers to something outside itself", remedy="copy it under '$defs' and refer to '#/$defs/NAME'"
        )
    try:
        return at_pointer(root, reference[1:])
    except LookupError:
        raise SchemaInvalid(f"nothing stands at the reference {reference[:100]!r}") from None


def _compiled(schema: dict[str, Any] | bool) -> jsonschema_rs.Validator:
    import jsonschema_rs  # noqa: PLC0415 - 36 ms that 'import remit' must not pay

    options = jsonschema_rs.RegexOptions(size_limit=_PATTERN_BYTES, dfa_size_limit=_PATTERN_BYTES)
    try:
        return jsonschema_rs.Draft202012Validator(schema, pattern_options=options, offline=True)
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        path = show_path(getattr(error, "instance_path", ()))
        keyword = error.kind.name if isinstance(error, jsonschema_rs.ValidationError) else ""
        reason = (
            "pattern is not one that the linear-time engine accepts" if keyword == "format" else "schema is not valid"
        )
        raise SchemaInvalid(f"the {reason}, at {path!r}" if path else f"the {reason}") from error
