"""The JSON of the OCI image specification that Remit reads and writes: descriptors, manifests, indexes.

Reading is strict about what is used and blind to the rest; every failure is one error. Nothing here does I/O.

Source: OCI image specification 1.1, ``manifest.md`` and ``image-index.md``; Sigstore's bundle specification
(https://github.com/sigstore/cosign/blob/main/specs/BUNDLE_SPEC.md) for how a signature refers to its subject.
"""

from __future__ import annotations

import hashlib
import re
from typing import TypeVar

import msgspec
import rfc8785

from remit.errors import NotAUnit
from remit.errors.refusals import (
    DescriptorInvalid,
    JsonMalformed,
    ManifestKind,
)
from remit.kernel.model import Referrer
from remit.schemas import formats

__all__ = [
    "IMAGE_INDEX",
    "IMAGE_MANIFEST",
    "MAX_MANIFEST",
    "MAX_REFERRER",
    "MAX_REFERRERS",
    "SIGNATURE",
    "TITLE",
    "Descriptor",
    "Index",
    "Manifest",
    "is_digest",
    "read_index",
    "read_json",
    "read_manifest",
    "read_unit",
    "referrer_manifest",
    "sha256",
]

IMAGE_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
IMAGE_INDEX = "application/vnd.oci.image.index.v1+json"
SIGNATURE = "application/vnd.dev.sigstore.bundle.v0.3+json"
EMPTY = "application/vnd.oci.empty.v1+json"
TITLE = "org.opencontainers.image.title"
MAX_MANIFEST = 256 << 10
"""Bytes of a manifest or an index."""
MAX_REFERRER = 4 << 20
"""Bytes of one referrer's contents."""
MAX_REFERRERS = 16
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_EMPTY_BLOB = b"{}"
T = TypeVar("T")


class Descriptor(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A reference to content: its type, digest and size in bytes."""

    media_type: str
    digest: str
    size: int
    annotations: dict[str, str] = {}
    artifact_type: str = ""


class Manifest(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """An OCI image manifest."""

    schema_version: int
    config: Descriptor
    layers: tuple[Descriptor, ...]
    media_type: str = ""
    artifact_type: str = ""
    subject: Descriptor | None = None
    annotations: dict[str, str] = {}


class Index(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """An OCI image index: a list of manifests."""

    schema_version: int
    manifests: tuple[Descriptor, ...]
    media_type: str = ""


def sha256(data: bytes) -> str:
    """``sha256:…`` of some bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def is_digest(text: str) -> bool:
    """Whether a text is a digest of the one algorithm that is used here."""
    return _DIGEST.fullmatch(text) is not None


def read_json(data: bytes, kind: type[T], what: str) -> T:
    """JSON from outside as a struct.

    :raises ReplyInvalid: if it is not JSON, too deep, or of another shape
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise JsonMalformed(f"{what} is not what it should be: {error}") from error


def read_manifest(data: bytes) -> Manifest:
    """A manifest from outside.

    :raises ReplyInvalid: if it does not follow the specification
    """
    manifest = read_json(data, Manifest, "the manifest")
    if manifest.schema_version != 2 or manifest.media_type not in ("", IMAGE_MANIFEST):  # noqa: PLR2004 - OCI's version
        raise ManifestKind("the manifest is not an OCI image manifest", remedy="name a unit, not an index or an image")
    for entry in (manifest.config, *manifest.layers, *([manifest.subject] if manifest.subject else [])):
        _check(entry)
    return manifest


def read_unit(data: bytes) -> Manifest:
    """The manifest of a unit.

    :raises NotAUnit: if it is the manifest of something else
    :raises ReplyInvalid: if it does not follow the specification
    """
    manifest = read_manifest(data)
    if manifest.artifact_type != formats.BUNDLE:
        raise NotAUnit(f"that is a {manifest.artifact_type[:80] or 'container image'}, not a unit")
    return manifest


def read_index(data: bytes) -> Index:
    """An index from outside.

    :raises ReplyInvalid: if it does not follow the specification
    """
    index = read_json(data, Index, "the index")
    for entry in index.manifests:
        _check(entry)
    return index


def referrer_manifest(subject: bytes, referrer: Referrer) -> bytes:
    """The manifest that attaches a referrer to the unit whose manifest ``subject`` is; always the same bytes."""
    data = referrer.data
    return rfc8785.dumps(
        {
            "schemaVersion": 2,
            "mediaType": IMAGE_MANIFEST,
            "artifactType": referrer.artifact_type,
            "config": {"mediaType": EMPTY, "digest": sha256(_EMPTY_BLOB), "size": len(_EMPTY_BLOB)},
            "layers": [{"mediaType": referrer.artifact_type, "digest": sha256(data), "size": len(data)}],
            "subject": {"mediaType": IMAGE_MANIFEST, "digest": sha256(subject), "size": len(subject)},
        }
    )


def _check(entry: Descriptor) -> None:
    if not is_digest(entry.digest) or entry.size < 0:
        raise DescriptorInvalid(f"{entry.digest[:80]!r} is no digest, or its size no size")
