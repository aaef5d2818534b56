"""The read models ``documents`` and ``slots``: what the active generation makes of them."""

from __future__ import annotations

from typing import Any

import msgspec

from remit.errors import PatchFailed
from remit.host.models.model import Data, Model, said
from remit.journal import GENERATION_TOPICS, Record
from remit.units import Generation

__all__ = ["Documents", "Slots", "documents", "slots"]


class Documents(msgspec.Struct):
    """The effective documents by name; not the generation that made them, which is large and kept elsewhere."""

    effective: dict[str, Any] = {}
    failed: str = ""
    """Why they could not be folded: the generation was made by a remit that folded otherwise."""


class Slots(msgspec.Struct):
    """The units that fill each slot, in order."""

    filled: dict[str, list[str]] = {}


def _documents_step(state: Documents, record: Record, data: Data) -> Documents:
    found = said(record, data).get("generation")
    if found is None:
        return state
    try:
        return Documents(msgspec.convert(found, Generation).effective())
    except PatchFailed as error:
        return Documents(failed=error.message)


def _documents(state: Documents) -> object:
    if state.failed:
        raise PatchFailed(state.failed)
    return state.effective


def _slots_step(state: Slots, record: Record, data: Data) -> Slots:
    found = said(record, data).get("generation")
    if found is None:
        return state
    filled: dict[str, list[str]] = {}
    for unit in msgspec.convert(found, Generation).units:
        for slot in unit.slots:
            filled.setdefault(slot, []).append(f"{unit.ref.id}@{unit.ref.version}")
    return Slots(filled)


def documents() -> Model[Documents]:
    """Effective documents by name."""
    return Model("documents", 2, GENERATION_TOPICS, Documents, _documents_step, _documents)


def slots() -> Model[Slots]:
    """The units that fill each slot, in order. Empty ones are not in it: ``remit.toml`` declares them."""
    return Model("slots", 2, GENERATION_TOPICS, Slots, _slots_step, lambda state: state.filled)
