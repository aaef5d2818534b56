"""Remit's own schemas, as they lie in the package: the best messages for authors, and the fast yes or no for hot paths.

Two libraries judge, because one explains and the other is a hundred times faster; a test holds their verdicts equal.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import msgspec

from remit.errors import SchemaInvalid
from remit.schemas import formats
from remit.schemas.fault import Fault, in_order, show_path
from remit.schemas.jsonvalue import not_json
from remit.schemas.wording import say, unknown_key

if TYPE_CHECKING:
    import jsonschema
    import jsonschema_rs

__all__ = ["faults", "is_valid", "schema", "text"]

_FILES: Mapping[str, str] = {
    formats.UNIT: "unit-v1.json",
    formats.HOME: "home-v1.json",
    formats.LOCK: "lock-v1.json",
    formats.EVENT: "event-v1.json",
}
_TEXTS = frozenset({"unit.wit", "remit.cedarschema", *_FILES.values()})


def text(name: str) -> str:
    """A file of the contract: ``unit.wit``, ``remit.cedarschema`` or one of the JSON Schemas.

    :raises SchemaInvalid: if there is none of that name
    """
    if name not in _TEXTS:
        raise SchemaInvalid(f"no contract is called {name!r}", remedy=f"there are {', '.join(sorted(_TEXTS))}")
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def schema(name: str) -> dict[str, Any]:
    """One of our JSON Schemas by the name of its format, e.g. ``unit/v1``; a fresh copy.

    :raises SchemaInvalid: if there is none of that name
    """
    if name not in _FILES:
        raise SchemaInvalid(f"no schema is called {name!r}", remedy=f"there are {', '.join(sorted(_FILES))}")
    loaded: dict[str, Any] = msgspec.json.decode(text(_FILES[name]))
    return loaded


def faults(name: str, value: Any) -> list[Fault]:
    """Everything that is wrong with a value under one of our schemas, sorted by path; empty where it is valid.

    :raises SchemaInvalid: if there is no schema of that name
    """
    odd = not_json(value)
    if odd:
        return in_order(odd)
    if is_valid(name, value):  # what is right needs no explainer, which is slow to load
        return []
    return in_order(fault for error in _explainer(name).iter_errors(value) for fault in _explain(error))


def is_valid(name: str, value: Any) -> bool:
    """Whether a JSON value follows one of our schemas; for hot paths.

    :raises SchemaInvalid: if there is no schema of that name
    """
    judge = _judge(name)
    try:
        return judge.is_valid(value)
    except ValueError:  # not JSON at all: a date of TOML, a lone surrogate, too deep
        return False


@lru_cache(maxsize=len(_FILES))
def _judge(name: str) -> jsonschema_rs.Validator:
    import jsonschema_rs  # noqa: PLC0415 - 36 ms that 'import remit' must not pay

    return jsonschema_rs.Draft202012Validator(schema(name), pattern_options=jsonschema_rs.RegexOptions(), offline=True)


@lru_cache(maxsize=len(_FILES))
def _explainer(name: str) -> jsonschema.protocols.Validator:
    import jsonschema  # noqa: PLC0415 - slow to import, and only needed where something may be wrong

    kind: Any = jsonschema.validators.extend(  # type: ignore[no-untyped-call] # its stubs leave this one out
        jsonschema.Draft202012Validator, {"pattern": _pattern}
    )
    explainer: jsonschema.protocols.Validator = kind(schema(name))
    return explainer


def _pattern(_validator: Any, pattern: str, value: Any, _schema: Any) -> Iterator[jsonschema.ValidationError]:
    # ECMA's "$" is the end of the text; Python's also matches before a last newline, and would let "name\n" through.
    import jsonschema  # noqa: PLC0415 - see above

    if isinstance(value, str) and not re.search(pattern.replace("$", r"\Z"), value):
        yield jsonschema.ValidationError("does not match")


def _explain(error: jsonschema.ValidationError) -> Iterator[Fault]:
    path: list[str | int] = list(error.absolute_path)
    value: Any = error.instance
    expected: Any = error.validator_value
    subschema = error.schema if isinstance(error.schema, Mapping) else {}
    if error.validator == "required":
        for key in expected:
            if key not in value:
                yield Fault(show_path([*path, key]), "is missing")
    elif error.validator == "additionalProperties":
        known = subschema.get("properties", {})
        for key in value:
            if key not in known:
                yield Fault(show_path([*path, key]), unknown_key(key, known))
    else:
        if "propertyNames" in error.absolute_schema_path:  # the library's path stops at the object
            path.append(str(value))
        noun = str(subschema.get("description", ""))
        yield Fault(show_path(path), say(str(error.validator), expected, noun=noun, value=value))
