"""Admission: whether a bundle may come into the home. Judges bytes; writes nothing and changes nothing that runs."""

from __future__ import annotations

from typing import Any

import msgspec

from remit.errors import Denied, ExportMissing, ImportRefused, ManifestInvalid, SignerChanged, UnsignedRefused
from remit.journal import Draft
from remit.kernel.model import Bundle, UnitRef, Verification
from remit.kernel.ports import Authority, Progress, Runner
from remit.schemas import Validator
from remit.units.manifest import Manifest, check_files, interfaces_of, parse

__all__ = ["Candidate", "check_component", "check_native", "examine"]

_SHOWN = 20
TRUST_IT = "permit unit:native for its publisher in policy/, if you trust its code as the kernel's own"


class Candidate(msgspec.Struct, frozen=True):
    """A bundle that is well formed and whose origin is known: policy may let it in."""

    unit: UnitRef
    manifest: Manifest
    origin: str
    found: Verification

    @property
    def facts(self) -> dict[str, str | bool]:
        """For policy."""
        unit = self.unit
        own = {"admission": unit.admission, "digest": unit.digest, "kind": unit.kind, "version": unit.version}
        return {**self.found.facts, **own}

    @property
    def draft(self) -> Draft:
        """For the journal."""
        found = self.found
        data: dict[str, Any] = {**found.record, **msgspec.to_builtins(self.unit)}
        data |= {"title": self.manifest.title, "origin": self.origin, "signer": found.signer}
        return Draft(type="unit.installed", subject=self.unit.id, data={**data, "warnings": list(found.warnings)})


def examine(
    bundle: Bundle,
    found: Verification,
    runner: Runner,
    signer: str | None = None,
    *,
    allow_unsigned: bool,
    progress: Progress,
) -> Candidate:
    """What a bundle is, if it may be admitted.

    :param found: where it comes from; a local one comes in only where ``allow_unsigned``
    :param signer: who must have signed it, where that is known; "" for nobody
    :raises UnsignedRefused: if it is not signed and that is not allowed
    :raises SignerChanged: if somebody else signed it than ``signer``
    :raises ManifestInvalid: with every fault of the manifest and its files
    :raises ImportRefused: if the component imports what the manifest does not declare
    :raises ExportMissing: if it does not export what the manifest promises
    """
    if found.admission == "local" and not allow_unsigned:
        raise UnsignedRefused(f"{bundle.origin} is not signed")
    manifest = parse(bundle.unit_toml)
    if signer not in (None, found.signer):
        raise SignerChanged(
            f"{manifest.id}@{manifest.version} is signed by {found.signer or 'nobody'}; "
            f"what is locked was by {signer or 'nobody'}"
        )
    faults = check_files(manifest, bundle.files)
    if faults:
        first = faults[0]
        raise ManifestInvalid(
            f"{manifest.id} has {len(faults)} fault(s): {first.path}: {first.message}",
            faults=[{"path": fault.path, "message": fault.message} for fault in faults],
        )
    if manifest.runtime is not None and manifest.kind != "config":
        check_component(manifest, bundle.files[manifest.runtime.artifact], runner, progress)
    unit = UnitRef(manifest.id, manifest.version, bundle.digest, manifest.kind, found.admission)
    return Candidate(unit, manifest, bundle.origin, found)


def check_native(unit: UnitRef, authority: Authority) -> None:
    """Native code comes in only where policy lets it run.

    :raises Denied: if the unit is native, and policy does not
    """
    decision = authority.native(unit) if unit.kind == "native" else None
    if decision is not None and not decision.allowed:
        raise Denied(
            f"native code of {unit.id} may not run in this home: {decision.verdict}",
            remedy=TRUST_IT,
            policies=list(decision.policies),
        )


def check_component(manifest: Manifest, component: bytes, runner: Runner, progress: Progress) -> None:
    """An artifact imports no more than its manifest declares, and exports what that promises.

    :raises ArtifactInvalid: if it is none, or takes too much to compile
    :raises ImportRefused: if it imports what the manifest does not declare
    :raises ExportMissing: if it does not export what the manifest promises
    """
    imported, exported = runner.interfaces(
        component,
        lambda _stage, share: progress(f"compiling {manifest.id}", share),
        native=manifest.native.module if manifest.native is not None else "",
    )
    undeclared = sorted(imported - interfaces_of(manifest))
    if undeclared:
        raise ImportRefused(
            f"the component of {manifest.id} imports {', '.join(undeclared)}, which its manifest does not declare",
            interfaces=undeclared,
        )
    promised = {"transformer"} if manifest.kind == "transform" else set()
    if any(not action.export for action in manifest.actions):
        promised.add("provider")
    if manifest.on:
        promised.add("handler")
    missing = sorted(promised - exported)
    if missing:
        raise ExportMissing(f"the component of {manifest.id} does not export {', '.join(missing)}", interfaces=missing)
    _check_functions(manifest, component, runner)


def _check_functions(manifest: Manifest, component: bytes, runner: Runner) -> None:
    """Every export that an action names is there, can be called, and takes the inputs of the manifest's tests."""
    declared = {action.name: action for action in manifest.actions if action.export}
    if not declared:
        return
    functions = runner.functions(component)
    for action in declared.values():
        found = functions.get(action.export)
        if found is None:
            shown = ", ".join(sorted(functions)[:_SHOWN]) or "none"
            raise ExportMissing(
                f"the component of {manifest.id} does not export {action.export!r}; its functions: {shown}",
                remedy="'remit unit inspect' shows what it exports",
                exports=sorted(functions)[:_SHOWN],
            )
        if found.problem:
            raise ExportMissing(
                f"the action {action.name!r} of {manifest.id} cannot be called: {found.problem}",
                remedy="'remit unit inspect' shows what can be called",
            )
    for number, test in enumerate(manifest.tests):
        derived = functions[declared[test.action].export].input if test.action in declared else None
        faults = Validator(derived).faults(test.input) if derived is not None else []
        if faults:
            path = f"test[{number}].input"
            raise ManifestInvalid(
                f"{manifest.id}: {path} is not what {declared[test.action].export} takes: {faults[0].message}",
                faults=[{"path": path, "message": fault.message} for fault in faults],
            )
