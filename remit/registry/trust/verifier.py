"""Whether a signature is to be believed. Pure: bytes in; :class:`Verified`, or one ``Rejected``, out. No network.

The stock verifier does the cryptography of certificates; what it leaves out is done here: keys count only in their
time, logs may not contradict what they showed before, and a statement is held to its version and subject. Whatever goes
wrong in any library on the way is a ``Rejected`` too.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

from cryptography.hazmat.primitives.asymmetric import ec
from sigstore.hashes import Hashed
from sigstore.models import Bundle
from sigstore.verify import Verifier
from sigstore_models.common.v1 import HashAlgorithm, MessageSignature

from remit.errors import RemitError
from remit.errors.signatures import (
    KeyUnsuitable,
    LogForked,
    Rejected,
)
from remit.registry.trust.identity import Signatory
from remit.registry.trust.keyed import verify_keyed
from remit.registry.trust.model import Artifact, Identity, Verified
from remit.registry.trust.note import Checkpoint, read_note
from remit.registry.trust.reasons import reason
from remit.registry.trust.shape import Shape, read_bundle
from remit.registry.trust.statement import check_subject, pae, read_statement
from remit.registry.trust.timestamps import check_timestamps

if TYPE_CHECKING:
    from sigstore.models import TrustedRoot

    from remit.registry.trust.root import Root

__all__ = ["verify_identity", "verify_key"]

T = TypeVar("T")


def verify_identity(
    data: bytes,
    artifact: Artifact,
    root: Root,
    identity: Identity | None = None,
    seen: Iterable[Checkpoint] = (),
) -> Verified:
    """Verify a Sigstore bundle under a certificate.

    :param identity: who must have signed; with ``None`` the answer says who did, and the caller must judge that
    :param seen: states that logs showed before
    :raises Rejected: if it is not to be believed
    """
    return _guarded(lambda: _verify_identity(data, artifact, root, identity, tuple(seen)))


def verify_key(
    data: bytes, artifact: Artifact, key: bytes, root: Root | None = None, seen: Iterable[Checkpoint] = ()
) -> Verified:
    """Verify a Sigstore bundle under a key that is known by other means.

    :param key: the public key, PEM
    :param root: for log entries and timestamps, which are verified where the bundle has them
    :raises Rejected: if it is not to be believed
    """

    def verify() -> Verified:
        shape = read_bundle(data, keyed=True)
        found = verify_keyed(shape, artifact, key, root)
        _check_history(found.checkpoints, seen)
        return found

    return _guarded(verify)


def _verify_identity(
    data: bytes, artifact: Artifact, root: Root, identity: Identity | None, seen: tuple[Checkpoint, ...]
) -> Verified:
    shape = read_bundle(data, keyed=False)
    certificate = shape.certificate
    assert certificate is not None
    if not isinstance(certificate.public_key(), ec.EllipticCurvePublicKey):
        raise KeyUnsuitable("the certificate's key is not of an elliptic curve")
    envelope, message = shape.document.dsse_envelope, shape.document.message_signature
    statement = None
    if envelope is not None:
        statement = read_statement(envelope.payload_type, envelope.payload)
        check_subject(statement, artifact)
    trusted = root.at(shape.times, shape.certified)
    signature = envelope.signatures[0].sig if envelope is not None else message.signature if message else b""
    check_timestamps(shape.stamps, signature, root)
    signatory = Signatory(identity)
    try:
        _stock(data, shape, artifact, trusted, signatory)
    except RemitError:
        raise
    except Exception as error:
        raise reason(error, enveloped=envelope is not None) from error
    assert signatory.signer is not None
    checkpoints = (_checkpoint(shape),)
    _check_history(checkpoints, seen)
    return Verified(signatory.signer, int(min(shape.times).timestamp() * 1000), checkpoints, statement)


def _stock(data: bytes, shape: Shape, artifact: Artifact, trusted: TrustedRoot, signatory: Signatory) -> None:
    """Everything that the stock verifier verifies."""
    verifier = Verifier(trusted_root=trusted)
    envelope = shape.document.dsse_envelope
    [entry] = shape.document.verification_material.tlog_entries
    if envelope is None:
        verifier.verify_artifact(_hashed(artifact), Bundle.from_json(data), signatory)
    elif entry.kind_version.kind == "hashedrekord":
        # Such an entry is about the bytes that the envelope's signature is over, as if they were an artifact: that is
        # how the specification describes it, and the stock verifier knows only one version of it for envelopes.
        message = MessageSignature(signature=base64.b64encode(envelope.signatures[0].sig))
        same = shape.document.model_copy(update={"dsse_envelope": None, "message_signature": message})
        signed = Artifact.of(pae(envelope.payload_type, envelope.payload))
        verifier.verify_artifact(_hashed(signed), Bundle.from_json(same.to_json()), signatory)
    else:
        verifier.verify_dsse(Bundle.from_json(data), signatory)


def _hashed(artifact: Artifact) -> Hashed:
    return Hashed(algorithm=HashAlgorithm.SHA2_256, digest=artifact.sha256)


def _checkpoint(shape: Shape) -> Checkpoint:
    """The checkpoint that the stock verifier verified."""
    proof = shape.document.verification_material.tlog_entries[0].inclusion_proof
    assert proof.checkpoint is not None
    note = read_note(proof.checkpoint.envelope)
    return Checkpoint(note.origin, note.size, note.root.hex())


def _check_history(shown: Iterable[Checkpoint], seen: Iterable[Checkpoint]) -> None:
    known = {(checkpoint.origin, checkpoint.size): checkpoint.root for checkpoint in seen}
    for checkpoint in shown:
        if known.get((checkpoint.origin, checkpoint.size), checkpoint.root) != checkpoint.root:
            raise LogForked(f"the log {checkpoint.origin} showed another state of {checkpoint.size} entries before")


def _guarded(verify: Callable[[], T]) -> T:
    """Whatever a library raises about what it was given means that this is not to be believed."""
    try:
        return verify()
    except Rejected:
        raise
    except Exception as error:
        raise Rejected(f"it cannot be verified: {type(error).__name__}: {str(error)[:200]}") from error
