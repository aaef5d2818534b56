"""Planning: wanted state in, plan out. The one place that decides what a generation will be; apply runs it again.

Pure but for what its collaborators do: it reads installed units, asks policy, and lets transforms compute.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from semantic_version.base import Version

from remit.errors import PatchFailed, RemitError
from remit.journal import encode_json
from remit.kernel.ports import Authority
from remit.schemas import Validator, redact
from remit.schemas.config import Config, WantedUnit
from remit.units.documents import apply_patch, diff, pointers
from remit.units.generation import ActiveUnit, DocumentSnapshot, Generation, Generations
from remit.units.granting import decide_grants
from remit.units.installed import Installed, Library
from remit.units.plan import ChangeKind, DocumentDiff, Finding, Plan, UnitChange
from remit.units.resolution import Evaluate, parameters_of, program_of, resolve, snapshots, with_required
from remit.units.reverting import Target, revert_target
from remit.units.wanted import Edits, edit_units

__all__ = ["Planner"]

_SHOWN = 60


class Planner(msgspec.Struct, frozen=True):
    """What a plan is made from. Everything is read at construction: two plans of one planner are equal."""

    home: str
    config: Config
    config_digest: str
    held: Mapping[str, str]
    """The digests of ``remit.lock``, by unit."""
    generations: Generations
    installed: Installed
    withdrawn: frozenset[str]
    """Keys of revoked capabilities (see :mod:`remit.units.withdrawals`)."""
    library: Library
    authority: Authority
    evaluate: Evaluate
    schemas: Callable[[str], dict[str, Any] | None]
    """The JSON Schema of a document, read where ``remit.toml`` names a file."""

    def plan(self, edits: Edits) -> Plan:
        """Plan the edits, or the reconciliation to ``remit.toml`` where there are none.

        :raises UsageError: if the edits are malformed
        :raises UnitUnknown: if they name a unit that is not wanted
        :raises NothingToRevert: if there is nothing to go back to
        """
        active = self._active()
        target = revert_target(self.generations, edits.revert) if edits.revert else None
        named = edits.names
        resolved = self._resolve(edits, target, named)
        documents = self._documents(target)
        units, findings = self._patch(resolved.units, documents)
        granting = decide_grants(
            units,
            active,
            active.number + 1,
            self.authority,
            self.library.manifest,
            withdrawn=self.withdrawn,
            named=named,
            reverting=target is not None,
        )
        candidate = Generation(
            number=active.number + 1,
            origin=active.number + 1 if target is None or target.origin is None else target.origin,
            at_ms=0,
            author="",
            message=_message(edits, target),
            units=tuple(units),
            documents=documents,
            grants=tuple(granting.grants),
            policy=self.authority.digest,
        )
        return Plan(
            home=self.home,
            serial=active.number,
            config=self.config_digest,
            policy=self.authority.digest,
            edits=edits,
            candidate=candidate,
            units=tuple(_unit_changes(active, candidate)),
            widening=tuple(granting.widening),
            capabilities=tuple(granting.answers),
            documents=tuple(_document_diffs(active, candidate)),
            findings=(*resolved.findings, *findings, *granting.findings),
            changed=not candidate.same_content(active),
        )

    def _active(self) -> Generation:
        active = self.generations.active
        if active.number == 0:
            # Before the first apply the host reads its documents as they are declared: that is where changes start.
            return msgspec.structs.replace(active, documents=snapshots(self.config, self.schemas))
        return active

    def _resolve(self, edits: Edits, target: Target | None, named: frozenset[str]) -> Any:
        if target is None:
            active, listed = self.generations.active, edit_units(self.config.units, edits)
            wanted = with_required(listed, active, self.installed, self.library, named=named, held=self.held)
            return resolve(wanted, active, self.installed, self.library, self.config, named=named, held=self.held)
        # Going back takes the digests of that time; resolving against the target keeps them.
        pinned = msgspec.structs.replace(self.generations.active, units=target.units)
        wanted = [
            WantedUnit(id=unit.ref.id, version=unit.range, parameters=unit.parameters, slots=unit.choices, pin=unit.pin)
            for unit in target.units
        ]
        return resolve(wanted, pinned, self.installed, self.library, self.config, named=None, held={})

    def _documents(self, target: Target | None) -> dict[str, DocumentSnapshot]:
        current = snapshots(self.config, self.schemas)
        if target is None:
            return current
        kept = {
            # A schema that lies in a file is read where it lies.
            name: msgspec.structs.replace(snapshot, schema=current[name].schema) if self._in_file(name) else snapshot
            for name, snapshot in target.documents.items()
        }
        return current | kept

    def _in_file(self, name: str) -> bool:
        return name in self.config.documents and isinstance(self.config.documents[name].schema, str)

    def _patch(
        self, units: Sequence[ActiveUnit], documents: Mapping[str, DocumentSnapshot]
    ) -> tuple[list[ActiveUnit], list[Finding]]:
        """Fold the documents unit by unit, running each transform on what the units before it made."""
        effective = {name: snapshot.base for name, snapshot in documents.items()}
        patched, findings = [], []
        for unit in units:
            try:
                entry = self._transformed(unit, effective)
            except RemitError as error:
                findings.append(_blocking("transform.failed", unit.ref.id, error.message, error.remedy))
                entry = unit
            patched.append(entry)
            for patch in entry.patches:
                if patch.target not in effective:
                    message = f"it patches the document {patch.target!r}, which this home does not declare"
                    remedy = f"add [document.{patch.target}] to remit.toml"
                    findings.append(_blocking("document.unknown", unit.ref.id, message, remedy))
                    continue
                try:
                    effective[patch.target] = apply_patch(effective[patch.target], patch)
                except PatchFailed as error:
                    findings.append(_blocking("patch.failed", unit.ref.id, error.message))
        findings += _schema_faults(effective, documents)
        findings += _overlaps(patched)
        return patched, findings

    def _transformed(self, unit: ActiveUnit, effective: Mapping[str, Any]) -> ActiveUnit:
        manifest = self.library.manifest(unit.ref.digest)
        artifact = self.library.artifact(unit.ref.digest)
        if manifest.transform is None or artifact is None:
            return unit
        reads = {name: effective[name] for name in manifest.transform.reads if name in effective}
        # What a transform answers is shown and journalled: it never sees what is sensitive.
        schema = self.library.schema(unit.ref.digest, manifest.parameters.schema)
        parameters = parameters_of(unit, manifest)
        if schema is not None:
            parameters = redact(schema, parameters)
        context = msgspec.json.encode({"documents": reads, "parameters": parameters}).decode()
        program = program_of(unit, manifest, artifact, self.config)
        patches = self.evaluate(program, context, msgspec.json.encode(parameters).decode())
        for patch in patches:
            if patch.target not in manifest.transform.writes:
                raise PatchFailed(f"the transform wrote {patch.target!r}, which its manifest does not declare")
        return msgspec.structs.replace(unit, patches=tuple(patches))


def _message(edits: Edits, target: Target | None) -> str:
    if target is not None:
        return target.message
    words = [f"+{item}" for item in edits.add] + [f"-{item}" for item in edits.remove]
    words += [f"{key} set" for key in edits.set]
    return " ".join(words) or "reconciled with remit.toml"


def _unit_changes(active: Generation, candidate: Generation) -> list[UnitChange]:
    changes = []
    for unit in candidate.units:
        before = active.unit(unit.ref.id)
        kind, detail = _kind_of_change(before, unit)
        if kind:
            version = before.ref.version if before is not None else ""
            ref = unit.ref
            changes.append(UnitChange(ref.id, kind, version, ref.version, ref.digest, ref.admission, detail))
    kept = {unit.ref.id for unit in candidate.units}
    gone = [unit for unit in active.units if unit.ref.id not in kept]
    changes += [
        UnitChange(unit.ref.id, "remove", unit.ref.version, "", unit.ref.digest, unit.ref.admission) for unit in gone
    ]
    order_before = [unit.ref.id for unit in active.units if unit.ref.id in kept]
    order_after = [unit.ref.id for unit in candidate.units if active.unit(unit.ref.id) is not None]
    touched = {change.unit for change in changes}
    for index, unit_id in enumerate(order_after):
        if order_before[index] != unit_id and unit_id not in touched:
            unit = next(unit for unit in candidate.units if unit.ref.id == unit_id)
            version, digest = unit.ref.version, unit.ref.digest
            changes.append(UnitChange(unit_id, "reorder", version, version, digest, unit.ref.admission))
    return changes


def _kind_of_change(before: ActiveUnit | None, after: ActiveUnit) -> tuple[ChangeKind | None, str]:
    if before is None:
        return "add", ""
    if before.ref.digest != after.ref.digest:
        old, new = Version(before.ref.version), Version(after.ref.version)
        detail = "same version, other code" if old == new else ""
        return ("downgrade" if new < old else "upgrade"), detail
    if encode_json(before) == encode_json(after):
        return None, ""
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
    if encode_json(before.patches) != encode_json(after.patches):
        parts.append("patches")
    return "configure", "; ".join(parts)


def _short(value: Any) -> str:
    # Parameters are shown as written: a sensitive one can only be a ${NAME}.
    text = "default" if value is None else msgspec.json.encode(value).decode()
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _document_diffs(active: Generation, candidate: Generation) -> list[DocumentDiff]:
    before, after = active.effective(), _effective_if_it_folds(candidate)
    diffs = []
    for name in sorted({*before, *after}):
        changes = diff(before.get(name, {}), after.get(name, {}))
        if changes:
            diffs.append(DocumentDiff(name, tuple(changes)))
    return diffs


def _effective_if_it_folds(candidate: Generation) -> dict[str, Any]:
    effective = {}
    for name, snapshot in candidate.documents.items():
        try:
            effective[name] = candidate.document(name)
        except PatchFailed:  # a blocking finding says so already
            effective[name] = snapshot.base
    return effective


def _schema_faults(effective: Mapping[str, Any], documents: Mapping[str, DocumentSnapshot]) -> list[Finding]:
    findings = []
    for name, snapshot in documents.items():
        if snapshot.schema is not None:
            findings += [
                _blocking(
                    "document.invalid",
                    "",
                    f"the document {name!r} would break its schema: {fault.path}: {fault.message}",
                )
                for fault in Validator(snapshot.schema).faults(effective[name])
            ]
    return findings


def _overlaps(units: Sequence[ActiveUnit]) -> list[Finding]:
    """Two units that write one place, or a place below it: the later one wins, which people should know."""
    written: dict[str, dict[str, str]] = {}
    findings = []
    for unit in units:
        mine = {(patch.target, pointer) for patch in unit.patches for pointer in pointers(patch)}
        for target, pointer in sorted(mine):
            owners = written.setdefault(target, {})
            for other, owner in owners.items():
                if owner != unit.ref.id and _related(pointer, other):
                    message = f"writes {target}{pointer}, which {owner} writes too; the later one wins"
                    findings.append(Finding("warning", "patch.overlap", unit.ref.id, message))
            owners[pointer] = unit.ref.id
    return findings


def _related(a: str, b: str) -> bool:
    return a == b or a.startswith(f"{b}/") or b.startswith(f"{a}/")


def _blocking(kind: str, unit: str, message: str, remedy: str = "") -> Finding:
    return Finding(severity="blocking", id=kind, unit=unit, message=message, remedy=remedy)
