"""One thing that is wrong with a value: where and what. And the spelling of "where" that people read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MAX_FAULTS", "Fault", "in_order", "show_path"]

MAX_FAULTS = 100
"""No report lists more faults than this: hostile input must not make an endless one."""

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_MAX_KEY = 80


class Fault(msgspec.Struct, frozen=True, order=True):
    """One fault. ``path`` is like ``capability[0].budget.window``, or "" for the whole."""

    path: str
    message: str


def show_path(parts: Iterable[str | int]) -> str:
    """Keys and indices as a path for people: ``("unit", 0, "id")`` is ``unit[0].id``; odd keys are quoted."""
    shown = ""
    for part in parts:
        if isinstance(part, int):
            shown += f"[{part}]"
        elif _BARE.fullmatch(part) and len(part) <= _MAX_KEY:
            shown += f".{part}" if shown else part
        else:
            shown += f"[{part[:_MAX_KEY]!r}]"
    return shown


def in_order(faults: Iterable[Fault]) -> list[Fault]:
    """The faults sorted and each once, at most :data:`MAX_FAULTS` of them and then one that says so."""
    ordered = sorted(set(faults))
    if len(ordered) <= MAX_FAULTS:
        return ordered
    return [*ordered[:MAX_FAULTS], Fault("", f"and {len(ordered) - MAX_FAULTS} more faults")]
