"""Who set what in a document: each value with the unit that wrote it last, and the generation since which it stands.

Pure functions over generations; nothing is stored for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jsonpointer
import msgspec

from remit.journal import encode_json
from remit.units.generations.documents import apply_patch, pointers
from remit.units.generations.generation import Generation

__all__ = ["Blame", "blame"]


class Blame(msgspec.Struct, frozen=True):
    """One value of an effective document."""

    path: str
    """RFC 6901."""
    value: Any
    unit: str
    """``publisher/name@version``, or "" where the document's base says it."""
    digest: str
    generation: int
    """The first of the generations in a row that gave this value by this unit."""


class _Written(msgspec.Struct, frozen=True):
    value: Any
    unit: str
    digest: str

    def same(self, other: _Written | None) -> bool:
        # As JSON: to Python, true and 1 are the same.
        return other is not None and encode_json(self) == encode_json(other)


def blame(name: str, generation: Generation, earlier: Callable[[int], Generation | None]) -> list[Blame]:
    """Every value of a document, in the order of the pointers.

    :param name: a document of ``generation``
    :param earlier: a generation by its number, or ``None`` where it is no longer kept
    """
    now = _written(name, generation)
    since = dict.fromkeys(now, generation.number)
    open_ = set(now)
    number = generation.number - 1
    while open_ and (before := earlier(number)) is not None and name in before.documents:
        then = _written(name, before)
        open_ = {path for path in open_ if now[path].same(then.get(path))}
        since.update(dict.fromkeys(open_, number))
        number -= 1
    return [Blame(path, found.value, found.unit, found.digest, since[path]) for path, found in sorted(now.items())]


def _written(name: str, generation: Generation) -> Mapping[str, _Written]:
    document = generation.documents[name].base
    written = {path: _Written(value, "", "") for path, value in _leaves(document, "")}
    for unit in generation.units:
        for patch in unit.patches:
            if patch.target != name:
                continue
            document = apply_patch(document, patch)
            mine = tuple(pointers(patch))
            who = f"{unit.ref.id}@{unit.ref.version}", unit.ref.digest
            before, written = written, {}
            for path, value in _leaves(document, ""):
                had = before.get(path)
                # What a patch writes is its own even where the value was the same before: it would stay without the
                # unit that wrote it first.
                kept = had is not None and encode_json(had.value) == encode_json(value) and not _under(path, mine)
                written[path] = had if kept and had is not None else _Written(value, *who)
    return written


def _under(path: str, pointers_: tuple[str, ...]) -> bool:
    return any(path == pointer or path.startswith(f"{pointer}/") for pointer in pointers_)


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _leaves(item, f"{path}/{jsonpointer.escape(key)}")
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from _leaves(item, f"{path}/{index}")
    else:
        yield path, value
