"""Why a signature is not believed: RM-22xx. One class a reason, all of them :class:`Rejected`.

Callers that only want to know whether to believe catch :class:`Rejected`. The reasons are not part of the package's
face: whoever raises one imports this module.
"""

from __future__ import annotations

from remit.errors.base import RemitError

__all__ = [
    "AuthorityRetired",
    "BundleMalformed",
    "BundleTooDeep",
    "BundleTooLarge",
    "BundleVersion",
    "CertificateExpired",
    "CertificateLogRetired",
    "CertificateMalformed",
    "CertificatePurpose",
    "CertificateTimestampInvalid",
    "CertificateTimestampMissing",
    "CertificateUntrusted",
    "CertificateUsage",
    "ChainInBundle",
    "CheckpointMalformed",
    "CheckpointRoot",
    "CheckpointSignature",
    "ContentMissing",
    "DigestMismatch",
    "EntryKind",
    "EntryMalformed",
    "EntryMismatch",
    "EntryMissing",
    "EnvelopeSignatureInvalid",
    "EnvelopeSignatures",
    "IdentityMismatch",
    "IdentityMissing",
    "IssuerMismatch",
    "KeyTwice",
    "KeyUnknown",
    "KeyUnsuitable",
    "LogForked",
    "LogRetired",
    "LogUnknown",
    "MaterialMissing",
    "PayloadType",
    "PredicateMalformed",
    "PredicateType",
    "PromiseInvalid",
    "ProofInvalid",
    "ProofLength",
    "ProofMissing",
    "Rejected",
    "ReleaseId",
    "ReleaseManifest",
    "ReleaseVersion",
    "RootEmpty",
    "RootMalformed",
    "RootMissing",
    "SignatureInvalid",
    "SignatureMissing",
    "SignerRetired",
    "StatementMalformed",
    "StatementType",
    "SubjectCount",
    "SubjectMissing",
    "TimeMissing",
    "TimestampAuthorityRetired",
    "TimestampMalformed",
    "TimestampTwice",
    "TimestampUntrusted",
    "TimestampsTooMany",
]


class Rejected(RemitError, code="RM-2200", remedy="do not use it; ask its publisher"):
    """A signature is not believed, for a reason that has no code of its own."""


# ---- the bundle as a document ----


class BundleMalformed(Rejected, code="RM-2201"):
    """It is not the JSON of a Sigstore bundle."""


class BundleTooLarge(Rejected, code="RM-2202"):
    """It has more bytes than a bundle may."""


class BundleTooDeep(Rejected, code="RM-2203"):
    """It nests deeper than a bundle may."""


class KeyTwice(Rejected, code="RM-2204"):
    """An object of it names a key twice."""


class BundleVersion(Rejected, code="RM-2205"):
    """Its media type is of no version that is known."""


class MaterialMissing(Rejected, code="RM-2206"):
    """It holds no certificate, or no hint at a key where one is to verify it."""


class ContentMissing(Rejected, code="RM-2207"):
    """It holds neither a message signature nor an envelope, or both."""


class CertificateMalformed(Rejected, code="RM-2208"):
    """Its certificate is not an X.509 certificate that can be read."""


# ---- the envelope and its statement ----


class EnvelopeSignatures(Rejected, code="RM-2210"):
    """The envelope has not exactly one signature."""


class PayloadType(Rejected, code="RM-2211"):
    """The envelope's payload is no in-toto statement."""


class StatementMalformed(Rejected, code="RM-2212"):
    """The statement is not what in-toto describes."""


class StatementType(Rejected, code="RM-2213"):
    """The statement is of no version that is known."""


class PredicateType(Rejected, code="RM-2214"):
    """The statement says something else than that this is a unit's release."""


class PredicateMalformed(Rejected, code="RM-2215"):
    """The predicate lacks what a release says, or says more."""


class SubjectMissing(Rejected, code="RM-2216"):
    """The statement is about something else."""


class SubjectCount(Rejected, code="RM-2217"):
    """A release is about exactly one thing."""


class ReleaseId(Rejected, code="RM-2218"):
    """The release is of a unit by another id."""


class ReleaseVersion(Rejected, code="RM-2219"):
    """The release is of another version."""


class ReleaseManifest(Rejected, code="RM-2220"):
    """The release is of another ``unit.toml``."""


# ---- the signature ----


class SignatureInvalid(Rejected, code="RM-2221"):
    """The signature over the artifact does not hold."""


class EnvelopeSignatureInvalid(Rejected, code="RM-2222"):
    """The signature over the envelope does not hold."""


class DigestMismatch(Rejected, code="RM-2223"):
    """The bundle was made for an artifact with another digest."""


class KeyUnsuitable(Rejected, code="RM-2224"):
    """The key cannot make the signatures that are asked for."""


class KeyUnknown(Rejected, code="RM-2225"):
    """The bundle names a key that is not the one to verify it with."""


# ---- the certificate ----


class CertificateUntrusted(Rejected, code="RM-2230"):
    """No trusted authority issued the certificate."""


class CertificateExpired(Rejected, code="RM-2231"):
    """The certificate was not valid when the signature was made."""


class CertificateUsage(Rejected, code="RM-2232"):
    """The certificate is not for signatures."""


class CertificatePurpose(Rejected, code="RM-2233"):
    """The certificate is not for signing code."""


class CertificateTimestampMissing(Rejected, code="RM-2234"):
    """The certificate has not exactly one timestamp of a certificate log."""


class CertificateTimestampInvalid(Rejected, code="RM-2235"):
    """The certificate log's timestamp does not hold."""


class ChainInBundle(Rejected, code="RM-2236"):
    """The bundle brings an authority of its own."""


# ---- who signed ----


class IdentityMismatch(Rejected, code="RM-2240"):
    """Somebody else signed it."""


class IssuerMismatch(Rejected, code="RM-2241"):
    """Another identity provider vouched for the signer."""


class IdentityMissing(Rejected, code="RM-2242"):
    """The certificate names nobody, or not who vouched for them."""


# ---- when it was signed ----


class TimeMissing(Rejected, code="RM-2250"):
    """Nothing that is trusted says when it was signed."""


class TimestampMalformed(Rejected, code="RM-2251"):
    """A timestamp cannot be read."""


class TimestampUntrusted(Rejected, code="RM-2252"):
    """No trusted authority made the timestamp, or it is for another signature."""


class TimestampTwice(Rejected, code="RM-2253"):
    """The same timestamp stands there twice."""


class TimestampsTooMany(Rejected, code="RM-2254"):
    """There are more timestamps than may be."""


class AuthorityRetired(Rejected, code="RM-2255"):
    """The certificate authority was not trusted at the time of signing."""


class LogRetired(Rejected, code="RM-2256"):
    """The transparency log's key was not trusted at the time of signing."""


class CertificateLogRetired(Rejected, code="RM-2257"):
    """The certificate log's key was not trusted when it vouched."""


class TimestampAuthorityRetired(Rejected, code="RM-2258"):
    """The timestamp authority was not trusted at the time it names."""


# ---- the transparency log ----


class EntryMissing(Rejected, code="RM-2260"):
    """The bundle has not exactly one log entry."""


class EntryKind(Rejected, code="RM-2261"):
    """The log entry is of a kind that is not known."""


class EntryMismatch(Rejected, code="RM-2262"):
    """The log entry is about something else."""


class EntryMalformed(Rejected, code="RM-2263"):
    """The log entry cannot be read."""


class ProofMissing(Rejected, code="RM-2264"):
    """The log entry comes without an inclusion proof and its checkpoint."""


class ProofLength(Rejected, code="RM-2265"):
    """The inclusion proof has another length than its place in the log wants."""


class ProofInvalid(Rejected, code="RM-2266"):
    """The inclusion proof does not lead to its root."""


class CheckpointMalformed(Rejected, code="RM-2267"):
    """The checkpoint is no signed note."""


class CheckpointRoot(Rejected, code="RM-2268"):
    """The checkpoint is of another log state than the proof."""


class CheckpointSignature(Rejected, code="RM-2269"):
    """The log's signature on the checkpoint does not hold."""


class LogUnknown(Rejected, code="RM-2270"):
    """No trusted log signed the checkpoint."""


class PromiseInvalid(Rejected, code="RM-2271"):
    """The log's promise to include the entry does not hold."""


class LogForked(Rejected, code="RM-2272"):
    """The log showed another history before."""


# ---- what is trusted ----


class RootMalformed(Rejected, code="RM-2280"):
    """The trusted root cannot be read, or one of its keys has no beginning."""


class RootEmpty(Rejected, code="RM-2281"):
    """The trusted root has nothing of a kind that the bundle needs."""


class SignatureMissing(Rejected, code="RM-2282"):
    """Nothing signed comes with the unit."""


class SignerRetired(Rejected, code="RM-2283", remedy="'remit trust import' names a signer again"):
    """Who signed it was retired here: what they sign counts no longer."""


class RootMissing(Rejected, code="RM-2284", remedy="run 'remit trust import' with the publisher's trusted root"):
    """The home trusts no Sigstore instance yet."""
