"""What the units of a plan make of the documents: folded in order, each transform run on what those before it made.

Runs of units without transforms are folded once for the same units on the same documents
(:mod:`remit.units.generations.recall`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any

import msgspec

from remit.errors import PatchFailed, RemitError
from remit.journal import encode_json
from remit.schemas import Validator, redact
from remit.units.generations.documents import Folding
from remit.units.generations.generation import ActiveUnit, DocumentSnapshot
from remit.units.generations.recall import Recall
from remit.units.planning.plan import Finding

__all__ = ["Patched", "effective", "patched", "schema_faults"]

Documents = Mapping[str, Any]
"""Documents by name."""
Transform = Callable[[ActiveUnit, Documents], ActiveUnit]
"""The unit with the patches that its transform answers, given the documents so far."""


class Patched(msgspec.Struct, frozen=True):
    """What came of it."""

    units: list[ActiveUnit]
    """With their patches."""
    documents: Documents
    """The effective ones, without the patches that fail."""
    findings: list[Finding]


def effective(units: Sequence[ActiveUnit], snapshots: Mapping[str, DocumentSnapshot], recall: Recall) -> Documents:
    """The effective documents of units whose patches are known."""
    return patched(units, snapshots, recall, lambda unit, _documents: unit).documents


def patched(
    units: Sequence[ActiveUnit], snapshots: Mapping[str, DocumentSnapshot], recall: Recall, transform: Transform
) -> Patched:
    """Fold the documents."""
    documents: Documents = {name: snapshot.base for name, snapshot in snapshots.items()}
    result, findings = [], []
    for transforms, group in groupby(units, lambda unit: unit.ref.kind == "transform"):
        # One transform after the other: each reads what the one before it wrote.
        for run in ([unit] for unit in group) if transforms else [list(group)]:
            entries = run
            if transforms:
                try:
                    entries = [transform(run[0], documents)]
                except RemitError as error:
                    remedy = error.remedy or "take another version of the unit, or leave it out"
                    findings.append(_blocking("transform.failed", run[0].ref.id, error.message, remedy))
            documents, found = _folded(entries, documents, recall)
            result += entries
            findings += found
    return Patched(result, documents, findings)


def _folded(units: Sequence[ActiveUnit], documents: Documents, recall: Recall) -> tuple[Documents, list[Finding]]:
    return recall.of(("folded", *documents), [*documents.values(), *units], lambda: _fold(units, documents))


def _fold(units: Sequence[ActiveUnit], documents: Documents) -> tuple[Documents, list[Finding]]:
    foldings = {name: Folding(document) for name, document in documents.items()}
    findings = []
    for unit in units:
        for patch in unit.patches:
            if patch.target not in foldings:
                message = f"it patches the document {patch.target!r}, which this home does not declare"
                remedy = f"add [document.{patch.target}] to remit.toml"
                findings.append(_blocking("document.unknown", unit.ref.id, message, remedy))
                continue
            try:
                foldings[patch.target].apply(patch)
            except PatchFailed as error:
                remedy = "keep the unit that it builds on, or take another version of this one"
                findings.append(_blocking("patch.failed", unit.ref.id, error.message, remedy))
    return {name: folding.document for name, folding in foldings.items()}, findings


def schema_faults(documents: Documents, snapshots: Mapping[str, DocumentSnapshot], recall: Recall) -> list[Finding]:
    """Where an effective document breaks its schema."""
    findings: list[Finding] = []
    for name, snapshot in snapshots.items():
        if snapshot.schema is not None:
            schema, document = snapshot.schema, documents[name]
            findings += recall.of(("valid", name), [schema, document], lambda: _faults(name, schema, document))  # noqa: B023 - asked at once
    return findings


def _faults(name: str, schema: dict[str, Any], document: Any) -> list[Finding]:
    findings = []
    if encode_json(redact(schema, document)) != encode_json(document):
        message = f"the document {name!r} would hold a value where its schema says 'x-remit-sensitive'"
        remedy = "documents are journalled and shown: keep the value as a secret, and its name in the document"
        findings.append(_blocking("document.sensitive", "", message, remedy))
    return findings + [
        _blocking(
            "document.invalid",
            "",
            f"the document {name!r} would break its schema: {fault.path}: {fault.message}",
            f"change the units that write there ('remit document blame {name}'), or the schema",
        )
        for fault in Validator(schema).faults(document)
    ]


def _blocking(kind: str, unit: str, message: str, remedy: str = "") -> Finding:
    return Finding(severity="blocking", id=kind, unit=unit, message=message, remedy=remedy)
