"""Where a revert goes: the last change undone, an earlier generation, or one unit as it was before it last changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from remit.errors import NothingToRevert
from remit.units.generations.generation import ActiveUnit, DocumentSnapshot, Generation, Generations, Trial

__all__ = ["Target", "revert_target"]


class Target(msgspec.Struct, frozen=True):
    """What to go back to."""

    units: tuple[ActiveUnit, ...]
    documents: Mapping[str, DocumentSnapshot]
    """Bases and schemas of that time; the current ones hold where a name is missing."""
    origin: int | None
    """The generation whose content this is, or ``None`` where it is a mixture of two."""
    message: str
    number: int
    """The generation at whose end the state was of that time."""
    only: str = ""
    """The one unit that goes back, or "" for all."""
    trials: tuple[Trial, ...] = ()
    """What is on trial then: of a whole generation, what was, begun anew."""


def revert_target(generations: Generations, what: str) -> Target:
    """The target of ``last``, a generation's number, or a unit's id.

    :raises NothingToRevert: if there is no earlier state
    :raises GenerationUnknown: if there is no generation with that number
    """
    if what == "last":
        return _undo(generations)
    if what.isascii() and what.isdigit():
        generation = generations.get(int(what))
        return _whole(generation, f"back to generation {generation.number}")
    return _one_unit(generations, what)


def _undo(generations: Generations) -> Target:
    # Undo walks back like an editor's: after a revert, the change before the one undone is next.
    origin = generations.active.origin
    if origin == 0:
        raise NothingToRevert("there is no change to undo: nothing was applied yet, or everything was undone")
    return _whole(generations.get(origin - 1), f"undid generation {origin}")


def _whole(generation: Generation, message: str) -> Target:
    return Target(
        generation.units,
        generation.documents,
        generation.origin,
        message,
        generation.number,
        trials=generation.trials,
    )


def _one_unit(generations: Generations, unit_id: str) -> Target:
    active = generations.active
    current = active.unit(unit_id)
    others = tuple(trial for trial in active.trials if trial.unit.ref.id != unit_id)
    trial = active.trial(unit_id)
    if trial is not None:
        message = f"ended the trial of {unit_id}@{trial.unit.ref.version}"
        return Target(active.units, {}, None, message, active.number, unit_id, others)
    for number in range(active.number - 1, -1, -1):
        earlier = generations.get(number)
        before = earlier.unit(unit_id)
        if before != current:
            message = f"undid the last change of {unit_id}"
            put_back = _held(before, current)
            if put_back is not before:
                message += f"; it stays at {put_back.ref.version} until 'remit unit pin {unit_id} --release'"
            return Target(_with(active, earlier, unit_id, put_back), {}, None, message, number, unit_id, others)
    raise NothingToRevert(f"{unit_id} never changed in this home", remedy="run 'remit unit history'")


def _held(before: ActiveUnit | None, current: ActiveUnit | None) -> Any:
    """A unit that goes back to other code is pinned there: or the next reconciliation would upgrade it again.

    Undoing that revert, or any other change of a pinned unit, puts back what was, pin or none.
    """
    if before is None or current is None or current.pin or before.ref.digest == current.ref.digest:
        return before
    return msgspec.structs.replace(before, pin=before.ref.digest)


def _with(active: Generation, earlier: Generation, unit_id: str, before: ActiveUnit | None) -> tuple[ActiveUnit, ...]:
    others = [unit for unit in active.units if unit.ref.id != unit_id]
    if before is None:
        return tuple(others)
    # Its old place: after the nearest unit that stood before it then and is still here.
    ids = [unit.ref.id for unit in earlier.units]
    ahead = set(ids[: ids.index(unit_id)])
    place = max((index + 1 for index, unit in enumerate(others) if unit.ref.id in ahead), default=0)
    if active.unit(unit_id) is not None:
        place = [unit.ref.id for unit in active.units].index(unit_id)
    return (*others[:place], before, *others[place:])
