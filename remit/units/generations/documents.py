"""Documents as folds: effective = base, then the patches of the active units in order. Pure functions.

Merge patches are RFC 7396, JSON patches RFC 6902, pointers RFC 6901.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import deepcopy
from typing import Any

import jsonpatch
import jsonpointer
import msgspec

from remit.errors import PatchFailed
from remit.journal import encode_json
from remit.units.manifest import Patch

__all__ = ["Change", "Folding", "apply_patch", "diff", "fold", "operations", "pointers"]

_MAX_DOCUMENT = 4 << 20
_SHOWN = 200
"""Characters of why a patch does not apply."""


class Change(msgspec.Struct, frozen=True):
    """One difference between two documents: an RFC 6902 operation, with the value that it replaces."""

    op: str
    path: str
    old: Any = None
    new: Any = None


def fold(base: Any, patches: Iterable[tuple[str, Patch]]) -> Any:
    """The effective document.

    :param patches: with the id of the unit each comes from
    :raises PatchFailed: naming the unit whose patch does not apply
    """
    folding = Folding(base)
    for unit, patch in patches:
        try:
            folding.apply(patch)
        except PatchFailed as error:
            raise PatchFailed(f"{unit}: {error.message}", unit=unit, **error.details) from error
    return folding.document


class Folding:
    """A document that patches are put on one after the other; the base stays as it is.

    Costs what the patches change, not what the document is: a thousand units write into one.
    """

    def __init__(self, base: Any) -> None:
        self.document = base
        # Objects made here, which nobody else has: those are changed in place. All of them live as long as this.
        self._ours: set[int] = set()
        self._made: list[Any] = []
        self._size = len(encode_json(base))

    def apply(self, patch: Patch) -> None:
        """Put one patch on the document.

        :raises PatchFailed: if an operation does not apply, or the result is too large; the document stays as it was
        """
        if patch.op == "merge":
            grown = self._size + len(encode_json(patch.value))
            if grown <= _MAX_DOCUMENT:
                self.document = self._merge(self.document, patch.value)
                self._size = grown
                return
        self.document = apply_patch(self.document, patch)
        self._ours.clear()
        self._size = len(encode_json(self.document))

    def _merge(self, target: Any, patch: Any) -> Any:
        if not isinstance(patch, dict):
            return deepcopy(patch)
        if isinstance(target, dict) and id(target) in self._ours:
            merged = target
        else:
            merged = dict(target) if isinstance(target, dict) else {}
            self._ours.add(id(merged))
            self._made.append(merged)
        for key, value in patch.items():
            if value is None:
                merged.pop(key, None)
            else:
                merged[key] = self._merge(merged.get(key), value)
        return merged


def apply_patch(document: Any, patch: Patch) -> Any:
    """``document`` with one patch applied; the argument stays as it is.

    :raises PatchFailed: if an operation does not apply, or the result is too large
    """
    if patch.op == "merge":
        changed = _merge(document, patch.value)
    else:
        try:
            changed = jsonpatch.apply_patch(document, patch.value, in_place=False)
        except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, TypeError, KeyError) as error:
            # The library's words hold the place that was not there, and all that was there instead.
            why = str(error)
            why = why if len(why) <= _SHOWN else f"{why[: _SHOWN - 1]}…"
            raise PatchFailed(f"the patch of {patch.target!r} does not apply: {why}", target=patch.target) from error
    if len(msgspec.json.encode(changed)) > _MAX_DOCUMENT:
        raise PatchFailed(f"the patch makes {patch.target!r} larger than {_MAX_DOCUMENT >> 20} MiB")
    return changed


def _merge(target: Any, patch: Any) -> Any:
    # RFC 7396, section 2. Manifests and transforms are bounded in depth before they come here.
    if not isinstance(patch, dict):
        return deepcopy(patch)
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merge(merged.get(key), value)
    return merged


def diff(before: Any, after: Any) -> list[Change]:
    """What turns ``before`` into ``after``: applied in this order it is a JSON Patch, without moves and copies."""
    return list(_diff(before, after, ""))


def _diff(before: Any, after: Any, path: str) -> Iterator[Change]:
    if before is after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after}):
            at = f"{path}/{jsonpointer.escape(key)}"
            if key not in after:
                yield Change("remove", at, before[key])
            elif key not in before:
                yield Change("add", at, None, after[key])
            else:
                yield from _diff(before[key], after[key], at)
    elif isinstance(before, list) and isinstance(after, list):
        yield from _diff_of_arrays(before, after, path)
    # As JSON: to Python, true and 1 are the same.
    elif type(before) is not type(after) or before != after:
        yield Change("replace", path, before, after)


def _diff_of_arrays(before: list[Any], after: list[Any], path: str) -> Iterator[Change]:
    shorter = min(len(before), len(after))
    start = next((at for at in range(shorter) if _differ(before[at], after[at])), shorter)
    end = next((n for n in range(shorter - start) if _differ(before[-1 - n], after[-1 - n])), shorter - start)
    old, new = before[start : len(before) - end], after[start : len(after) - end]
    both = min(len(old), len(new))
    for at in range(both):
        yield from _diff(old[at], new[at], f"{path}/{start + at}")
    # From behind, so that no removal moves what the next one means.
    for at in reversed(range(both, len(old))):
        yield Change("remove", f"{path}/{start + at}", old[at])
    for at in range(both, len(new)):
        yield Change("add", f"{path}/{start + at}", None, new[at])


def _differ(before: Any, after: Any) -> bool:
    # Not by the differences: comparing twice at each level would grow with the power of the depth.
    return encode_json(before) != encode_json(after)


def operations(changes: Iterable[Change]) -> list[dict[str, Any]]:
    """Differences as a JSON Patch (RFC 6902)."""
    return [
        {"op": change.op, "path": change.path} | ({} if change.op == "remove" else {"value": change.new})
        for change in changes
    ]


def pointers(patch: Patch) -> Iterator[str]:
    """The JSON Pointers that a patch writes."""
    if patch.op == "json-patch":
        yield from (operation["path"] for operation in patch.value if operation.get("op") != "test")
        return
    yield from _leaves(patch.value, "")


def _leaves(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _leaves(item, f"{path}/{jsonpointer.escape(key)}")
    else:
        yield path
