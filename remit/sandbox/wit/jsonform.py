"""Values of WIT types to and from JSON's, by a plan that is made once for each type.

Records are objects, variants ``"case"`` or ``{"case": payload}``, results ``{"ok": …}`` or ``{"err": …}``, flags
arrays of names, ``list<u8>`` base64, an absent option ``null`` or left out. Whole numbers keep all their digits.
:mod:`remit.sandbox.wit.derive` says the same as schemas. Nothing here knows components.
"""

from __future__ import annotations

import binascii
import functools
import math
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from typing import Any

from remit.sandbox.wit.derive import F32_MOST, SPELLED_FLOATS
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

__all__ = ["Give", "Misfit", "Take", "from_json", "to_json"]

Take = Callable[[Any, str], Any]
"""(JSON value, its path for people) → the value of the type; raises :class:`Misfit`."""
Give = Callable[[Any], Any]
"""A value of the type → its JSON value."""

_SHOWN = 80


class Misfit(ValueError):  # noqa: N818 - a value, not a program, is at fault
    """A JSON value that does not stand for any of the type."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(message)
        self.path = path


@functools.cache
def from_json(kind: Type | None) -> Take:  # noqa: C901 - one case for each type of WIT
    """How a JSON value becomes one of this type."""
    match kind:
        case None:
            return _take_nothing
        case Primitive(name=name):
            return _TAKES.get(name) or _take_whole(name)
        case Enum(names=names):
            return _take_name(frozenset(names))
        case Flags(names=names):
            return _take_flags(frozenset(names))
        case Option(of=inner):
            return _take_option(from_json(inner), nested=kind.nested)
        case ListOf(of=Primitive(name="u8")):
            return _take_bytes
        case ListOf(of=inner):
            return _take_list(from_json(inner))
        case TupleOf(parts=parts):
            return _take_tuple(tuple(map(from_json, parts)))
        case Record(fields=fields):
            return _take_record(fields)
        case Result(ok=ok, err=err):
            return _take_case({"ok": from_json(ok), "err": from_json(err)})
        case Variant(cases=cases):
            return _take_case({name: None if part is None else from_json(part) for name, part in cases})
    raise TypeError(f"{kind} has no JSON form")


def _take_nothing(value: Any, path: str) -> None:
    if value is not None:
        raise Misfit(path, "must be null")


def _take_whole(name: str) -> Take:
    least, most = WHOLE[name]

    def whole(value: Any, path: str) -> int:
        if type(value) is not int or not least <= value <= most:
            raise Misfit(path, f"must be a whole number from {least} to {most}")
        return value

    return whole


def _take_bool(value: Any, path: str) -> bool:
    if type(value) is not bool:
        raise Misfit(path, "must be true or false")
    return value


def _take_text(value: Any, path: str) -> str:
    if type(value) is not str or not (value.isascii() or _is_unicode(value)):
        raise Misfit(path, "must be a text")
    return value


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _take_char(value: Any, path: str) -> str:
    if type(value) is not str or len(value) != 1 or not _is_unicode(value):
        raise Misfit(path, "must be a text of one character")
    return value


def _take_float(most: float) -> Take:
    def real(value: Any, path: str) -> float:
        if type(value) is str and value in SPELLED_FLOATS:
            return float(value)
        # Exact, before a whole number is made a double.
        if type(value) not in {int, float} or not -most <= value <= most:
            names = ", ".join(f'"{name}"' for name in SPELLED_FLOATS)
            raise Misfit(path, f"must be a number up to {most:g}, or {names}")
        return float(value)

    return real


def _take_name(names: frozenset[str]) -> Take:
    def name(value: Any, path: str) -> str:
        if type(value) is not str or value not in names:
            raise Misfit(path, f"must be one of {_listed(names)}")
        return value

    return name


def _take_flags(names: frozenset[str]) -> Take:
    def flags(value: Any, path: str) -> frozenset[str]:
        chosen = value if type(value) is list and all(type(item) is str for item in value) else None
        if chosen is None or len(found := frozenset(chosen)) != len(chosen) or not found <= names:
            raise Misfit(path, f"must be an array of different names out of {_listed(names)}")
        return found

    return flags


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))[:500]


def _take_option(inner: Take, *, nested: bool) -> Take:
    def option(value: Any, path: str) -> Any:
        return None if value is None else inner(value, path)

    some = _take_case({"some": inner})

    def tagged(value: Any, path: str) -> Any:
        return None if value is None else some(value, path)

    return tagged if nested else option


def _take_bytes(value: Any, path: str) -> bytes:
    try:
        # Whoever gives bytes that are not ASCII gives no base64 either.
        return b64decode(value, validate=True) if type(value) is str else _refuse_bytes(path)
    except (binascii.Error, ValueError):
        return _refuse_bytes(path)


def _refuse_bytes(path: str) -> bytes:
    raise Misfit(path, "must be bytes in base64")


def _take_list(inner: Take) -> Take:
    def items(value: Any, path: str) -> list[Any]:
        if type(value) is not list:
            raise Misfit(path, "must be an array")
        return [inner(item, f"{path}[{i}]") for i, item in enumerate(value)]

    return items


def _take_tuple(inners: tuple[Take, ...]) -> Take:
    def items(value: Any, path: str) -> tuple[Any, ...]:
        if type(value) is not list or len(value) != len(inners):
            raise Misfit(path, f"must be an array of {len(inners)} values")
        return tuple([inner(item, f"{path}[{i}]") for i, (inner, item) in enumerate(zip(inners, value, strict=True))])

    return items


def _take_record(fields: tuple[tuple[str, Type], ...]) -> Take:
    takes = tuple((name, from_json(part), isinstance(part, Option)) for name, part in fields)
    known = frozenset(name for name, _ in fields)

    def record(value: Any, path: str) -> dict[str, Any]:
        if type(value) is not dict:
            raise Misfit(path, "must be an object")
        before = f"{path}." if path else ""
        if unknown := value.keys() - known:
            raise Misfit(f"{before}{min(unknown)[:_SHOWN]}", "is not known")
        found: dict[str, Any] = {}
        for name, take, optional in takes:
            if name in value:
                found[name] = take(value[name], f"{before}{name}")
            elif optional:
                found[name] = None
            else:
                raise Misfit(f"{before}{name}", "is missing")
        return found

    return record


def _take_case(cases: Mapping[str, Take | None]) -> Take:
    plain = frozenset(name for name, take in cases.items() if take is None)
    tagged = {name: take for name, take in cases.items() if take is not None}

    def case(value: Any, path: str) -> tuple[str, Any]:
        if type(value) is str and value in plain:
            return value, None
        if type(value) is dict and len(value) == 1:
            ((name, payload),) = value.items()
            if (take := tagged.get(name)) is not None:
                return name, take(payload, f"{path}.{name}" if path else name)
        forms = [*sorted(plain), *(f'{{"{name}": …}}' for name in sorted(tagged))]
        raise Misfit(path, f"must be one of {', '.join(forms)[:500]}")

    return case


_TAKES: Mapping[str, Take] = {
    "bool": _take_bool,
    "string": _take_text,
    "char": _take_char,
    "f32": _take_float(F32_MOST),
    "f64": _take_float(math.nextafter(math.inf, 0)),
}


@functools.cache
def to_json(kind: Type | None) -> Give:  # noqa: C901 - one case for each type of WIT
    """How a value of this type becomes JSON."""
    match kind:
        case Primitive(name="f32" | "f64"):
            return _give_float
        case None | Primitive() | Enum():
            return _give_same
        case Flags(names=names):
            return lambda value: [name for name in names if name in value]
        case Option(of=inner):
            return _give_option(to_json(inner), nested=kind.nested)
        case ListOf(of=Primitive(name="u8")):
            return lambda value: b64encode(value).decode()
        case ListOf(of=inner):
            give = to_json(inner)
            return _give_same if give is _give_same else lambda value: [give(item) for item in value]
        case TupleOf(parts=parts):
            gives = tuple(map(to_json, parts))
            return lambda value: [give(item) for give, item in zip(gives, value, strict=True)]
        case Record(fields=fields):
            named = tuple((name, to_json(part)) for name, part in fields)
            return lambda value: {name: give(value[name]) for name, give in named}
        case Result(ok=ok, err=err):
            return _give_case({"ok": to_json(ok), "err": to_json(err)})
        case Variant(cases=cases):
            return _give_case({name: None if part is None else to_json(part) for name, part in cases})
    raise TypeError(f"{kind} has no JSON form")


def _give_same(value: Any) -> Any:
    return value


def _give_float(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _give_option(give: Give, *, nested: bool) -> Give:
    if nested:
        return lambda value: None if value is None else {"some": give(value[1])}
    return lambda value: None if value is None else give(value)


def _give_case(cases: Mapping[str, Give | None]) -> Give:
    def case(value: tuple[str, Any]) -> Any:
        name, payload = value
        give = cases[name]
        return name if give is None else {name: give(payload)}

    return case
