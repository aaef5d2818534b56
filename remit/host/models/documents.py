"""The read models ``documents`` and ``slots``: what the active generation makes of them."""

from __future__ import annotations

from typing import Any

import msgspec

from remit.host.models.model import Data, Model, said
from remit.journal import Record
from remit.units import Generation

__all__ = ["Active", "documents", "slots"]

_TOPICS = ("unit.applied", "unit.reverted")


class Active(msgspec.Struct):
    """The state: the active generation, ``None`` for the empty one."""

    generation: Generation | None = None


def _step(state: Active, record: Record, data: Data) -> Active:
    found = said(record, data).get("generation")
    return state if found is None else Active(msgspec.convert(found, Generation))


def _documents(state: Active) -> object:
    return {} if state.generation is None else state.generation.effective()


def _slots(state: Active) -> object:
    filled: dict[str, Any] = {}
    for unit in () if state.generation is None else state.generation.units:
        for slot in unit.slots:
            filled.setdefault(slot, []).append(f"{unit.ref.id}@{unit.ref.version}")
    return filled


def documents() -> Model[Active]:
    """Effective documents by name."""
    return Model("documents", 1, _TOPICS, Active, _step, _documents)


def slots() -> Model[Active]:
    """The units that fill each slot, in order. Empty ones are not in it: ``remit.toml`` declares them."""
    return Model("slots", 1, _TOPICS, Active, _step, _slots)
