"""How wasmtime's component values lie in memory, as the plans of packing and reading know it.

A value is 32 bytes, a kind and a union of 24; a text, list, record or flags is a size and an address; an entry of a
record is a name and a value (``wasmtime/component/val.h``). :data:`remit.sandbox.engines.capi.FAST` says whether that
holds; where it does not, and for handles of resources, :mod:`remit.sandbox.crossing.values` does the same by the
package's own declarations, and a test holds the two equal.
"""

from __future__ import annotations

from wasmtime import _ffi as ffi

from remit.sandbox.wit.types import (
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

__all__ = ["FORMATS", "KINDS", "UNION", "planned"]

FORMATS = {
    "bool": "B7x?23x", "u8": "B7xB23x", "s8": "B7xb23x", "u16": "B7xH22x", "s16": "B7xh22x", "u32": "B7xI20x",
    "s32": "B7xi20x", "u64": "B7xQ16x", "s64": "B7xq16x", "f32": "B7xf20x", "f64": "B7xd16x", "char": "B7xI20x",
}  # fmt: skip
"""Of primitive types, for :mod:`struct`."""
UNION = 8
"""Where the union begins in a value."""
KINDS = {
    name: int(getattr(ffi, f"WASMTIME_COMPONENT_{name.upper()}").value)
    for name in (*FORMATS, "string", "list", "record", "tuple", "variant", "enum", "option", "result", "flags")
}
"""What the first byte of a value says."""


def planned(kind: Type | None) -> bool:
    """Whether a type has a plan: no handle of a resource is in it."""
    match kind:
        case None | Primitive() | Enum() | Flags():
            return True
        case Option(of=inner) | ListOf(of=inner):
            return planned(inner)
        case Result(ok=ok, err=err):
            return planned(ok) and planned(err)
        case TupleOf(parts=parts):
            return all(map(planned, parts))
        case Record(fields=fields):
            return all(planned(part) for _, part in fields)
        case Variant(cases=cases):
            return all(planned(part) for _, part in cases)
        case _:
            return False
