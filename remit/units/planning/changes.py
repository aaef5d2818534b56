"""What differs between two generations, and between the operator's file and the active one, in words for a plan.

Pure: it compares what others resolved and folded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from semantic_version.base import Version

from remit.journal import encode_json
from remit.schemas.config import WantedUnit
from remit.units.generations.documents import diff
from remit.units.generations.generation import ActiveUnit, DocumentSnapshot, Generation
from remit.units.planning.plan import ChangeKind, DocumentDiff, Drift, UnitChange

__all__ = ["document_diffs", "document_drift", "unit_changes", "unit_drift"]

_SHOWN = 60


def unit_changes(active: Generation, candidate: Generation) -> list[UnitChange]:
    """What happens to each unit: those of the candidate in its order, then those that go."""
    before = {unit.ref.id: unit for unit in active.units}
    kept = {unit.ref.id for unit in candidate.units}
    order_before = [unit.ref.id for unit in active.units if unit.ref.id in kept]
    order_after = [unit.ref.id for unit in candidate.units if unit.ref.id in before]
    moved = {now for was, now in zip(order_before, order_after, strict=True) if was != now}
    changes = []
    for unit in candidate.units:
        old, ref = before.get(unit.ref.id), unit.ref
        kind, detail = _kind_of_change(old, unit)
        if ref.id in moved and kind is None:
            kind = "reorder"
        elif ref.id in moved:
            detail = f"{detail}; moved" if detail else "moved"
        if kind:
            version = old.ref.version if old is not None else ""
            changes.append(UnitChange(ref.id, kind, version, ref.version, ref.digest, ref.admission, detail))
    return changes + [
        UnitChange(unit.ref.id, "remove", unit.ref.version, "", unit.ref.digest, unit.ref.admission)
        for unit in active.units
        if unit.ref.id not in kept
    ]


def _kind_of_change(before: ActiveUnit | None, after: ActiveUnit) -> tuple[ChangeKind | None, str]:
    if before is None:
        return "add", f"fills {', '.join(after.slots)}" if after.slots else ""
    # The same objects come from the same planning, which is the common case among a thousand units.
    if before is after or encode_json(before) == encode_json(after):
        return None, ""
    parts = list(_parts(before, after))
    if before.ref.digest != after.ref.digest:
        old, new = Version(before.ref.version), Version(after.ref.version)
        if old == new:
            parts.insert(0, "same version, other code")
        return ("downgrade" if new < old else "upgrade"), "; ".join(parts)
    if before.patches != after.patches:
        parts.append("patches")
    return ("configure" if before.slots == after.slots else "rebind"), "; ".join(parts)


def _parts(before: ActiveUnit, after: ActiveUnit) -> list[str]:
    parts = [
        f"{key}: {_short(before.parameters.get(key))} → {_short(after.parameters.get(key))}"
        for key in sorted({*before.parameters, *after.parameters})
        if encode_json(before.parameters.get(key)) != encode_json(after.parameters.get(key))
    ]
    if before.range != after.range:
        parts.append(f"versions: {before.range} → {after.range}")
    if before.slots != after.slots:
        parts.append(f"slots: {', '.join(before.slots) or 'none'} → {', '.join(after.slots) or 'none'}")
    elif encode_json(before.choices) != encode_json(after.choices):
        parts.append("choice of slots")
    if before.pin != after.pin:
        parts.append(f"pin: {before.pin[:19] or 'none'} → {after.pin[:19] or 'none'}")
    return parts


def _short(value: Any) -> str:
    # Parameters are shown as written: a sensitive one can only be a ${NAME}.
    text = "default" if value is None else msgspec.json.encode(value).decode()
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def document_diffs(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[DocumentDiff, ...]:
    """How each effective document changes."""
    found = ((name, tuple(diff(before.get(name, {}), after.get(name, {})))) for name in sorted({*before, *after}))
    return tuple(DocumentDiff(name, changes) for name, changes in found if changes)


def unit_drift(active: Generation, wanted: Sequence[WantedUnit]) -> list[Drift]:
    """What the operator's file says of units otherwise than the active generation, before any command edits it."""
    if active.number == 0:
        return []
    file = {unit.id: unit for unit in wanted}
    held = {unit.ref.id: unit for unit in active.units}
    found = [Drift("unit", unit, "wanted, not active") for unit in file if unit not in held]
    found += [Drift("unit", unit, "active, no longer wanted") for unit in held if unit not in file]
    for unit_id in file.keys() & held.keys():
        now, was = file[unit_id], held[unit_id]
        keys = {
            "parameters": (now.parameters, was.parameters),
            "versions": (now.version, was.range),
            "slots": (now.slots, was.choices),
            "pin": (now.pin, was.pin),
        }
        # As JSON, where they are not the same: to Python, true and 1 are.
        edited = [key for key, (a, b) in keys.items() if a is not b and encode_json(a) != encode_json(b)]
        found += [Drift("unit", unit_id, f"{', '.join(edited)} edited")] if edited else []
    both = [unit for unit in file if unit in held], [unit for unit in held if unit in file]
    if both[0] != both[1]:
        found.append(Drift("order", "", "the order of the units was edited"))
    return found


def document_drift(active: Generation, documents: Mapping[str, DocumentSnapshot]) -> list[Drift]:
    """The same of documents: their declarations may lie in files of their own."""
    if active.number == 0:
        return []
    found = []
    for name in documents.keys() | active.documents.keys():
        now, was = documents.get(name), active.documents.get(name)
        if was is None:
            found.append(Drift("document", name, "declared since"))
        elif now is None:
            found.append(Drift("document", name, "no longer declared"))
        else:
            edited = [
                word
                for word, a, b in (("base", now.base, was.base), ("schema", now.schema, was.schema))
                if encode_json(a) != encode_json(b)
            ]
            found += [Drift("document", name, f"{' and '.join(edited)} edited")] if edited else []
    return found
