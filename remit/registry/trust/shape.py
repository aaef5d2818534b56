"""A Sigstore bundle before anything in it is believed: its shape, by the rules of its version, and the times it names.

Source: Sigstore's bundle format (protobuf-specs, ``sigstore_bundle.proto``) and its client specification.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from rfc3161_client import decode_timestamp_response
from sigstore_models.bundle.v1 import Bundle as Document

from remit.errors.signatures import (
    BundleMalformed,
    BundleVersion,
    CertificateMalformed,
    ChainInBundle,
    ContentMissing,
    EntryKind,
    EntryMalformed,
    EntryMissing,
    EnvelopeSignatures,
    MaterialMissing,
    ProofMissing,
    TimestampMalformed,
    TimestampsTooMany,
    TimestampTwice,
)
from remit.registry.trust.strict import read_object

__all__ = ["MAX_BUNDLE", "Shape", "key_hint", "read_bundle"]

MAX_BUNDLE = 4 << 20
"""Bytes of a Sigstore bundle."""
_MOST = 32
"""Log entries, and timestamps."""
_VERSIONS = (
    "application/vnd.dev.sigstore.bundle+json;version=0.1",
    "application/vnd.dev.sigstore.bundle+json;version=0.2",
    "application/vnd.dev.sigstore.bundle+json;version=0.3",
    "application/vnd.dev.sigstore.bundle.v0.3+json",
)
_KINDS = {
    ("hashedrekord", "0.0.1"),
    ("hashedrekord", "0.0.2"),
    ("dsse", "0.0.1"),
    ("intoto", "0.0.2"),
}


class Shape(msgspec.Struct, frozen=True):
    """A bundle that is well formed, and nothing more."""

    document: Document
    certificate: x509.Certificate | None
    """The signer's; ``None`` where the bundle is under a key."""
    stamps: tuple[bytes, ...]
    """Its timestamps, as they came."""
    times: tuple[datetime, ...]
    """When it was signed, by timestamps and by the log's promise, none of them verified."""
    certified: tuple[datetime, ...]
    """When certificate logs saw the certificate, not verified."""


def read_bundle(data: bytes, *, keyed: bool) -> Shape:
    """The bundle that the bytes are.

    :param keyed: whether a key is to verify it, and not a certificate
    :raises Rejected: if it is not well formed
    """
    raw = read_object(data, MAX_BUNDLE, BundleMalformed, "the bundle")
    if raw.get("mediaType") not in _VERSIONS:
        raise BundleVersion(f"the bundle's media type is {str(raw.get('mediaType'))[:100]!r}")
    material = _inner(raw, "verificationMaterial", MaterialMissing)
    _check_content(raw)
    if keyed != isinstance(material.get("publicKey"), dict):
        raise MaterialMissing(f"the bundle is not signed with {'a key' if keyed else 'a certificate'}")
    if not keyed and not any(isinstance(material.get(name), dict) for name in ("certificate", "x509CertificateChain")):
        raise MaterialMissing("the bundle has no certificate")
    _check_entries(material, keyed=keyed)
    material.setdefault("tlogEntries", [])
    if keyed:
        material["publicKey"].setdefault("hint", "")
    try:
        document = Document.from_json(msgspec.json.encode(raw))
    except Exception as error:
        raise _malformed(error) from error
    certificate = None if keyed else _certificate(document)
    stamps = _stamps(document)
    stamped = _times(stamps)
    promised = [
        datetime.fromtimestamp(entry.integrated_time, UTC)
        for entry in document.verification_material.tlog_entries
        if entry.inclusion_promise is not None and entry.integrated_time
    ]
    certified = () if certificate is None else _certified(certificate)
    return Shape(document, certificate, stamps, (*stamped, *promised), certified)


def key_hint(data: bytes) -> str | None:
    """What a bundle says of the key that it was signed with; ``None`` where it has a certificate.

    :raises Rejected: if it is not well formed
    """
    raw = read_object(data, MAX_BUNDLE, BundleMalformed, "the bundle")
    key = _inner(raw, "verificationMaterial", MaterialMissing).get("publicKey")
    return str(key.get("hint", "")) if isinstance(key, dict) else None


def _check_content(raw: dict[str, Any]) -> None:
    message, envelope = raw.get("messageSignature"), raw.get("dsseEnvelope")
    if isinstance(message, dict) == isinstance(envelope, dict):
        raise ContentMissing("the bundle holds neither one signature nor one envelope")
    if isinstance(envelope, dict):
        signatures = envelope.get("signatures")
        if not isinstance(signatures, list) or len(signatures) != 1:
            raise EnvelopeSignatures("the envelope has not exactly one signature")


def _check_entries(material: dict[str, Any], *, keyed: bool) -> None:
    entries = material.get("tlogEntries", [])
    if not isinstance(entries, list) or len(entries) > _MOST or (not keyed and len(entries) != 1):
        raise EntryMissing("the bundle has not exactly one log entry")
    for entry in entries:
        if not isinstance(entry, dict):
            raise EntryMalformed("a log entry is no object")
        kind = entry.get("kindVersion")
        if not isinstance(kind, dict) or (kind.get("kind"), kind.get("version")) not in _KINDS:
            raise EntryKind(f"a log entry is of the kind {str(kind)[:100]}")
        proof = entry.get("inclusionProof")
        if not isinstance(proof, dict) or not isinstance(proof.get("checkpoint"), dict):
            raise ProofMissing("a log entry has no inclusion proof with a checkpoint")


def _inner(raw: dict[str, Any], name: str, missing: type[MaterialMissing]) -> dict[str, Any]:
    found = raw.get(name)
    if not isinstance(found, dict):
        raise missing(f"the bundle has no {name}")
    return found


def _malformed(error: Exception) -> BundleMalformed | EntryMalformed:
    lines = str(error).splitlines()
    if len(lines) > 1 and "tlogEntries" in lines[1]:
        return EntryMalformed("a log entry cannot be read: " + " ".join(lines[1:3])[:200])
    return BundleMalformed("the bundle cannot be read: " + " ".join(lines[:3])[:200])


def _certificate(document: Document) -> x509.Certificate:
    material = document.verification_material
    chain = material.x509_certificate_chain.certificates if material.x509_certificate_chain else []
    raw = [entry.raw_bytes for entry in ([material.certificate] if material.certificate else chain)]
    if not raw:
        raise MaterialMissing("the bundle has no certificate")
    try:
        leaf, *others = [x509.load_der_x509_certificate(data) for data in raw]
        _ = leaf.extensions, leaf.public_bytes(Encoding.DER)
    except Exception as error:
        raise CertificateMalformed(f"the certificate cannot be read: {error}") from error
    if any(other.issuer == other.subject for other in others):
        raise ChainInBundle("the bundle brings a root authority of its own")
    return leaf


def _stamps(document: Document) -> tuple[bytes, ...]:
    found = document.verification_material.timestamp_verification_data
    stamps = tuple(stamp.signed_timestamp for stamp in found.rfc3161_timestamps) if found else ()
    if len(stamps) > _MOST:
        raise TimestampsTooMany(f"the bundle has {len(stamps)} timestamps; {_MOST} are allowed")
    if len(set(stamps)) != len(stamps):
        raise TimestampTwice("the bundle has the same timestamp twice")
    return stamps


def _times(stamps: tuple[bytes, ...]) -> list[datetime]:
    try:
        return [decode_timestamp_response(stamp).tst_info.gen_time for stamp in stamps]
    except Exception as error:
        raise TimestampMalformed(f"a timestamp cannot be read: {error}") from error


def _certified(certificate: x509.Certificate) -> tuple[datetime, ...]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.PrecertificateSignedCertificateTimestamps).value
        return tuple(stamp.timestamp.replace(tzinfo=UTC) for stamp in found)
    except x509.ExtensionNotFound:
        return ()
    except Exception as error:
        raise CertificateMalformed(f"the certificate's timestamp cannot be read: {error}") from error
