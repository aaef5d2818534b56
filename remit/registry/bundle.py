"""The bundle: a unit's files, the OCI manifest that names them, and the digest that is the unit's identity.

Packing is a pure function of the files: the same files give the same bytes and the same digest, on any machine. Whether
they make a good unit is for others to judge; here only names, sizes and digests count.

Sources: OCI image specification 1.1 (manifest with ``artifactType``), and the CNCF guidance for Wasm OCI artifacts
(https://tag-runtime.cncf.io/wgs/wasm/deliverables/wasm-oci-artifact/).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import rfc8785

from remit.errors.refusals import (
    BundleChanged,
    BundleUnnamed,
    FilesTooLarge,
    FilesTooMany,
    FileTooLarge,
    LayersTooMany,
    LayersUnnamed,
    LayerTooLarge,
    NameBelowFile,
    NameForbidden,
    NamesAlike,
)
from remit.kernel.model import Bundle
from remit.registry.oci import IMAGE_MANIFEST, TITLE, referrer_manifest, sha256
from remit.schemas import formats

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from remit.kernel.model import Referrer
    from remit.registry.oci import Descriptor, Manifest

__all__ = ["MAX_FILE", "MAX_FILES", "MAX_TOTAL", "config_of", "layer_order", "layers_by_name", "pack", "verify"]

MAX_FILES = 256
MAX_FILE = 64 << 20
"""Bytes of one file."""
MAX_TOTAL = 128 << 20
"""Bytes of all files together."""

MANIFEST = "unit.toml"
_MAX_NAME = 200
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*")
_WASM_MAGIC = b"\0asm"
_CONFIG = "application/vnd.wasm.config.v0+json"
_MEDIA_TYPES = {"json": "application/json", "md": "text/markdown", "toml": "application/toml"}


def pack(
    files: Mapping[str, bytes],
    *,
    origin: str = "",
    local: bool = False,
    referrers: Sequence[Referrer] = (),
) -> Bundle:
    """Make a bundle of these files.

    :param files: contents by relative name; ``unit.toml`` is among them
    :param origin: where it came from, for people
    :param local: whether it is a folder of this machine
    :param referrers: what travels beside it
    :raises BundleInvalid: if a name or size is beyond the format, or ``unit.toml`` is not there
    """
    _check(files)
    ordered = {name: bytes(files[name]) for name in layer_order(files)}
    config = config_of(ordered)
    manifest = rfc8785.dumps(
        {
            "schemaVersion": 2,
            "mediaType": IMAGE_MANIFEST,
            "artifactType": formats.BUNDLE,
            "config": {"mediaType": _CONFIG, "digest": sha256(config), "size": len(config)},
            "layers": [_layer(name, data) for name, data in ordered.items()],
        }
    )
    return Bundle(
        digest=sha256(manifest),
        oci_manifest=manifest,
        files=ordered,
        origin=origin,
        local=local,
        referrers=tuple(sorted(referrers, key=lambda referrer: sha256(referrer_manifest(manifest, referrer)))),
    )


def verify(bundle: Bundle) -> None:
    """Check that a bundle's digest, manifest and files belong together.

    :raises BundleInvalid: if one of them was changed
    """
    again = pack(bundle.files)
    if again.oci_manifest != bundle.oci_manifest or again.digest != bundle.digest:
        raise BundleChanged("the bundle's files are not what its digest says")


def layers_by_name(manifest: Manifest) -> dict[str, Descriptor]:
    """The layers by file name, within the limits of a bundle: nothing is fetched that could not be one.

    :raises NotAUnit: if a layer has no name, two have the same, or they are too many or too large
    """
    layers = manifest.layers
    named = {layer.annotations.get(TITLE, ""): layer for layer in layers}
    if "" in named or len(named) != len(layers):
        raise LayersUnnamed("the manifest's files have no names, or the same one twice")
    if len(layers) > MAX_FILES or sum(layer.size for layer in layers) > MAX_TOTAL:
        raise LayersTooMany("the manifest names more than a unit may hold")
    if any(layer.size > MAX_FILE for layer in layers):
        raise LayerTooLarge("the manifest names a file that is larger than a unit's may be")
    return named


def layer_order(files: Mapping[str, bytes]) -> list[str]:
    """The order of layers: WebAssembly first, as registries expect, then by name."""
    return sorted(files, key=lambda name: (not files[name].startswith(_WASM_MAGIC), name))


def config_of(ordered: Mapping[str, bytes]) -> bytes:
    """The OCI config blob; it follows from the files, so it is never stored with them."""
    digests = [sha256(data) for data in ordered.values()]
    return rfc8785.dumps({"architecture": "wasm", "os": "wasip2", "layerDigests": digests})


def _layer(name: str, data: bytes) -> dict[str, Any]:
    return {
        "mediaType": _media_type(name, data),
        "digest": sha256(data),
        "size": len(data),
        "annotations": {TITLE: name},
    }


def _media_type(name: str, data: bytes) -> str:
    if data.startswith(_WASM_MAGIC):
        return "application/wasm"
    return _MEDIA_TYPES.get(name.rpartition(".")[2], "application/octet-stream")


def _check(files: Mapping[str, bytes]) -> None:
    if MANIFEST not in files:
        raise BundleUnnamed(f"the bundle has no {MANIFEST}")
    if len(files) > MAX_FILES:
        raise FilesTooMany(f"the bundle has {len(files)} files; {MAX_FILES} are allowed")
    for name, data in files.items():
        if len(name) > _MAX_NAME or not _NAME.fullmatch(name):
            raise NameForbidden(
                f"{name[:_MAX_NAME]!r} cannot be a file of a bundle",
                remedy="use letters, digits, '_', '-' and '.', with '/' between folders; no part begins with a dot",
            )
        if len(data) > MAX_FILE:
            raise FileTooLarge(f"{name} has {len(data)} bytes; {MAX_FILE} are allowed")
    total = sum(map(len, files.values()))
    if total > MAX_TOTAL:
        raise FilesTooLarge(f"the bundle has {total} bytes; {MAX_TOTAL} are allowed")
    _check_collisions(files)


def _check_collisions(files: Mapping[str, bytes]) -> None:
    """No two names that some file system takes for one, and no file that is another's folder."""
    by_fold: dict[str, str] = {}
    for name in files:
        other = by_fold.setdefault(name.casefold(), name)
        if other != name:
            raise NamesAlike(f"{name} and {other} differ in case only")
    for folded, name in by_fold.items():
        parts = folded.split("/")
        for end in range(1, len(parts)):
            if "/".join(parts[:end]) in by_fold:
                raise NameBelowFile(f"{name} lies below a file of the bundle")
