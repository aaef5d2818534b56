"""Transforms at plan time: a pure guest turns documents into patches, and its answer is checked like a manifest."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import msgspec

from remit.errors import TransformFailed
from remit.kernel.model import GuestOutcome, Program
from remit.schemas.jsonvalue import not_json
from remit.units.manifest import Patch
from remit.units.manifest.jsonpatch import patch_faults
from remit.units.planning.resolution import Evaluate

__all__ = ["evaluator"]

_MAX_PATCHES = 256
_REMEMBERED = 1_000

RunPure = Callable[[Program, str, tuple[Any, ...], str], GuestOutcome]
"""``run(program, export, arguments, parameters)``: :meth:`remit.kernel.dispatch.Dispatcher.evaluate`."""


class _Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    patches: tuple[Patch, ...]


def evaluator(run: RunPure) -> Evaluate:
    """What a planner evaluates transforms with. It runs a transform anew when what it is given changed."""

    @lru_cache(maxsize=_REMEMBERED)
    def answer(program: Program, context: str, parameters: str) -> tuple[Patch, ...]:
        outcome = run(program, "transformer.transform", (context,), parameters)
        if outcome.tag != "ok":
            raise TransformFailed(f"{program.unit.id} answered {outcome.tag}: {outcome.text[:500]}")
        return tuple(_checked(program.unit.id, outcome.text))

    return lambda *given: list(answer(*given))


def _checked(unit: str, text: str) -> list[Patch]:
    try:
        answer = msgspec.json.decode(text, type=_Answer)
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError) as error:
        raise TransformFailed(f"{unit} did not answer with patches: {error}") from error
    if len(answer.patches) > _MAX_PATCHES:
        raise TransformFailed(f"{unit} answered {len(answer.patches)} patches; {_MAX_PATCHES} are allowed")
    for index, patch in enumerate(answer.patches):
        faults = not_json(patch.value)
        if not faults and patch.op == "json-patch":
            faults = list(patch_faults(patch.value, f"patches[{index}].value"))
        if faults:
            raise TransformFailed(f"{unit}: patches[{index}]: {faults[0].path} {faults[0].message}")
    return list(answer.patches)
