"""Bundles that are right but for one thing, made by somebody who holds every key of the domain."""

from __future__ import annotations

import base64
import json

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding

from remit.registry.trust import Artifact
from remit.registry.trust.authority import CertificateMaker
from remit.registry.trust.domain import Domain
from remit.registry.trust.identity import ISSUER_V1, ISSUER_V2
from remit.registry.trust.note import write_note

DIGEST = "2" * 64
ANN = "ann@example.com"
PAST = {"start": "2020-01-01T00:00:00Z", "end": "2021-01-01T00:00:00Z"}


def b64(data):
    return base64.b64encode(data).decode()


def encode(document):
    return json.dumps(document).encode()


def statement(**changes):
    about = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "redact", "digest": {"sha256": Artifact.of(b"the manifest of a unit").sha256.hex()}}],
        "predicateType": "urn:remit:release:v1",
        "predicate": {"id": "acme/redact", "version": "1.2.0", "manifest": f"sha256:{DIGEST}"},
    }
    return encode({key: value for key, value in (about | changes).items() if value is not None})


def put(document, value, *path):
    """The document with something else at a path; ``...`` takes it away."""
    *above, last = path
    inner = document
    for part in above:
        inner = inner[part]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return encode(document)


def entry_of(document):
    return document["verificationMaterial"]["tlogEntries"][0]


def with_envelope(document, text):
    entry_of(document)["inclusionProof"]["checkpoint"]["envelope"] = text
    return encode(document)


def edited(*, without=(), adding=()):
    """An edit of a certificate's extensions."""
    return lambda extensions: [
        *[(value, critical) for value, critical in extensions if not isinstance(value, without)],
        *adding,
    ]


def no_signatures(bits):
    return (
        x509.KeyUsage(
            digital_signature=bits,
            content_commitment=True,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=False,
            crl_sign=False,
            encipher_only=False,
            decipher_only=False,
        ),
        True,
    )


def unnamed(extensions):
    return [
        (value, critical)
        for value, critical in extensions
        if not (isinstance(value, x509.UnrecognizedExtension) and value.oid in (ISSUER_V1, ISSUER_V2))
    ]


def other_maker(forge, **changes):
    known = forge.domain._authority
    parts = {"certificate": known.certificate, "key": known.key, "log": known.log} | changes
    return CertificateMaker(**parts)


def stranger(forge):
    """Another domain by the same name."""
    return Domain.create(forge.domain.folder.with_name("stranger"), "trust.example.com", forge.clock)


def chained(forge):
    document = forge.bundle()
    material = document["verificationMaterial"]
    leaf = material.pop("certificate")
    root = json.loads(forge.domain.trusted_root)["certificateAuthorities"][0]["certChain"]["certificates"][1]
    material["x509CertificateChain"] = {"certificates": [leaf, root]}
    document["mediaType"] = "application/vnd.dev.sigstore.bundle+json;version=0.2"
    return encode(document)


def repeated(forge):
    text = encode(forge.bundle()).decode()
    return text.replace('{"mediaType":', '{"mediaType": "x", "mediaType":', 1).encode()


def several_timestamps(forge, count):
    document = forge.bundle()
    stamps = document["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"]
    stamps *= count
    return encode(document)


def promised(forge):
    document = forge.bundle()
    entry = entry_of(document)
    entry["integratedTime"] = str(forge.clock.now_ms() // 1000)
    entry["inclusionPromise"] = {"signedEntryTimestamp": b64(b"0" * 64)}
    entry["kindVersion"] = {"kind": "hashedrekord", "version": "0.0.1"}
    return encode(document)


def other_state(forge):
    """A checkpoint that the log signed, of another state than the proof's."""
    document = forge.bundle()
    log = forge.domain.log
    return with_envelope(document, write_note(log.origin, 1, b"\1" * 32, log.id, log._key.sign))


def checkpoint_of_another_log(forge):
    document = forge.bundle()
    log = forge.domain.log
    return with_envelope(document, write_note(log.origin, 1, log.root(1), b"else", log._key.sign))


def checkpoint_by_another_key(forge):
    document = forge.bundle()
    log = forge.domain.log
    key = ed25519.Ed25519PrivateKey.generate()
    return with_envelope(document, write_note(log.origin, 1, log.root(1), log.id, key.sign))


def entry_of_another(forge):
    """The entry of another signature, put in place of its own (CVE-2022-36056)."""
    document, other = forge.bundle(), forge.bundle(key=ec.generate_private_key(ec.SECP256R1()))
    document["verificationMaterial"]["tlogEntries"] = other["verificationMaterial"]["tlogEntries"]
    return encode(document)


def edwards(forge):
    key = ed25519.Ed25519PrivateKey.generate()
    certificate = forge.certificate(key)
    document = forge.bundle()
    document["verificationMaterial"]["certificate"]["rawBytes"] = b64(certificate.public_bytes(Encoding.DER))
    return encode(document)
