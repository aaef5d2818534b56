"""The catalog: what the active generation offers to callers. Implements ``kernel.ports.Catalog``."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from remit.errors import ActionUnknown
from remit.kernel.model import Action, Caller, Exported
from remit.schemas import Validator
from remit.schemas.config import Config
from remit.units.generations.generation import ActiveUnit, Generation, Trial
from remit.units.manifest import Manifest, in_range, is_range
from remit.units.planning.resolution import parameters_of, program_of
from remit.units.stock.installed import Library

__all__ = ["ActiveCatalog"]


class ActiveCatalog:
    """The actions of one generation. Units are read when first asked for; then they stay."""

    def __init__(
        self,
        generation: Generation,
        library: Library,
        config: Config,
        functions: Callable[[bytes], Mapping[str, Exported]],
    ) -> None:
        """Take hold of a generation.

        :param functions: what a component exports besides our interfaces: the schemas of actions that name an export
        """
        self._generation = generation
        self._functions = functions
        self._library = library
        self._config = config
        self._units = {unit.ref.id: unit for unit in generation.units}
        self._trials = {trial.unit.ref.id: trial for trial in generation.trials}
        self._actions: dict[str, dict[str, Action]] = {}
        self._lock = threading.Lock()

    @property
    def generation(self) -> int:
        """The number of the generation."""
        return self._generation.number

    def resolve(self, reference: str) -> Action:
        """The action behind ``publisher/name:action`` or ``…@RANGE``.

        :raises ActionUnknown: if no active unit offers it, or not in that range
        """
        name, at, version_range = reference.partition("@")
        unit_id, _, action = name.partition(":")
        unit = self._units.get(unit_id)
        if unit is None:
            raise ActionUnknown(f"no active unit {unit_id[:200]!r} offers {reference[:200]!r}")
        if at and (not is_range(version_range) or not in_range(unit.ref.version, version_range)):
            raise ActionUnknown(f"the active {unit_id} is {unit.ref.version}, not {version_range[:100]!r}")
        try:
            return self._of(unit)[action]
        except KeyError:
            raise ActionUnknown(f"{unit_id} has no action {action[:200]!r}") from None

    def actions(self) -> Sequence[Action]:
        """Every callable action, in the order of the generation."""
        return [action for unit in self._generation.units for action in self._of(unit).values()]

    def _of(self, unit: ActiveUnit) -> dict[str, Action]:
        known = self._actions.get(unit.ref.digest)
        if known is not None:
            return known
        with self._lock:
            actions = self._load(unit)
            trial = self._trials.get(unit.ref.id)
            if trial is not None:
                actions = {name: self._armed(action, trial) for name, action in actions.items()}
            self._actions[unit.ref.digest] = actions
        return actions

    def _armed(self, action: Action, trial: Trial) -> Action:
        """An action of a unit on trial: the arm itself, or the active one's, which leads to it."""
        if action.program.unit == trial.unit.ref:
            return msgspec.structs.replace(action, trial=trial.id, branch=trial.id)
        base = msgspec.structs.replace(action, trial=trial.id)

        def arm(reference: str, caller: Caller) -> Action:
            version_range = reference.partition("@")[2] or "*"
            if trial.terms.takes(trial.id, caller) and in_range(trial.unit.ref.version, version_range):
                # An action that the version on trial does not have stays with the other.
                return self._of(trial.unit).get(action.name.rpartition(":")[2], base)
            return base

        return msgspec.structs.replace(base, arms=arm)

    def _load(self, unit: ActiveUnit) -> dict[str, Action]:
        digest = unit.ref.digest
        manifest, artifact = self._library.manifest(digest), self._library.artifact(digest)
        if not manifest.actions or artifact is None:
            return {}
        program = program_of(unit, manifest, artifact, self._config)
        parameters = msgspec.json.encode(parameters_of(unit, manifest)).decode()
        slots: dict[str, list[str]] = {}
        for fill in manifest.fills:
            if fill.slot in unit.slots:
                slots.setdefault(fill.action, []).append(fill.slot)
        derived = self._derived(manifest, artifact)
        return {
            declared.name: Action(
                name=f"{unit.ref.id}:{declared.name}",
                program=program,
                input=self._validator(digest, declared.input, derived[declared.export].input),
                output=self._validator(digest, declared.output, derived[declared.export].output),
                parameters=parameters,
                idempotent=declared.idempotent,
                title=declared.title or manifest.title,
                slots=tuple(slots.get(declared.name, ())),
                export=declared.export,
            )
            for declared in manifest.actions
        }

    def _derived(self, manifest: Manifest, artifact: str) -> Mapping[str, Exported]:
        """What is known of each export that an action names; of our own world's, which has none, nothing."""
        named = {declared.export for declared in manifest.actions} - {""}
        found = self._functions(self._library.artifact_bytes(artifact)) if named else {}
        return {"": Exported()} | {export: found.get(export, Exported()) for export in named}

    def _validator(self, digest: str, name: str | None, derived: dict[str, Any] | None) -> Validator | None:
        """By the manifest's schema, which may be narrower than the types, or else by the types."""
        schema = derived if name is None else self._library.schema(digest, name)
        return None if schema is None else Validator(schema)
