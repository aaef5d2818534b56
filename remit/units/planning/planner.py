"""Planning: wanted state in, plan out. The one place that decides what a generation will be; apply runs it again.

Pure but for what its collaborators do: it reads installed units, asks policy, and lets transforms compute.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from remit.errors import PatchFailed, UnitUnknown, UsageError
from remit.journal import encode_json
from remit.kernel.ports import Authority
from remit.schemas import redact
from remit.schemas.config import Config, WantedUnit
from remit.units.generations.experiments import Experiments, Goldens
from remit.units.generations.generation import ActiveUnit, DocumentSnapshot, Generation, Generations
from remit.units.generations.recall import Recall, running_or
from remit.units.generations.reverting import Target, revert_target
from remit.units.generations.wanted import Edits, edit_units
from remit.units.planning.changes import document_diffs, document_drift, unit_changes, unit_drift
from remit.units.planning.conflicts import circles, lost_ground, overlaps
from remit.units.planning.declared import DeclaredSchemas
from remit.units.planning.goldens import Rehearsals
from remit.units.planning.granting import decide_grants
from remit.units.planning.patching import effective, patched, schema_faults
from remit.units.planning.plan import Drift, Finding, Plan, StateBack
from remit.units.planning.prompts import prompt_changes
from remit.units.planning.resolution import (
    Evaluate,
    Resolved,
    parameters_of,
    program_of,
    resolve,
    snapshots,
    with_required,
)
from remit.units.planning.runtimes import Runtime, incompatible
from remit.units.planning.slots import bind, filled_by, slot_findings
from remit.units.planning.trials import Means, plan_trials, promoted
from remit.units.stock.installed import Installed, Library

__all__ = ["Planner"]


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
    """Keys of revoked capabilities (see :mod:`remit.units.stock.withdrawals`)."""
    library: Library
    authority: Authority
    evaluate: Evaluate
    rehearsals: Rehearsals
    schemas: DeclaredSchemas
    experiments: Experiments
    runtime: Runtime
    began: Callable[[int], int]
    """The number of a generation's first record."""
    recall: Recall
    """What planning this home answered before."""

    def plan(self, edits: Edits) -> Plan:
        """Plan the edits, or the reconciliation to ``remit.toml`` where there are none.

        :raises UsageError: if the edits are malformed
        :raises UnitUnknown: if they name a unit that is not wanted
        :raises NothingToRevert: if there is nothing to go back to
        """
        active, recall = self._active(), self.recall
        target = revert_target(self.generations, edits.revert) if edits.revert else None
        named = edits.names
        resolved = self._resolve(edits, target, named)
        documents = self._documents(target)
        running = {unit.ref.id: unit for unit in active.units}
        made = patched(
            resolved.units, documents, recall, lambda unit, at: self._transformed(unit, running.get(unit.ref.id), at)
        )
        units = made.units
        means = Means(self.installed, self.library, self.config, self.experiments, self._goldens)
        back = None if target is None else target.trials
        tried = plan_trials(edits, units, active, back, resolved.findings, means)
        arms = [trial.unit for trial in tried.trials]
        granting = decide_grants(
            [*units, *arms],
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
            parent=recall.of("digest", [self.generations.active], lambda: self.generations.active.digest),
            trials=tuple(tried.trials),
        )
        before = effective(active.units, active.documents, recall)
        state = self._state_back(target, edits)
        return Plan(
            home=self.home,
            serial=active.number,
            config=self.config_digest,
            policy=self.authority.digest,
            edits=edits,
            candidate=candidate,
            units=recall.of(
                ("changes", len(active.units)),
                [*active.units, *candidate.units],
                lambda: tuple(unit_changes(active, candidate)),
            ),
            widening=tuple(granting.widening),
            capabilities=tuple(granting.answers),
            documents=recall.of(
                ("diffs", (*before,), (*made.documents,)),
                [*before.values(), *made.documents.values()],
                lambda: document_diffs(before, made.documents),
            ),
            drift=tuple(self.drift()),
            state=state,
            trials=tuple(tried.changes),
            findings=(
                *resolved.findings,
                *tried.findings,
                *incompatible([*units, *arms], self.runtime, self.config.incompatible),
                *slot_findings(units, active, self.config.slots, self.library, self.schemas.slot),
                *recall.of("circles", units, lambda: circles(units, self.library.manifest)),
                *made.findings,
                *schema_faults(made.documents, documents, recall),
                *recall.of("overlaps", units, lambda: overlaps(units)),
                *lost_ground(active, candidate),
                *prompt_changes(active, candidate, self.library.manifest),
                *self._rehearse([*units, *arms], active),
                *granting.findings,
            ),
            changed=bool(state) or not candidate.same_content(active),
        )

    def drift(self) -> list[Drift]:
        """What ``remit.toml`` says otherwise than the active generation, before any edits."""
        active = self._active()
        units = self.recall.of(
            "drift", [self.config, self.generations.active], lambda: unit_drift(active, self.config.units)
        )
        documents = document_drift(active, snapshots(self.config, self.schemas.document))
        return sorted((*units, *documents), key=lambda drift: (drift.kind, drift.name))

    def _active(self) -> Generation:
        active = self.generations.active
        if active.number == 0:
            # Before the first apply the host reads its documents as they are declared: that is where changes start.
            return msgspec.structs.replace(active, documents=snapshots(self.config, self.schemas.document))
        return active

    def _resolve(self, edits: Edits, target: Target | None, named: frozenset[str]) -> Resolved:
        if target is None:
            active = self.generations.active
            wanted, held = self.recall.of(
                ("wanted", encode_json(edits), *sorted(self.held.items())),
                [self.config, active, self.installed],
                lambda: self._wanted(edits, active, named),
            )
            return self._resolved(wanted, active, named, held)
        # Going back takes the digests of that time; resolving against the target keeps them.
        pinned = msgspec.structs.replace(self.generations.active, units=target.units)
        wanted = [
            WantedUnit(id=unit.ref.id, version=unit.range, parameters=unit.parameters, slots=unit.choices, pin=unit.pin)
            for unit in target.units
        ]
        return self._resolved(wanted, pinned, None, {})

    def _wanted(
        self, edits: Edits, active: Generation, named: frozenset[str]
    ) -> tuple[list[WantedUnit], dict[str, str]]:
        """The units that the edits make of the file, with what they need; and the digests they are held to."""
        listed = bind(edit_units(self.config.units, edits), edits.bind, self.config.slots, self._fills)
        listed = self._pinned(listed, edits.pin)
        listed, chosen = promoted(listed, active, edits.promote)
        held = {**self.held, **chosen}
        return with_required(listed, active, self.installed, self.library, named=named, held=held), held

    def _resolved(
        self, wanted: Sequence[WantedUnit], active: Generation, named: frozenset[str] | None, held: Mapping[str, str]
    ) -> Resolved:
        return resolve(
            wanted, active, self.installed, self.library, self.config, named=named, held=held, recall=self.recall
        )

    def _pinned(self, wanted: list[WantedUnit], pins: Mapping[str, str]) -> list[WantedUnit]:
        units = {unit.id: unit for unit in wanted}
        for unit_id, version in pins.items():
            if unit_id not in units:
                raise UnitUnknown(f"{unit_id} is not wanted, so it cannot be pinned")
            active = self.generations.active.unit(unit_id)
            if version == "=" and active is None:
                raise UnitUnknown(f"{unit_id} is not active, so there is no version to stay at")
            if version == "=" and active is not None:
                digest = active.ref.digest
            else:
                digest = self.installed.best(unit_id, version).ref.digest if version else ""
            units[unit_id] = msgspec.structs.replace(units[unit_id], pin=digest)
        return list(units.values())

    def _state_back(self, target: Target | None, edits: Edits) -> tuple[StateBack, ...]:
        if not edits.with_state:
            return ()
        if target is None:
            raise UsageError("only a revert takes state back", remedy="run 'remit unit revert --with-state'")
        if target.number >= self.generations.active.number:
            return ()
        seq = self.began(target.number + 1) - 1
        units = [unit.ref.id for unit in target.units if target.only in {"", unit.ref.id}]
        return tuple(StateBack(unit, target.number, seq) for unit in units)

    def _fills(self, unit: WantedUnit) -> set[str]:
        current = self.generations.active.unit(unit.id)
        ref = current.ref if current is not None else self.installed.best(unit.id, unit.version or "*").ref
        return filled_by(self.library.manifest(ref.digest))

    def _documents(self, target: Target | None) -> dict[str, DocumentSnapshot]:
        current = snapshots(self.config, self.schemas.document)
        for name, snapshot in self.generations.active.documents.items():
            # The very one that is active, where nothing was edited: what was made of it is known.
            if name in current and encode_json(current[name]) == encode_json(snapshot):
                current[name] = snapshot
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

    def _rehearse(self, units: Sequence[ActiveUnit], active: Generation) -> list[Finding]:
        """What the own tests of tools that are new to the generation say."""
        running = {unit.ref.digest for unit in active.running}
        findings = []
        for unit in units:
            manifest = self.library.manifest(unit.ref.digest)
            if unit.ref.digest in running or not manifest.tests or manifest.native is not None:
                continue  # native code does not run before somebody has said yes
            artifact = self.library.artifact(unit.ref.digest)
            if artifact is not None:
                program = program_of(unit, manifest, artifact, self.config)
                findings += self.rehearsals.findings(manifest, program, self.config.plan.tests)
        return findings

    def _goldens(self, unit: ActiveUnit) -> Goldens:
        """How the own tests of a unit's version go."""
        manifest = self.library.manifest(unit.ref.digest)
        artifact = self.library.artifact(unit.ref.digest)
        unseen = self.config.plan.tests == "off" or manifest.native is not None  # native code runs after a yes
        if unseen or artifact is None or not manifest.tests:
            return Goldens(len(manifest.tests))
        program = program_of(unit, manifest, artifact, self.config)
        return Goldens(len(manifest.tests), self.rehearsals.failed(manifest, program))

    def _transformed(self, unit: ActiveUnit, running: ActiveUnit | None, documents: Mapping[str, Any]) -> ActiveUnit:
        manifest = self.library.manifest(unit.ref.digest)
        artifact = self.library.artifact(unit.ref.digest)
        if manifest.transform is None or artifact is None:
            return unit
        reads = {name: documents[name] for name in manifest.transform.reads if name in documents}
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
        return running_or(running, msgspec.structs.replace(unit, patches=tuple(patches)))


def _message(edits: Edits, target: Target | None) -> str:
    if target is not None:
        return target.message
    words = [f"+{item}" for item in edits.add] + [f"-{item}" for item in edits.remove]
    words += [f"{key} set" for key in edits.set]
    words += [f"{slot}={unit}" for slot, unit in edits.bind.items()]
    words += [f"{item} on trial" for item in edits.trial] + [f"{unit} promoted" for unit in edits.promote]
    words += [f"{unit} pinned" if version else f"{unit} released" for unit, version in edits.pin.items()]
    return " ".join(words) or "reconciled with remit.toml"
