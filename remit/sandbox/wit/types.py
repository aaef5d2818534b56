"""WIT types as data: what a signature is made of, and its one spelling by which two signatures are compared.

The spelling is WIT's own, with records, variants and enums written out in place, so that a component's types can be
compared with ours whatever it calls them. Nothing here converts values; see :mod:`remit.sandbox.crossing.values`.
Source: Component Model, https://github.com/WebAssembly/component-model/blob/main/design/mvp/WIT.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = [
    "BOOL",
    "STRING",
    "U8",
    "U16",
    "U32",
    "U64",
    "WHOLE",
    "Borrow",
    "Enum",
    "Flags",
    "ListOf",
    "Option",
    "Own",
    "Primitive",
    "Record",
    "Result",
    "Signature",
    "TupleOf",
    "Type",
    "Variant",
]


@dataclass(frozen=True, slots=True)
class Primitive:
    """A type without parts."""

    name: Literal[
        "bool", "s8", "u8", "s16", "u16", "s32", "u32", "s64", "u64", "f32", "f64", "char", "string"
    ]  # fmt: skip

    def __str__(self) -> str:
        return self.name


BOOL = Primitive("bool")
STRING = Primitive("string")
U8 = Primitive("u8")
U16 = Primitive("u16")
U32 = Primitive("u32")
U64 = Primitive("u64")
WHOLE = {
    **{f"u{bits}": (0, (1 << bits) - 1) for bits in (8, 16, 32, 64)},
    **{f"s{bits}": (-(1 << bits - 1), (1 << bits - 1) - 1) for bits in (8, 16, 32, 64)},
}
"""Least and greatest value of the whole numbers."""


@dataclass(frozen=True, slots=True)
class Flags:
    """Any of some names; a ``frozenset`` in Python."""

    names: tuple[str, ...]

    def __str__(self) -> str:
        return "flags{" + ",".join(self.names) + "}"


@dataclass(frozen=True, slots=True)
class Enum:
    """One of some names."""

    names: tuple[str, ...]

    def __str__(self) -> str:
        return "enum{" + ",".join(self.names) + "}"


@dataclass(frozen=True, slots=True)
class Option:
    """A value or none; Python's ``None`` is none, and a value of a nested option is ``("some", value)``."""

    of: Type

    @property
    def nested(self) -> bool:
        """Whether what it holds may itself be none."""
        return isinstance(self.of, Option)

    def __str__(self) -> str:
        return f"option<{self.of}>"


@dataclass(frozen=True, slots=True)
class Result:
    """An answer or an error; either side may be empty."""

    ok: Type | None
    err: Type | None

    def __str__(self) -> str:
        return f"result<{self.ok or '_'},{self.err or '_'}>"


@dataclass(frozen=True, slots=True)
class ListOf:
    """Any number of one type. ``list<u8>`` is ``bytes`` in Python."""

    of: Type

    def __str__(self) -> str:
        return f"list<{self.of}>"


@dataclass(frozen=True, slots=True)
class TupleOf:
    """A fixed number of values without names."""

    parts: tuple[Type, ...]

    def __str__(self) -> str:
        return "tuple<" + ",".join(map(str, self.parts)) + ">"


@dataclass(frozen=True, slots=True)
class Record:
    """Named fields in the WIT's order; a ``dict`` with kebab-case keys in Python."""

    fields: tuple[tuple[str, Type], ...]

    def __str__(self) -> str:
        return "record{" + ",".join(f"{name}:{kind}" for name, kind in self.fields) + "}"


@dataclass(frozen=True, slots=True)
class Variant:
    """One of some cases, each with or without a payload; ``(case, payload)`` in Python, always tagged."""

    cases: tuple[tuple[str, Type | None], ...]

    def __str__(self) -> str:
        return "variant{" + ",".join(f"{name}({kind})" if kind else name for name, kind in self.cases) + "}"


@dataclass(frozen=True, slots=True)
class Own:
    """A resource handed over; in Python the host's integer for it."""

    resource: str

    def __str__(self) -> str:
        return f"own<{self.resource}>"


@dataclass(frozen=True, slots=True)
class Borrow:
    """A resource lent for one call; in Python the host's integer for it."""

    resource: str

    def __str__(self) -> str:
        return f"borrow<{self.resource}>"


Type = Primitive | Flags | Enum | Option | Result | ListOf | TupleOf | Record | Variant | Own | Borrow


@dataclass(frozen=True, slots=True)
class Signature:
    """What a function takes and gives."""

    params: tuple[Type, ...] = ()
    result: Type | None = None

    def __str__(self) -> str:
        return "func(" + ",".join(map(str, self.params)) + ")" + (f"->{self.result}" if self.result else "")
