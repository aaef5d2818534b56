"""Bundles under a key that is known by other means: what they must show, and what they bring beyond it."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from remit.errors import SigningFailed
from remit.errors import signatures as why
from remit.registry.trust import Artifact
from remit.registry.trust.root import Root
from remit.registry.trust.signing import KeySigner
from remit.registry.trust.verifier import verify_key

KINDS = [("hashedrekord", "0.0.1"), ("hashedrekord", "0.0.2"), ("dsse", "0.0.1"), ("intoto", "0.0.2")]
ARTIFACT = Artifact.of(b"some artifact")
NO_ROOT = Root(b'{"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1"}')


def private(key):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public(key):
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("kind", [None, *KINDS])
@pytest.mark.parametrize("stamped", [False, True])
def test_an_envelope_with_any_entry_of_a_trusted_log_is_believed(keyed, forge, kind, stamped):
    verified = verify_key(keyed.bundle(entry=kind, stamped=stamped), keyed.artifact, keyed.pem, forge.root())
    assert verified.signer.key.startswith("sha256:")
    assert [each.origin for each in verified.checkpoints] == ([forge.domain.log.origin] if kind else [])
    assert verified.signed_at_ms == (forge.clock.now_ms() if stamped else None)


@pytest.mark.parametrize("make", [lambda: ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate])
def test_what_a_key_signs_is_believed_under_that_key_alone(make):
    key = make()
    signer = KeySigner(private(key))
    data = signer.sign_artifact(ARTIFACT)
    assert verify_key(data, ARTIFACT, public(key), NO_ROOT).statement is None
    with pytest.raises(why.SignatureInvalid):
        verify_key(data, ARTIFACT, public(ec.generate_private_key(ec.SECP256R1())))
    with pytest.raises(why.DigestMismatch):
        verify_key(data, Artifact.of(b"other"), public(key))


def test_a_digest_is_enough_where_the_key_signs_digests():
    known = Artifact(ARTIFACT.sha256)
    key, other = ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate()
    assert verify_key(KeySigner(private(key)).sign_artifact(known), known, public(key))
    with pytest.raises(why.KeyUnsuitable):
        verify_key(KeySigner(private(other)).sign_artifact(ARTIFACT), known, public(other))
    with pytest.raises(SigningFailed):
        KeySigner(private(other)).sign_artifact(known)


@pytest.mark.parametrize(
    ("details", "key", "algorithm"),
    [
        ("SHA2_384", ec.generate_private_key(ec.SECP384R1()), hashes.SHA384()),
        ("SHA2_512", ec.generate_private_key(ec.SECP521R1()), hashes.SHA512()),
    ],
)
def test_longer_curves_come_with_longer_digests(details, key, algorithm):
    digest = hashes.Hash(algorithm)
    digest.update(ARTIFACT.data)
    named = {"algorithm": details, "digest": base64.b64encode(digest.finalize()).decode()}
    signature = base64.b64encode(key.sign(ARTIFACT.data, ec.ECDSA(algorithm))).decode()
    document = {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"publicKey": {}},
        "messageSignature": {"messageDigest": named, "signature": signature},
    }
    assert verify_key(json.dumps(document).encode(), ARTIFACT, public(key))
    document["messageSignature"]["messageDigest"]["digest"] = base64.b64encode(b"0" * 48).decode()
    with pytest.raises(why.DigestMismatch):
        verify_key(json.dumps(document).encode(), ARTIFACT, public(key))


def test_an_entry_or_a_timestamp_without_a_root_is_not_passed_over(keyed):
    with pytest.raises(why.RootEmpty):
        verify_key(keyed.bundle(entry=KINDS[1]), keyed.artifact, keyed.pem)
    with pytest.raises(why.RootEmpty):
        verify_key(keyed.bundle(stamped=True), keyed.artifact, keyed.pem, NO_ROOT)


@pytest.mark.parametrize("kind", KINDS)
def test_an_entry_about_another_signature_is_refused(keyed, forge, kind):
    other = keyed.entry(kind, b"other", b"other", b"other")
    with pytest.raises(why.EntryMismatch):
        verify_key(keyed.bundle(entry=kind, body=lambda _made: other), keyed.artifact, keyed.pem, forge.root())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda body: body | {"spec": {}},
        lambda body: body | {"spec": None},
        lambda body: body | {"spec": {"content": {"envelope": {"signatures": []}}}},
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_an_entry_that_cannot_be_read_is_refused(keyed, forge, kind, spoil):
    with pytest.raises(why.EntryMalformed):
        verify_key(keyed.bundle(entry=kind, body=spoil), keyed.artifact, keyed.pem, forge.root())


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        (
            b'{"_type": "https://in-toto.io/Statement/v2", "subject": [{"digest": {}}], "predicateType": "x"}',
            why.StatementType,
        ),
        (b'{"subject": [{"digest": {}}], "predicateType": "x"}', why.StatementType),
        (b"[]", why.StatementMalformed),
    ],
)
def test_a_statement_of_an_unknown_version_is_not_interpreted(keyed, statement, error):
    with pytest.raises(error):
        verify_key(keyed.bundle(statement), keyed.artifact, keyed.pem)


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        b"0" * 100_000,
        public(rsa.generate_private_key(65537, 1024)),
        public(ec.generate_private_key(ec.SECP256K1())),
    ],
)
def test_a_key_that_is_none_or_too_weak_verifies_nothing(keyed, pem):
    with pytest.raises(why.KeyUnsuitable):
        verify_key(keyed.bundle(), keyed.artifact, pem)


def test_a_certificates_bundle_is_not_verified_with_a_key(keyed, forge):
    with pytest.raises(why.MaterialMissing):
        verify_key(json.dumps(forge.bundle()).encode(), keyed.artifact, keyed.pem, forge.root())


@pytest.mark.parametrize("pem", [b"no", private(ec.generate_private_key(ec.SECP384R1()))])
def test_only_some_keys_sign(pem):
    with pytest.raises(SigningFailed):
        KeySigner(pem)
