"""Strategies: types of WIT, and values of each as Python holds them."""

from __future__ import annotations

from hypothesis import strategies as st

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
    Variant,
)

__all__ = ["TYPES", "values"]

NAMES = st.builds(str.__add__, st.sampled_from("abcdefgh"), st.text("abcdefgh-", max_size=5))
PLAIN = st.sampled_from([
    Primitive(name) for name in ("bool", "char", "f32", "f64", "string", "string", *WHOLE)
])  # fmt: skip


def composed(inner):
    fields = st.dictionaries(NAMES, inner, min_size=1, max_size=4).map(lambda d: tuple(d.items()))
    return st.one_of(
        inner.map(Option),
        inner.map(ListOf),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: TupleOf(tuple(parts))),
        fields.map(Record),
        st.builds(Result, st.none() | inner, st.none() | inner),
        st.dictionaries(NAMES, st.none() | inner, min_size=1, max_size=4).map(lambda d: Variant(tuple(d.items()))),
    )


CHOICES = st.lists(NAMES, min_size=1, max_size=4, unique=True).map(tuple)
TYPES = st.recursive(PLAIN | CHOICES.map(Enum) | CHOICES.map(Flags), composed, max_leaves=8)


def plain(name):
    match name:
        case "string":
            return st.text(max_size=20)
        case "char":
            return st.characters()
        case "bool":
            return st.booleans()
        case "f32":
            return st.floats(width=32, allow_nan=False)
        case "f64":
            return st.floats(allow_nan=False)
        case _:
            return st.integers(*WHOLE[name])


def values(kind):  # noqa: C901 - one case for each type of WIT
    match kind:
        case None:
            return st.none()
        case Primitive(name=name):
            return plain(name)
        case Enum(names=names):
            return st.sampled_from(names)
        case Flags(names=names):
            return st.frozensets(st.sampled_from(names))
        case Option(of=inner):
            some = values(inner)
            return st.none() | (st.tuples(st.just("some"), some) if kind.nested else some)
        case ListOf(of=inner):
            return st.binary(max_size=20) if inner == Primitive("u8") else st.lists(values(inner), max_size=3)
        case TupleOf(parts=parts):
            return st.tuples(*map(values, parts))
        case Record(fields=fields):
            return st.fixed_dictionaries({name: values(part) for name, part in fields})
        case Result(ok=ok, err=err):
            return st.tuples(st.just("ok"), values(ok)) | st.tuples(st.just("err"), values(err))
        case Variant(cases=cases):
            return st.one_of([st.tuples(st.just(name), values(part)) for name, part in cases])
