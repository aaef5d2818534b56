"""Signatures that must not be believed: each case is refused with a code of its own.

The forger holds every key of the domain, so that each bundle is right but for the one thing that its case names.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from remit.errors import Rejected
from remit.errors import signatures as why
from remit.registry.trust import Artifact, Checkpoint, Identity
from remit.registry.trust.authority import CertificateLog
from remit.registry.trust.log import TransparencyLog
from remit.registry.trust.statement import IN_TOTO, check_release, read_statement
from remit.registry.trust.verifier import verify_identity
from tests.registry.trust.forgeries import (
    ANN,
    DIGEST,
    PAST,
    b64,
    chained,
    checkpoint_by_another_key,
    checkpoint_of_another_log,
    edited,
    edwards,
    encode,
    entry_of_another,
    no_signatures,
    other_maker,
    other_state,
    promised,
    put,
    repeated,
    several_timestamps,
    statement,
    stranger,
    unnamed,
    with_envelope,
)

MATERIAL = "verificationMaterial"
MALFORMED = [
    ("cut off", why.BundleMalformed, lambda forge: encode(forge.bundle())[:-2]),
    ("without end", why.BundleTooLarge, lambda _forge: b'"' + b"0" * (5 << 20)),
    ("nested without end", why.BundleTooDeep, lambda _forge: b"[" * 100_000),
    ("a key twice", why.KeyTwice, repeated),
    ("of an unknown version", why.BundleVersion, lambda forge: put(forge.bundle(), "text/plain", "mediaType")),
    ("no certificate", why.MaterialMissing, lambda forge: put(forge.bundle(), ..., MATERIAL, "certificate")),
    ("nothing signed", why.ContentMissing, lambda forge: put(forge.bundle(), ..., "dsseEnvelope")),
    (
        "no certificate's bytes",
        why.CertificateMalformed,
        lambda forge: put(forge.bundle(), b64(b"0\0"), MATERIAL, "certificate", "rawBytes"),
    ),
    ("a root of its own", why.ChainInBundle, chained),
    (
        "several signatures",
        why.EnvelopeSignatures,
        lambda forge: put(forge.bundle(), [{}, {}], "dsseEnvelope", "signatures"),
    ),
    ("several entries", why.EntryMissing, lambda forge: put(forge.bundle(), [{}, {}], MATERIAL, "tlogEntries")),
    (
        "an entry of no kind",
        why.EntryKind,
        lambda forge: put(
            forge.bundle(), {"kind": "alpine", "version": "0.0.1"}, MATERIAL, "tlogEntries", 0, "kindVersion"
        ),
    ),
    (
        "no proof",
        why.ProofMissing,
        lambda forge: put(forge.bundle(), ..., MATERIAL, "tlogEntries", 0, "inclusionProof"),
    ),
    (
        "an entry without a body",
        why.EntryMalformed,
        lambda forge: put(forge.bundle(), ..., MATERIAL, "tlogEntries", 0, "canonicalizedBody"),
    ),
    (
        "a timestamp that is none",
        why.TimestampMalformed,
        lambda forge: put(
            forge.bundle(), b64(b"no"), MATERIAL, "timestampVerificationData", "rfc3161Timestamps", 0, "signedTimestamp"
        ),
    ),
    ("a timestamp twice", why.TimestampTwice, lambda forge: several_timestamps(forge, 2)),
    ("timestamps without end", why.TimestampsTooMany, lambda forge: several_timestamps(forge, 33)),
    (
        "a checkpoint that is none",
        why.CheckpointMalformed,
        lambda forge: with_envelope(forge.bundle(), "log\n1\n\u2014 log AAAA\n"),
    ),
]
FORGED = [
    (
        "another payload",
        why.EnvelopeSignatureInvalid,
        lambda forge: put(forge.bundle(), b64(statement()), "dsseEnvelope", "payload"),
    ),
    ("another kind of payload", why.PayloadType, lambda forge: encode(forge.bundle(payload_type="text/plain"))),
    ("a statement that is none", why.StatementMalformed, lambda forge: encode(forge.bundle(statement(subject=[])))),
    (
        "a statement of tomorrow",
        why.StatementType,
        lambda forge: encode(forge.bundle(statement(_type="https://in-toto.io/Statement/v2"))),
    ),
    (
        "about something else",
        why.SubjectMissing,
        lambda forge: encode(forge.bundle(statement(subject=[{"digest": {"sha256": DIGEST}}]))),
    ),
    (
        "a stranger's certificate",
        why.CertificateUntrusted,
        lambda forge: encode(forge.bundle(maker=stranger(forge)._authority)),
    ),
    (
        "a certificate that had expired",
        why.CertificateExpired,
        lambda forge: encode(forge.bundle(since=forge.now() - timedelta(minutes=30))),
    ),
    (
        "a certificate that signs nothing",
        why.CertificateUsage,
        lambda forge: encode(forge.bundle(edit=edited(without=x509.KeyUsage, adding=[no_signatures(bits=False)]))),
    ),
    (
        "a certificate for a server",
        why.CertificatePurpose,
        lambda forge: encode(
            forge.bundle(
                edit=edited(
                    without=x509.ExtendedKeyUsage,
                    adding=[(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)],
                )
            )
        ),
    ),
    ("a certificate that no log saw", why.CertificateTimestampMissing, lambda forge: encode(forge.bundle(vouch=False))),
    (
        "a certificate that a stranger's log saw",
        why.CertificateTimestampInvalid,
        lambda forge: encode(
            forge.bundle(maker=other_maker(forge, log=CertificateLog(ec.generate_private_key(ec.SECP256R1()))))
        ),
    ),
    ("a key that cannot sign so", why.KeyUnsuitable, edwards),
    ("somebody else", why.IdentityMismatch, lambda forge: encode(forge.bundle(subject="ann@example.com.evil.net"))),
    ("another provider", why.IssuerMismatch, lambda forge: encode(forge.bundle(issuer="https://oidc.evil.net"))),
    ("nobody vouches", why.IdentityMissing, lambda forge: encode(forge.bundle(edit=unnamed))),
    (
        "no time",
        why.TimeMissing,
        lambda forge: put(forge.bundle(), ..., MATERIAL, "timestampVerificationData"),
    ),
    (
        "the timestamp of another signature",
        why.TimestampUntrusted,
        lambda forge: encode(forge.bundle(stamped=b"other")),
    ),
    ("the entry of another signature", why.EntryMismatch, entry_of_another),
    (
        "a proof that is too long",
        why.ProofLength,
        lambda forge: put(forge.bundle(), [b64(b"0" * 32)], MATERIAL, "tlogEntries", 0, "inclusionProof", "hashes"),
    ),
    (
        "a proof of another entry",
        why.ProofInvalid,
        lambda forge: put(
            forge.bundle(entry=lambda body: body | {"more": 1}),
            b64(b"{}"),
            MATERIAL,
            "tlogEntries",
            0,
            "canonicalizedBody",
        ),
    ),
    ("a checkpoint of another state", why.CheckpointRoot, other_state),
    ("a checkpoint by another key", why.CheckpointSignature, checkpoint_by_another_key),
    ("a checkpoint of an unknown log", why.LogUnknown, checkpoint_of_another_log),
    ("a promise that nobody made", why.PromiseInvalid, promised),
]


def retired(name):
    def edit(root):
        [entry] = root[name]
        entry.get("publicKey", entry)["validFor"] = PAST

    return edit


RETIRED = [
    ("the authority", why.AuthorityRetired, retired("certificateAuthorities")),
    ("the certificate log", why.CertificateLogRetired, retired("ctlogs")),
    ("the log", why.LogRetired, retired("tlogs")),
    ("the timestamp authority", why.TimestampAuthorityRetired, retired("timestampAuthorities")),
    ("everything", why.RootEmpty, lambda root: root["tlogs"].clear()),
]
RELEASES = [
    ("another predicate", why.PredicateType, {"predicateType": "https://slsa.dev/provenance/v1"}),
    ("two subjects", why.SubjectCount, {"subject": [{"digest": {"sha256": DIGEST}}] * 2}),
    (
        "a predicate that says more",
        why.PredicateMalformed,
        {"predicate": {"id": "acme/redact", "version": "1", "x": 1}},
    ),
    (
        "another unit",
        why.ReleaseId,
        {"predicate": {"id": "acme/other", "version": "1.2.0", "manifest": f"sha256:{DIGEST}"}},
    ),
    (
        "another version",
        why.ReleaseVersion,
        {"predicate": {"id": "acme/redact", "version": "1.1.0", "manifest": f"sha256:{DIGEST}"}},
    ),
    ("another manifest", why.ReleaseManifest, {}),
]
CASES = [*MALFORMED, *FORGED, *RETIRED, *RELEASES]


def believed(forge, data, *, root=None, seen=()):
    artifact = Artifact.of(b"the manifest of a unit")
    return verify_identity(data, artifact, root or forge.root(), Identity(ANN, forge.domain.issuer), seen)


def test_what_the_forger_makes_right_is_believed(forge):
    verified = believed(forge, encode(forge.bundle()))
    assert verified.signer.subject == ANN
    assert verified.signed_at_ms == forge.clock.now_ms()


@pytest.mark.parametrize(
    ("error", "make"), [case[1:] for case in MALFORMED + FORGED], ids=[case[0] for case in MALFORMED + FORGED]
)
def test_a_bundle_is_refused(forge, error, make):
    with pytest.raises(Rejected) as refused:
        believed(forge, make(forge))
    assert type(refused.value) is error


@pytest.mark.parametrize(("error", "edit"), [case[1:] for case in RETIRED], ids=[case[0] for case in RETIRED])
def test_what_was_retired_before_the_signature_counts_no_longer(forge, error, edit):
    with pytest.raises(Rejected) as refused:
        believed(forge, encode(forge.bundle()), root=forge.root(edit))
    assert type(refused.value) is error


@pytest.mark.parametrize(("error", "changes"), [case[1:] for case in RELEASES], ids=[case[0] for case in RELEASES])
def test_a_statement_is_no_release_of_the_unit(error, changes):
    found = read_statement(IN_TOTO, statement(**changes))
    with pytest.raises(Rejected) as refused:
        check_release(found, "acme/redact", "1.2.0", b"")
    assert type(refused.value) is error


def test_a_log_that_forked_is_found_out(forge, tmp_path):
    first = believed(forge, encode(forge.bundle()))
    fork = TransparencyLog(tmp_path / "fork", forge.domain.log.origin, forge.domain.log._key)
    with pytest.raises(why.LogForked):
        believed(forge, encode(forge.bundle(log=fork)), seen=first.checkpoints)
    shown = Checkpoint(forge.domain.log.origin, 99, "00")
    assert believed(forge, encode(forge.bundle()), seen=[*first.checkpoints, shown])


def test_a_message_of_another_artifact_is_refused(forge):
    document = forge.bundle(artifact=Artifact.of(b"something else"))
    with pytest.raises(why.DigestMismatch):
        believed(forge, encode(document))
    document["messageSignature"].pop("messageDigest")
    with pytest.raises(why.SignatureInvalid):
        believed(forge, encode(document))


def test_no_two_cases_have_the_same_code():
    codes = [error.code for _, error, _ in CASES]
    assert len(codes) == len(set(codes)) >= 45
