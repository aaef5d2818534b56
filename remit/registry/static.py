"""A registry as plain files, which any web server can give out: reading works, writing does not.

The paths are those of the OCI distribution specification, so the client needs to know nothing of it. Digests protect
the contents; against an old copy of the whole, the keeper attests them (:mod:`remit.registry.attest`).
"""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec

from remit.errors import StoreInvalid
from remit.kernel.ports import Progress, no_progress
from remit.registry.attest import Attester
from remit.registry.index import fold, read_log
from remit.registry.oci import IMAGE_MANIFEST, MAX_MANIFEST, read_manifest
from remit.registry.store import Store

__all__ = ["export"]


def export(store: Store, target: Path, progress: Progress = no_progress, *, attester: Attester | None = None) -> int:
    """Write every tagged manifest of a registry, what it names and what refers to it; gives the number of tags.

    :param target: a folder that is empty or not there; a copy is made whole and not brought up to date
    :param attester: says beside it what is offered, and until when that may be believed
    :raises StoreInvalid: if it holds something, or contents of the registry were changed
    """
    if target.exists() and any(target.iterdir()):
        raise StoreInvalid(f"{target} is not empty", remedy="name an empty folder")
    repositories = list(store.repositories())
    written = 0
    for index, repository in enumerate(repositories):
        progress(f"exporting {repository}", index / len(repositories))
        place = target / "v2" / repository
        tags = store.tags(repository)
        for tag in tags:
            digest = store.tagged(repository, tag)
            _write(place / "manifests" / tag, store.read(digest, MAX_MANIFEST))
            _manifest(store, repository, digest, place)
        _write(place / "tags" / "list", msgspec.json.encode({"name": repository, "tags": tags}))
        written += len(tags)
    path = store.log_path
    log = path.read_bytes() if path.exists() else b""
    if attester is not None:
        attester.attest(target, log, _listed(store, log))
    # Last, as when publishing: what is listed is there.
    _write(target / "units.jsonl", log)
    return written


def _listed(store: Store, log: bytes) -> dict[str, dict[str, bytes]]:
    """The manifest of every version in the list, by unit and version."""
    return {
        offer.id: {release.version: store.read(release.digest, MAX_MANIFEST) for release in offer.releases}
        for offer in fold(read_log(log)).values()
    }


def _manifest(store: Store, repository: str, digest: str, place: Path) -> None:
    """A manifest by its digest, its blobs, and all that refers to it."""
    data = store.read(digest, MAX_MANIFEST)
    _write(place / "manifests" / digest, data)
    if store.manifest_type(repository, digest) != IMAGE_MANIFEST:
        return
    manifest = read_manifest(data)
    for blob in (manifest.config, *manifest.layers):
        copied = place / "blobs" / blob.digest
        if not copied.exists():
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(store.blob_path(blob.digest), copied)
    index = store.referrers(repository, digest)
    _write(place / "referrers" / digest, msgspec.json.encode(index))
    for entry in index.manifests:
        if not (place / "manifests" / entry.digest).exists():
            _manifest(store, repository, entry.digest, place)


def _write(place: Path, data: bytes) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
