"""Reads the one spelling of signatures back into types: the inverse of ``str`` of :mod:`remit.sandbox.wit.types`.

The compiler's process reports a component's types as text, so that nothing here touches the component.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import TypeVar

from remit.sandbox.wit.types import (
    WHOLE,
    Enum,
    Flags,
    ListOf,
    Option,
    Primitive,
    Record,
    Result,
    Signature,
    TupleOf,
    Type,
    Variant,
)

__all__ = ["MAX_SPELLED", "Unsupported", "parse_signature"]

MAX_SPELLED = 64 << 10
"""Characters of a signature that is read: a plan is made for every type in it."""

_TOKEN = re.compile(r"[a-z0-9_…][a-zA-Z0-9_-]*|->|[<>{}(),:]")
_PLAIN = frozenset({"bool", "char", "f32", "f64", "string", *WHOLE})
_MAX_DEPTH = 40

T = TypeVar("T")


class Unsupported(ValueError):  # noqa: N818 - says what the type is, not that somebody erred
    """A type that no JSON value stands for: a resource, a stream, a future."""


@functools.lru_cache(maxsize=1024)
def parse_signature(spelled: str) -> Signature:
    """The signature with this spelling.

    :raises Unsupported: if a type in it has no JSON form, or it is longer than :data:`MAX_SPELLED`
    """
    if len(spelled) > MAX_SPELLED:
        raise Unsupported(f"its signature has more than {MAX_SPELLED} characters")
    reader = _Reader(_TOKEN.findall(spelled))
    reader.expect("func")
    params = reader.between("(", ")", reader.type)
    result = reader.type() if reader.take("->") else None
    if not reader.done:
        raise Unsupported(f"{spelled[:200]} is not a signature")
    return Signature(tuple(params), result)


class _Reader:
    """Reads types from tokens."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

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

    def between(self, opening: str, closing: str, read: Callable[[], T]) -> tuple[T, ...]:
        """What stands between two brackets, separated by commas."""
        self.expect(opening)
        found: list[T] = []
        while not self.take(closing):
            found.append(read())
            if not self.take(","):
                self.expect(closing)
                break
        return tuple(found)

    def type(self) -> Type:
        """One type."""
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise Unsupported("its types are nested too deeply")
        try:
            return self._type(self._next())
        finally:
            self._depth -= 1

    def _type(self, name: str) -> Type:
        if name in _PLAIN:
            return Primitive(name)  # type: ignore[arg-type] # one of the literals, as was just looked up
        match name:
            case "record":
                return Record(self.between("{", "}", self._field))
            case "variant":
                return Variant(self.between("{", "}", self._case))
            case "enum":
                return Enum(self.between("{", "}", self._next))
            case "flags":
                return Flags(self.between("{", "}", self._next))
            case "list":
                return ListOf(self._of())
            case "option":
                return Option(self._of())
            case "tuple":
                return TupleOf(self.between("<", ">", self.type))
            case "result":
                return Result(*self._sides())
        raise Unsupported(f"a value of type {name[:80]} has no JSON form")

    def _of(self) -> Type:
        self.expect("<")
        found = self.type()
        self.expect(">")
        return found

    def _sides(self) -> tuple[Type | None, Type | None]:
        self.expect("<")
        ok = self._side()
        self.expect(",")
        err = self._side()
        self.expect(">")
        return ok, err

    def _side(self) -> Type | None:
        return None if self.take("_") else self.type()

    def _field(self) -> tuple[str, Type]:
        name = self._next()
        self.expect(":")
        return name, self.type()

    def _case(self) -> tuple[str, Type | None]:
        name = self._next()
        if self._tokens[self._at : self._at + 1] != ["("]:
            return name, None
        self.expect("(")
        payload = self.type()
        self.expect(")")
        return name, payload
