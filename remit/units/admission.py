"""Admission: whether a bundle may come into the home. Judges bytes; writes nothing and changes nothing that runs."""

from __future__ import annotations

from remit.errors import ExportMissing, ImportRefused, ManifestInvalid, UnsignedRefused
from remit.kernel.model import Admission, Bundle, UnitRef
from remit.kernel.ports import Progress, Runner
from remit.units.manifest import Manifest, check_files, interfaces_of, parse

__all__ = ["examine"]


def examine(
    bundle: Bundle, admission: Admission, runner: Runner, *, allow_unsigned: bool, progress: Progress
) -> tuple[UnitRef, Manifest]:
    """What a bundle is, if it may be admitted.

    :param admission: how it comes in; a local one only where ``allow_unsigned``

    :raises UnsignedRefused: if it is not signed and that is not allowed
    :raises ManifestInvalid: with every fault of the manifest and its files
    :raises ImportRefused: if the component imports what the manifest does not declare
    :raises ExportMissing: if it does not export what the manifest promises
    """
    if admission == "local" and not allow_unsigned:
        raise UnsignedRefused(f"{bundle.origin} is not signed")
    manifest = parse(bundle.unit_toml)
    faults = check_files(manifest, bundle.files)
    if faults:
        first = faults[0]
        raise ManifestInvalid(
            f"{manifest.id} has {len(faults)} fault(s): {first.path}: {first.message}",
            faults=[{"path": fault.path, "message": fault.message} for fault in faults],
        )
    if manifest.runtime is not None and manifest.kind != "config":
        _check_component(manifest, bundle.files[manifest.runtime.artifact], runner, progress)
    return UnitRef(manifest.id, manifest.version, bundle.digest, manifest.kind, admission), manifest


def _check_component(manifest: Manifest, component: bytes, runner: Runner, progress: Progress) -> None:
    imported, exported = runner.interfaces(component, lambda _stage, share: progress(f"compiling {manifest.id}", share))
    undeclared = sorted(imported - interfaces_of(manifest))
    if undeclared:
        raise ImportRefused(
            f"the component of {manifest.id} imports {', '.join(undeclared)}, which its manifest does not declare",
            interfaces=undeclared,
        )
    promised = {"transformer"} if manifest.kind == "transform" else set()
    if manifest.actions:
        promised.add("provider")
    if manifest.on:
        promised.add("handler")
    missing = sorted(promised - exported)
    if missing:
        raise ExportMissing(f"the component of {manifest.id} does not export {', '.join(missing)}", interfaces=missing)
