"""Signatures under a key that is known by other means: bundles with a hint at a key in place of a certificate. Pure.

What else such a bundle brings, log entries and timestamps, must hold as well; it need not bring any.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from sigstore_models.common.v1 import HashAlgorithm

from remit.errors.signatures import (
    DigestMismatch,
    EnvelopeSignatureInvalid,
    RootEmpty,
    SignatureInvalid,
)
from remit.registry.trust.entries import check_entry
from remit.registry.trust.keys import PublicKey, id_of, read_key, verify_digest, verify_message
from remit.registry.trust.model import Artifact, Signer, Statement, Verified
from remit.registry.trust.statement import check_subject, pae, read_statement
from remit.registry.trust.timestamps import check_timestamps

if TYPE_CHECKING:
    from sigstore_models.common.v1 import HashOutput

    from remit.registry.trust.note import Checkpoint
    from remit.registry.trust.root import Root
    from remit.registry.trust.shape import Shape

__all__ = ["verify_keyed"]

_LONGER = {HashAlgorithm.SHA2_384: hashlib.sha384, HashAlgorithm.SHA2_512: hashlib.sha512}


def verify_keyed(shape: Shape, artifact: Artifact, pem: bytes, root: Root | None) -> Verified:
    """Verify a bundle under a key.

    :raises Rejected: if it is not to be believed
    """
    key = read_key(pem)
    document, material = shape.document, shape.document.verification_material
    envelope, message = document.dsse_envelope, document.message_signature
    statement: Statement | None = None
    if envelope is not None:
        [signed] = envelope.signatures
        signature, about = signed.sig, Artifact.of(pae(envelope.payload_type, envelope.payload))
        assert about.data is not None
        if not verify_message(key, signature, about.data):
            raise EnvelopeSignatureInvalid("the key's signature over the envelope does not hold")
        statement = read_statement(envelope.payload_type, envelope.payload)
        check_subject(statement, artifact)
    else:
        assert message is not None
        signature, about = message.signature, artifact
        if message.message_digest is not None and not _is_digest(message.message_digest, artifact):
            raise DigestMismatch("the bundle was made for an artifact with another digest")
        if not _holds(key, signature, artifact):
            raise SignatureInvalid("the key's signature over the artifact does not hold")
    stamps = shape.stamps
    if (stamps or material.tlog_entries) and root is None:
        raise RootEmpty("the bundle has log entries or timestamps, and no trusted root is given to verify them")
    times = list(shape.times)
    checkpoints: tuple[Checkpoint, ...] = ()
    if root is not None:
        check_timestamps(stamps, signature, root)
        checkpoints = tuple(
            check_entry(entry, times, root, key, signature, about.sha256, envelope) for entry in material.tlog_entries
        )
    signed_at = int(min(times).timestamp() * 1000) if times else None
    return Verified(Signer(key=id_of(key)), signed_at, checkpoints, statement)


def _is_digest(named: HashOutput, artifact: Artifact) -> bool:
    if named.algorithm == HashAlgorithm.SHA2_256:
        return named.digest == artifact.sha256
    other = _LONGER.get(named.algorithm)
    return other is not None and artifact.data is not None and named.digest == other(artifact.data).digest()


def _holds(key: PublicKey, signature: bytes, artifact: Artifact) -> bool:
    if artifact.data is not None:
        return verify_message(key, signature, artifact.data)
    return verify_digest(key, signature, artifact.sha256)
