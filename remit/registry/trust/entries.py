"""Log entries of bundles under a key: whether a trusted log holds one, and whether it is about this signature. Pure.

The stock verifier knows entries of certificates only.

Source: Rekor's entry kinds ``hashedrekord``, ``dsse`` and ``intoto``; the client specification of Sigstore.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import rfc8785

from remit.errors.signatures import (
    CheckpointRoot,
    CheckpointSignature,
    EntryMalformed,
    EntryMismatch,
    KeyUnsuitable,
    LogUnknown,
    PromiseInvalid,
    ProofInvalid,
    ProofLength,
)
from remit.registry.trust.keys import PublicKey, read_key, read_raw_key, spki, verify_message
from remit.registry.trust.merkle import leaf_hash, proof_length, root_of_proof
from remit.registry.trust.note import Checkpoint, read_note
from remit.registry.trust.strict import read_object

if TYPE_CHECKING:
    from sigstore_models.intoto import Envelope
    from sigstore_models.rekor.v1 import TransparencyLogEntry

    from remit.registry.trust.root import Root

__all__ = ["check_entry"]

_MAX_BODY = 1 << 20


def check_entry(
    entry: TransparencyLogEntry,
    times: Sequence[datetime],
    root: Root,
    key: PublicKey,
    signature: bytes,
    digest: bytes,
    envelope: Envelope | None,
) -> Checkpoint:
    """Hold a log entry to the log, and to the signature that it must be about.

    :param digest: SHA-256 of what was signed: the artifact, or the envelope's bytes
    :raises Rejected: if the log does not show it, or it is about something else
    """
    log_key = _log_key(entry, root, times)
    proof = entry.inclusion_proof
    assert proof.checkpoint is not None
    note = read_note(proof.checkpoint.envelope)
    hint = entry.log_id.key_id[:4]
    signed = [data for _, known, data in note.signatures if known == hint]
    if not signed:
        raise LogUnknown("the checkpoint is not signed by the log that the entry names")
    if not any(verify_message(log_key, data, note.text) for data in signed):
        raise CheckpointSignature("the log's signature on the checkpoint does not hold")
    if note.root != proof.root_hash or note.size != proof.tree_size:
        raise CheckpointRoot("the checkpoint is of another log state than the proof")
    if len(proof.hashes) != proof_length(proof.log_index, proof.tree_size):
        raise ProofLength(f"the inclusion proof has {len(proof.hashes)} hashes")
    leaf = leaf_hash(entry.canonicalized_body)
    if root_of_proof(leaf, proof.log_index, proof.tree_size, proof.hashes) != proof.root_hash:
        raise ProofInvalid("the inclusion proof does not lead to its root")
    _check_promise(entry, log_key)
    _check_body(entry, key, signature, digest, envelope)
    return Checkpoint(note.origin, note.size, note.root.hex())


def _log_key(entry: TransparencyLogEntry, root: Root, times: Sequence[datetime]) -> PublicKey:
    for log in root.logs(times):
        ids = {log.log_id.key_id, log.checkpoint_key_id.key_id if log.checkpoint_key_id else log.log_id.key_id}
        if entry.log_id.key_id in ids and log.public_key.raw_bytes is not None:
            return read_raw_key(log.public_key.raw_bytes)
    raise LogUnknown("the entry is of a log that is not trusted")


def _check_promise(entry: TransparencyLogEntry, log_key: PublicKey) -> None:
    if entry.inclusion_promise is None:
        return
    promised = rfc8785.dumps(
        {
            "body": base64.b64encode(entry.canonicalized_body).decode(),
            "integratedTime": entry.integrated_time or 0,
            "logID": entry.log_id.key_id.hex(),
            "logIndex": entry.log_index,
        }
    )
    if not verify_message(log_key, entry.inclusion_promise.signed_entry_timestamp, promised):
        raise PromiseInvalid("the log's promise to include the entry does not hold")


def _check_body(
    entry: TransparencyLogEntry, key: PublicKey, signature: bytes, digest: bytes, envelope: Envelope | None
) -> None:
    body = read_object(entry.canonicalized_body, _MAX_BODY, EntryMalformed, "the log entry")
    kind = entry.kind_version
    if (body.get("kind"), body.get("apiVersion")) != (kind.kind, kind.version):
        raise EntryMismatch("the log entry is of another kind than it says")
    try:
        about, signer, signed = _READERS[kind.kind, kind.version](body["spec"])
    except (KeyError, TypeError, ValueError, IndexError, binascii.Error, AttributeError, KeyUnsuitable) as error:
        raise EntryMalformed(f"the log entry cannot be read: {type(error).__name__}") from error
    wanted = digest if envelope is None or kind.kind == "hashedrekord" else hashlib.sha256(envelope.payload).digest()
    if about != wanted or spki(signer) != spki(key) or signed != signature:
        raise EntryMismatch("the log entry is about another signature")


_Read = tuple[bytes, PublicKey, bytes]


def _decode(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _hex_digest(found: dict[str, str]) -> bytes:
    if found["algorithm"] != "sha256":
        raise ValueError(found["algorithm"])
    return bytes.fromhex(found["value"])


def _hashedrekord_1(spec: dict[str, Any]) -> _Read:
    signed = spec["signature"]
    return (
        _hex_digest(spec["data"]["hash"]),
        read_key(_decode(signed["publicKey"]["content"])),
        _decode(signed["content"]),
    )


def _hashedrekord_2(spec: dict[str, Any]) -> _Read:
    inner = spec["hashedRekordV002"]
    if inner["data"]["algorithm"] != "SHA2_256":
        raise ValueError(inner["data"]["algorithm"])
    signed = inner["signature"]
    key = read_raw_key(_decode(signed["verifier"]["publicKey"]["rawBytes"]))
    return _decode(inner["data"]["digest"]), key, _decode(signed["content"])


def _dsse_1(spec: dict[str, Any]) -> _Read:
    [signed] = spec["signatures"]
    return _hex_digest(spec["payloadHash"]), read_key(_decode(signed["verifier"])), _decode(signed["signature"])


def _intoto_2(spec: dict[str, Any]) -> _Read:
    content = spec["content"]
    [signed] = content["envelope"]["signatures"]
    # Signatures stand there in Base64 of Base64.
    return (
        _hex_digest(content["payloadHash"]),
        read_key(_decode(signed["publicKey"])),
        _decode(_decode(signed["sig"]).decode()),
    )


_READERS = {
    ("hashedrekord", "0.0.1"): _hashedrekord_1,
    ("hashedrekord", "0.0.2"): _hashedrekord_2,
    ("dsse", "0.0.1"): _dsse_1,
    ("intoto", "0.0.2"): _intoto_2,
}
