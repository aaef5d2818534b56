"""Which of our reasons it is that the stock verifier gives: by its words, which no code of its own tells apart.

Words that are not known make a plain ``Rejected``: what is refused stays refused, whatever it says.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.x509 import ExtensionNotFound

from remit.errors.signatures import (
    BundleMalformed,
    CertificateExpired,
    CertificatePurpose,
    CertificateTimestampInvalid,
    CertificateTimestampMissing,
    CertificateUntrusted,
    CertificateUsage,
    CheckpointMalformed,
    CheckpointRoot,
    CheckpointSignature,
    DigestMismatch,
    EntryKind,
    EntryMalformed,
    EntryMismatch,
    EnvelopeSignatureInvalid,
    EnvelopeSignatures,
    LogUnknown,
    MaterialMissing,
    PromiseInvalid,
    ProofInvalid,
    ProofLength,
    Rejected,
    RootEmpty,
    SignatureInvalid,
    TimeMissing,
    TimestampUntrusted,
)

__all__ = ["reason"]

_WORDS: tuple[tuple[str, type[Rejected]], ...] = (
    ("not enough sources of verified time", TimeMissing),
    ("must contain an inclusion promise or signed timestamp", TimeMissing),
    ("no Timestamp Authorities have been provided", TimestampUntrusted),
    ("cert is not valid at validation time", CertificateExpired),
    ("expired at time of signing", CertificateExpired),
    ("failed to build timestamp certificate chain", CertificateUntrusted),
    ("does not contain a signed certificate timestamp", CertificateTimestampMissing),
    ("Expected one certificate timestamp", CertificateTimestampMissing),
    ("SCT", CertificateTimestampInvalid),
    ("Key usage is not", CertificateUsage),
    ("Extended usage does not contain", CertificatePurpose),
    ("inclusion proof has wrong size", ProofLength),
    ("Inclusion proof contains invalid root hash signature", CheckpointRoot),
    ("inclusion proof contains invalid root hash", ProofInvalid),
    ("checkpoint: Signature not found", LogUnknown),
    ("checkpoint: invalid signature", CheckpointSignature),
    ("malformed LogCheckpoint", CheckpointMalformed),
    ("malformed Note", CheckpointMalformed),
    ("note must contain one blank line", CheckpointMalformed),
    ("inclusion promise", PromiseInvalid),
    ("Integrated time only supported", EntryKind),
    ("Unsupported DSSE log entry type", EntryKind),
    ("Unsupported hashedrekord version", EntryKind),
    ("Expected entry type hashedrekord", EntryKind),
    ("Bundle message digest mismatch", DigestMismatch),
    ("Signature is invalid for input", SignatureInvalid),
    ("DSSE: invalid signature", EnvelopeSignatureInvalid),
    ("envelope must contain exactly one signature", EnvelopeSignatures),
    ("envelope signature must be non-empty", EnvelopeSignatures),
    ("inconsistent with other materials", EntryMismatch),
    ("log entry payload hash does not match", EntryMismatch),
    ("log entry signatures do not match", EntryMismatch),
    ("validation error", EntryMalformed),
    ("invalid DSSE log entry", EntryMalformed),
    ("expected certificate", MaterialMissing),
    ("Fulcio certificates not found", RootEmpty),
    ("failed to load bundle", BundleMalformed),
)


def reason(error: Exception, *, enveloped: bool) -> Rejected:
    """What the stock verifier's error means.

    :param enveloped: whether the signature is an envelope's, which may be verified as if it were a message's
    """
    text = " ".join(str(part) for part in error.args) or type(error).__name__
    kind: type[Rejected] = Rejected
    if isinstance(error, ExtensionNotFound):
        kind = CertificateUsage
    elif isinstance(error, InvalidSignature):
        kind = SignatureInvalid
    else:
        kind = next((known for words, known in _WORDS if words in text), Rejected)
    if enveloped and kind is SignatureInvalid:
        kind = EnvelopeSignatureInvalid
    return kind(f"the verifier refuses: {text.splitlines()[0][:300]}")
