"""From wanted units to active ones: which installed digest each range means, with which parameters, slots and patches.

Versions move only when a command names the unit: an installation alone never changes what runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal

import msgspec

from remit.errors import PatchFailed, RemitError, UnitUnknown
from remit.journal import encode_json
from remit.kernel.model import Program, UnitRef
from remit.schemas import Validator, sensitive_pointers
from remit.schemas.config import Config, WantedUnit, expand
from remit.units.generations.generation import ActiveUnit, DocumentSnapshot, Generation
from remit.units.generations.recall import Recall
from remit.units.manifest import Manifest, Patch, in_range, interfaces_of, limits_of
from remit.units.planning.filling import fill_patches
from remit.units.planning.plan import Finding
from remit.units.planning.runtimes import Runtime, misfits
from remit.units.stock.installed import Installed, Library

__all__ = ["Evaluate", "Resolved", "parameters_of", "program_of", "resolve", "with_required"]

Evaluate = Callable[[Program, str, str], list[Patch]]
"""``evaluate(program, context JSON, parameters JSON)``: the patches of a transform."""


class Resolved(msgspec.Struct):
    """The wanted units as active ones, and what stood in the way."""

    units: list[ActiveUnit] = []
    findings: list[Finding] = []


def resolve(
    wanted: Sequence[WantedUnit],
    active: Generation,
    installed: Installed,
    library: Library,
    config: Config,
    *,
    named: frozenset[str] | None,
    held: Mapping[str, str],
    recall: Recall,
) -> Resolved:
    """Resolve every wanted unit that can be; the rest are blocking findings.

    :param named: units that may move to another installed version; ``None`` holds all to the digests in ``active``
    :param held: the digests of ``remit.lock``, by unit
    """
    result = Resolved()
    running = {unit.ref.id: unit for unit in active.units}

    def chosen() -> list[_Chosen]:
        return [
            _choice(unit, running.get(unit.id), installed, library, config, recall, named=named, held=held)
            for unit in wanted
        ]

    question = ("chosen", named, *sorted(held.items()))
    for unit, one in zip(wanted, recall.of(question, [*wanted, active, installed, config], chosen), strict=True):
        try:
            # These may change with the environment: they are asked each time.
            faults = [] if one.entry is None else _parameter_faults(unit, one.entry.ref.digest, library)
        except RemitError as error:
            result.findings.append(_unresolved(unit, error))
            continue
        result.units += [] if one.entry is None else [one.entry]
        result.findings += faults
        result.findings += one.findings
    result.findings += recall.of("relations", result.units, lambda: _relations(result.units, library))
    return result


def with_required(
    wanted: Sequence[WantedUnit],
    active: Generation,
    installed: Installed,
    library: Library,
    *,
    named: frozenset[str],
    held: Mapping[str, str],
) -> list[WantedUnit]:
    """What is wanted, and before each unit what it needs and nobody listed, where that is installed.

    A unit that is needed in vain stays out: what needs it is then a blocking finding.
    """
    listed = {unit.id for unit in wanted}
    running = {unit.ref.id: unit for unit in active.units}
    result: list[WantedUnit] = []

    def place(unit: WantedUnit) -> None:
        with suppress(UnitUnknown):  # resolving it says so
            ref = _choose(unit, running.get(unit.id), installed, named, held.get(unit.id))
            for other, text in sorted(library.manifest(ref.digest).requires.units.items()):
                if other not in listed and installed.candidates(other, text, standing=True):
                    listed.add(other)
                    place(WantedUnit(id=other, version=text))
        result.append(unit)

    for unit in wanted:
        place(unit)
    return result


class _Chosen(msgspec.Struct, frozen=True):
    """What became of one wanted unit, its parameters aside."""

    entry: ActiveUnit | None
    findings: list[Finding]


def _choice(
    unit: WantedUnit,
    current: ActiveUnit | None,
    installed: Installed,
    library: Library,
    config: Config,
    recall: Recall,
    *,
    named: frozenset[str] | None,
    held: Mapping[str, str],
) -> _Chosen:
    try:
        ref = _choose(unit, current, installed, named, held.get(unit.id))
        entry, findings = _resolve_one(unit, ref, current, library, config, recall)
    except RemitError as error:
        return _Chosen(None, [_unresolved(unit, error)])
    if unit.pin and named is not None:
        findings += _pin_holds(unit, ref, installed, named=unit.id in named)
    return _Chosen(entry, findings + _withdrawn(entry, installed))


def _unresolved(unit: WantedUnit, error: RemitError) -> Finding:
    return _blocking("unit.unresolved", unit.id, error.message, error.remedy)


def _resolve_one(
    unit: WantedUnit, ref: UnitRef, running: ActiveUnit | None, library: Library, config: Config, recall: Recall
) -> tuple[ActiveUnit, list[Finding]]:
    manifest = library.manifest(ref.digest)
    slots = tuple(
        sorted({fill.slot for fill in manifest.fills if fill.slot in config.slots and unit.slots.get(fill.slot, True)})
    )

    def make(patches: tuple[Patch, ...]) -> ActiveUnit:
        # A unit that is added without a range may later move as far as semantic versioning promises.
        version_range = unit.version or f"^{ref.version}"
        return ActiveUnit(ref, version_range, unit.parameters, slots, unit.slots, unit.pin, patches)

    try:
        entry = recall.entry(
            (encode_json(unit), ref, slots), running, lambda: make(_patches(unit, manifest, ref.digest, library))
        )
    except PatchFailed as error:
        return make(()), [_blocking("patch.parameter", unit.id, error.message, error.remedy)]
    return entry, []


def _patches(unit: WantedUnit, manifest: Manifest, digest: str, library: Library) -> tuple[Patch, ...]:
    """What a unit's manifest does to documents; a transform's patches come when it runs.

    :raises PatchFailed: if a patch names a parameter that may not stand in a document
    """
    if manifest.kind == "transform":
        return ()
    schema = library.schema(digest, manifest.parameters.schema)
    hidden = set() if schema is None else {at.strip("/").partition("/")[0] for at in sensitive_pointers(schema)}
    return fill_patches(manifest.patches, {**manifest.parameters.defaults, **unit.parameters}, hidden)


def _pin_holds(unit: WantedUnit, ref: UnitRef, installed: Installed, *, named: bool) -> list[Finding]:
    """What a pin keeps from happening, where somebody asked for it."""
    remedy = f"run 'remit unit pin {unit.id} --release' first"
    if not in_range(ref.version, unit.version or "*"):
        message = f"is pinned to {ref.version}, which is not in {unit.version}"
        return [Finding("blocking" if named else "warning", "pin.holds", unit.id, message, remedy)]
    best = installed.candidates(unit.id, unit.version or "*")[0].ref
    if named and best.digest != ref.digest:
        message = f"is pinned to {ref.version}, so {best.version} is not taken"
        return [Finding("warning", "pin.holds", unit.id, message, remedy)]
    return []


def _choose(
    unit: WantedUnit,
    current: ActiveUnit | None,
    installed: Installed,
    named: frozenset[str] | None,
    held: str | None,
) -> UnitRef:
    if unit.pin:
        pinned = installed.by_digest.get(unit.pin)
        if pinned is None or pinned.ref.id != unit.id:
            raise UnitUnknown(f"{unit.id} is pinned to {unit.pin}, which is not installed")
        return pinned.ref
    if held is not None and named is not None and unit.id not in named and held in installed.by_digest:
        locked = installed.by_digest[held].ref
        if locked.id == unit.id and in_range(locked.version, unit.version or "*"):
            return locked
    if current is not None and current.ref.digest in installed.by_digest:
        if named is None or (unit.id not in named and in_range(current.ref.version, unit.version or "*")):
            return current.ref
    elif named is None and current is not None:
        raise UnitUnknown(f"{unit.id}@{current.ref.version} of that time is no longer installed")
    return installed.best(unit.id, unit.version or "*", standing=True).ref


def _withdrawn(unit: ActiveUnit, installed: Installed) -> list[Finding]:
    found = installed.withdrawn.get(unit.ref.digest)
    if found is None:
        return []
    message = f"{unit.ref.version} was {found.kind} by its registry: {found.reason or 'no reason was given'}"
    remedy = f"run 'remit unit upgrade {unit.ref.id}'"
    severity: Literal["blocking", "warning"] = "blocking" if found.kind == "killed" else "warning"
    return [Finding(severity=severity, id=f"unit.{found.kind}", unit=unit.ref.id, message=message, remedy=remedy)]


def parameters_of(unit: ActiveUnit | WantedUnit, manifest: Manifest) -> dict[str, Any]:
    """A unit's parameters at the moment of use: defaults, then the operator's, ``${VAR}`` expanded.

    :raises VariableMissing: if a variable is not set
    """
    expanded: dict[str, Any] = expand({**manifest.parameters.defaults, **unit.parameters})
    return expanded


def _parameter_faults(unit: WantedUnit, digest: str, library: Library) -> list[Finding]:
    manifest = library.manifest(digest)
    if not (unit.parameters or manifest.parameters.defaults or manifest.parameters.schema):
        return []
    schema = library.schema(digest, manifest.parameters.schema)
    values = parameters_of(unit, manifest)
    if schema is None:
        unknown = sorted(set(unit.parameters) - set(manifest.parameters.defaults))
        known = ", ".join(sorted(manifest.parameters.defaults)) or "none"
        return [
            _blocking(
                "parameters.unknown", unit.id, f"the unit has no parameter {key!r}", f"take it out; it has: {known}"
            )
            for key in unknown
        ]
    found = [
        _blocking(
            "parameters.invalid",
            unit.id,
            f"{fault.path or 'parameters'}: {fault.message}",
            f"correct it in remit.toml, or with --set {unit.id}.KEY=JSON",
        )
        for fault in Validator(schema).faults(values)
    ]
    # Wanted state is journalled and shown: a secret may only be referred to.
    for pointer in sorted(sensitive_pointers(schema)):
        key = pointer.strip("/").partition("/")[0]
        if key in unit.parameters and _written_down(unit.parameters[key]):
            found.append(
                _blocking(
                    "parameters.sensitive",
                    unit.id,
                    f"{key} is sensitive and must not be written down",
                    f'put it in the environment and write {key} = "${{NAME}}"',
                )
            )
    return found


def _written_down(value: Any) -> bool:
    """Whether a value holds text that does not come from the environment."""
    if isinstance(value, str):
        return not (value.startswith("${") and value.endswith("}") and value.count("$") == 1)
    if isinstance(value, dict):
        return any(_written_down(item) for item in value.values())
    if isinstance(value, list):
        return any(_written_down(item) for item in value)
    return True


def _relations(units: Sequence[ActiveUnit], library: Library) -> list[Finding]:
    versions = {unit.ref.id: unit.ref.version for unit in units}
    findings, here = [], Runtime()
    for unit in units:
        requires = library.manifest(unit.ref.digest).requires
        for part, message in misfits(library.manifest(unit.ref.digest), here):
            needed = {"remit": f"remit {requires.remit}", "world": f"a remit that offers world {requires.world}"}
            remedy = f"install another version of the unit, or {needed[part]}"
            findings.append(_blocking(f"requires.{part}", unit.ref.id, message, remedy))
        for other, wanted in requires.units.items():
            if other not in versions or not in_range(versions[other], wanted):
                have = versions.get(other, "nothing")
                message = f"needs {other} {wanted}; the plan has {have}"
                remedy = f"install {other} in {wanted}; where a registry has it, 'remit unit sync' does"
                findings.append(_blocking("requires.unit", unit.ref.id, message, remedy))
        findings += [
            _blocking("conflicts", unit.ref.id, f"conflicts with {other}", "remove one of them")
            for other in requires.conflicts
            if other in versions
        ]
    return findings


def program_of(unit: ActiveUnit, manifest: Manifest, artifact: str, config: Config) -> Program:
    """What a runner needs to run a unit, within the host's ceilings.

    :raises UnitUnknown: if the unit has no code
    """
    if manifest.runtime is None or manifest.kind == "config":
        raise UnitUnknown(f"{unit.ref.id} has no code")
    return Program(
        unit=unit.ref,
        artifact=artifact,
        world="transform" if manifest.kind == "transform" else "tool",
        limits=config.ceiling(limits_of(manifest)),
        interfaces=interfaces_of(manifest),
        reuse=manifest.runtime.reuse,
        native=manifest.native.module if manifest.native is not None else "",
    )


def snapshots(config: Config, schemas: Callable[[str], dict[str, Any] | None]) -> dict[str, DocumentSnapshot]:
    """The declared documents as a generation keeps them."""
    return {
        name: DocumentSnapshot(base=declared.base, schema=schemas(name)) for name, declared in config.documents.items()
    }


def _blocking(kind: str, unit: str, message: str, remedy: str = "") -> Finding:
    return Finding(severity="blocking", id=kind, unit=unit, message=message, remedy=remedy)
