"""What a registry takes in: manifests whose contents are all there, and units that are what they say.

Bytes in, verdict out; the server puts HTTP around it. Signatures are not judged here: whoever installs does that.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import msgspec

from remit.errors import BundleInvalid, ReferenceUnknown, RemitError, ValueInvalid
from remit.errors.refusals import (
    MediaTypeRefused,
    PushedOtherwise,
    TagOtherwise,
    UnitElsewhere,
)
from remit.registry.bundle import MANIFEST, MAX_FILE, layers_by_name, pack
from remit.registry.index import Entry, fold, read_log
from remit.registry.oci import (
    IMAGE_INDEX,
    IMAGE_MANIFEST,
    Descriptor,
    Manifest,
    read_index,
    read_manifest,
    sha256,
)
from remit.registry.store import Store, is_release
from remit.schemas import formats, load_toml
from remit.schemas.versions import is_version

__all__ = ["record", "repair", "required_units", "subject_of", "take", "withdraw"]

_MOST_REQUIRED = 64


def take(store: Store, repository: str, tag: str, data: bytes, media_type: str, by: str) -> str:
    """Keep a manifest, under its digest and the tag, if one is given. Gives the digest of its subject, or "".

    :raises ReplyInvalid: if it is malformed, or is not what its media type says
    :raises ReferenceUnknown: if it names what is not here
    :raises BundleInvalid: if it is a unit's, and not packed as one
    :raises NotAUnit: if it is a unit's, for another repository or version
    :raises VersionTaken: if the tag is a version, and names other contents
    """
    if media_type not in (IMAGE_MANIFEST, IMAGE_INDEX):
        raise MediaTypeRefused(f"{media_type[:80]!r} is not kept here", remedy="push OCI image manifests and indexes")
    subject = ""
    names: list[str] = []
    entry = Descriptor(media_type, sha256(data), len(data))
    published: Entry | None = None
    if media_type == IMAGE_INDEX:
        for listed in read_index(data).manifests:
            store.manifest_type(repository, listed.digest)
    else:
        manifest = read_manifest(data)
        subject = manifest.subject.digest if manifest.subject else ""
        names = [manifest.config.digest, *(layer.digest for layer in manifest.layers)]
        for digest in names:
            if not store.offers(repository, digest):
                raise ReferenceUnknown(f"{repository} has no {digest}, which the manifest names")
        kind = manifest.artifact_type or manifest.config.media_type
        entry = msgspec.structs.replace(entry, artifact_type=kind, annotations=manifest.annotations)
        if manifest.artifact_type == formats.BUNDLE:
            published = _unit(store, repository, tag, data, manifest, by)
    store.put_manifest(repository, data, media_type, names=names, subject=subject, entry=entry)
    if tag:
        store.tag(repository, tag, entry.digest)
        if published is not None and is_release(tag):
            record(store, published)
    return subject


def subject_of(store: Store, repository: str, digest: str, limit: int) -> str:
    """The digest that a kept manifest refers to, or ""."""
    if store.manifest_type(repository, digest) != IMAGE_MANIFEST:
        return ""
    manifest = read_manifest(store.read(digest, limit))
    return manifest.subject.digest if manifest.subject else ""


def record(store: Store, entry: Entry) -> None:
    """Add a line to the log, unless it says so already."""
    with store.appending() as descriptor:
        known = read_log(store.log_path.read_bytes())
        same = (entry.kind, entry.unit, entry.digest)
        if all((line.kind, line.unit, line.digest) != same for line in known):
            os.write(descriptor, msgspec.json.encode(entry) + b"\n")


def withdraw(store: Store, unit: str, version: str, reason: str, by: str, *, kill: bool) -> Entry:
    """Yank a version, or kill it.

    :raises ReferenceUnknown: if it was never published
    """
    log = store.log_path
    offer = fold(read_log(log.read_bytes()) if log.exists() else []).get(unit)
    release = next((item for item in offer.releases if item.version == version), None) if offer else None
    if release is None:
        raise ReferenceUnknown(f"{unit}@{version} was never published here")
    now = store.clock.now_ms()
    entry = Entry("killed" if kill else "yanked", unit, version, release.digest, now, by=by, reason=reason)
    record(store, entry)
    return entry


def repair(store: Store) -> list[str]:
    """Put into the log what was published when a crash came between; gives what was missing, or is damaged."""
    log = store.log_path
    known = {(line.unit, line.digest) for line in read_log(log.read_bytes())} if log.exists() else set()
    faults = []
    for repository in store.repositories():
        for tag in filter(is_release, store.tags(repository)):
            digest = store.tagged(repository, tag)
            if (repository, digest) in known:
                continue
            try:
                data = store.read(digest, MAX_FILE)
                manifest = read_manifest(data)
                if manifest.artifact_type == formats.BUNDLE:
                    record(store, _unit(store, repository, tag, data, manifest, ""))
                    faults.append(f"{repository}:{tag} was not in the list")
            except RemitError as error:
                faults.append(f"{repository}:{tag}: {error.message}")
    return faults


def _unit(store: Store, repository: str, tag: str, data: bytes, manifest: Manifest, by: str) -> Entry:
    """What the log says of a unit.

    :raises BundleInvalid: if it is not packed as a unit is
    :raises NotAUnit: if it belongs elsewhere, or names more than a unit may hold: nothing is read then
    """
    named = layers_by_name(manifest)
    whole = all(store.size(layer.digest) == layer.size for layer in named.values())
    bundle = pack({name: store.read(layer.digest, layer.size) for name, layer in named.items()}) if whole else None
    if bundle is None or bundle.oci_manifest != data:
        raise PushedOtherwise("the manifest is not packed as a unit's is", remedy="publish with 'remit unit publish'")
    try:
        facts = load_toml(bundle.files[MANIFEST])
    except ValueInvalid as error:
        raise BundleInvalid(f"{MANIFEST}: {error.message}") from error
    unit, version = facts.get("id"), facts.get("version")
    if unit != repository or not isinstance(version, str) or not is_version(version):
        raise UnitElsewhere(
            f"the unit {str(unit)[:100]} does not belong into {repository}", remedy="push it where it belongs"
        )
    if tag and is_release(tag) and tag.replace("_", "+") != version:
        raise TagOtherwise(f"the tag {tag} is not the unit's version, {version}", remedy=f"tag it {version}")
    return Entry(
        "published",
        repository,
        version,
        bundle.digest,
        store.clock.now_ms(),
        title=_text(facts.get("title")),
        license=_text(facts.get("license")),
        by=by,
        requires=required_units(facts),
    )


def _text(value: Any) -> str:
    return value[:200] if isinstance(value, str) else ""


def required_units(facts: Mapping[str, Any]) -> dict[str, str]:
    """Ranges of the units that a ``unit.toml`` says it needs, by their ids; odd shapes are skipped."""
    table = facts.get("requires")
    units = table.get("units") if isinstance(table, dict) else None
    found = list(units.items())[:_MOST_REQUIRED] if isinstance(units, dict) else []
    return {_text(unit): _text(wanted) for unit, wanted in found}
