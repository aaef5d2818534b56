"""Making signatures: in a trust domain, with a key of one's own, or with any Sigstore instance. Gives bundles as bytes.

Bundles are of version 0.3. In a trust domain a key lives for one signer and is never written anywhere.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any, Protocol

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from remit.errors import SigningFailed
from remit.registry.oci import SIGNATURE
from remit.registry.trust.domain import Domain
from remit.registry.trust.keys import hint_of
from remit.registry.trust.log import signature_entry
from remit.registry.trust.model import Artifact
from remit.registry.trust.stamper import stamp_request
from remit.registry.trust.statement import IN_TOTO, pae

__all__ = ["DomainSigner", "KeySigner", "SigstoreSigner", "StatementSigner"]

_MOST_KEY = 64 << 10


class StatementSigner(Protocol):
    """Somebody who can sign."""

    def sign_statement(self, statement: bytes) -> bytes:
        """A bundle with the statement in an envelope.

        :raises RemitError: if it cannot be signed
        """
        ...

    def sign_artifact(self, artifact: Artifact) -> bytes:
        """A bundle over the artifact itself.

        :raises RemitError: if it cannot be signed
        """
        ...


class DomainSigner:
    """Somebody in a trust domain."""

    def __init__(self, domain: Domain, subject: str) -> None:
        """Get a certificate for ten minutes.

        :param subject: an e-mail address or a URI: whoever may read the domain's keys says who they are
        :raises SigningFailed: if it is neither
        """
        self._domain = domain
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = domain.certify(self._key.public_key(), subject)[0].public_bytes(Encoding.DER)

    def sign_statement(self, statement: bytes) -> bytes:
        """A bundle with the statement in an envelope."""
        signed = pae(IN_TOTO, statement)
        signature = self._key.sign(signed, ec.ECDSA(hashes.SHA256()))
        return self._bundle(hashlib.sha256(signed).digest(), signature, _envelope(statement, signature))

    def sign_artifact(self, artifact: Artifact) -> bytes:
        """A bundle over the artifact itself."""
        signature = self._key.sign(artifact.sha256, ec.ECDSA(Prehashed(hashes.SHA256())))
        return self._bundle(artifact.sha256, signature, _message(artifact, signature))

    def _bundle(self, digest: bytes, signature: bytes, content: dict[str, Any]) -> bytes:
        certificate = _b64(self._certificate)
        entry = signature_entry(_b64(digest), _b64(signature), certificate, "PKIX_ECDSA_P256_SHA_256")
        stamp = self._domain.stamp(stamp_request(signature))
        material = {
            "certificate": {"rawBytes": certificate},
            "tlogEntries": [self._domain.log.append(entry)],
            "timestampVerificationData": {"rfc3161Timestamps": [{"signedTimestamp": _b64(stamp)}]},
        }
        return _encode(material, content)


class KeySigner:
    """Whoever holds a key, without a log and without timestamps: nothing says when it was signed."""

    def __init__(self, pem: bytes) -> None:
        """Read a private key: ECDSA P-256 or Ed25519, PEM.

        :raises SigningFailed: if it is none
        """
        try:
            key = load_pem_private_key(pem[:_MOST_KEY], None)
        except Exception as error:
            raise SigningFailed(f"that is no private key in PEM without a password: {str(error)[:200]}") from error
        if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name == "secp256r1":
            self._key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey = key
        elif isinstance(key, ed25519.Ed25519PrivateKey):
            self._key = key
        else:
            raise SigningFailed("keys for signing are ECDSA P-256 or Ed25519")
        self._material = {"publicKey": {"hint": hint_of(self._key.public_key())}}

    def sign_statement(self, statement: bytes) -> bytes:
        """A bundle with the statement in an envelope."""
        return _encode(self._material, _envelope(statement, self._sign(pae(IN_TOTO, statement))))

    def sign_artifact(self, artifact: Artifact) -> bytes:
        """A bundle over the artifact itself.

        :raises SigningFailed: if only the digest of it is at hand and the key signs bytes
        """
        if artifact.data is not None:
            signature = self._sign(artifact.data)
        elif isinstance(self._key, ec.EllipticCurvePrivateKey):
            signature = self._key.sign(artifact.sha256, ec.ECDSA(Prehashed(hashes.SHA256())))
        else:
            raise SigningFailed("an Ed25519 key signs bytes, not a digest")
        return _encode(self._material, _message(artifact, signature))

    def _sign(self, data: bytes) -> bytes:
        if isinstance(self._key, ed25519.Ed25519PrivateKey):
            return self._key.sign(data)
        return self._key.sign(data, ec.ECDSA(hashes.SHA256()))


class SigstoreSigner:
    """Somebody with an identity token, at any Sigstore instance: the public one, or a served trust domain."""

    def __init__(self, trust_config: bytes, identity_token: str) -> None:
        """Take an instance's client trust configuration, and a token that it accepts.

        :raises SigningFailed: if one of them is malformed
        """
        from sigstore.models import ClientTrustConfig  # noqa: PLC0415 - loads Sigstore
        from sigstore.oidc import IdentityToken  # noqa: PLC0415
        from sigstore.sign import SigningContext  # noqa: PLC0415

        try:
            config = ClientTrustConfig.from_json(trust_config.decode())
            self._context = SigningContext.from_trust_config(config)
            self._token = IdentityToken(identity_token)
        except Exception as error:
            raise SigningFailed(f"nobody can sign with that: {str(error)[:300]}") from error

    def sign_statement(self, statement: bytes) -> bytes:
        """A bundle with the statement in an envelope.

        :raises SigningFailed: if the instance refuses, or cannot be reached
        """
        from sigstore.dsse import Statement  # noqa: PLC0415 - loads Sigstore

        return self._sign(lambda signer: signer.sign_dsse(Statement(statement)))

    def sign_artifact(self, artifact: Artifact) -> bytes:
        """A bundle over the artifact itself.

        :raises SigningFailed: if the instance refuses, or cannot be reached
        """
        from sigstore.hashes import Hashed  # noqa: PLC0415 - loads Sigstore
        from sigstore_models.common.v1 import HashAlgorithm  # noqa: PLC0415

        hashed = Hashed(algorithm=HashAlgorithm.SHA2_256, digest=artifact.sha256)
        return self._sign(lambda signer: signer.sign_artifact(hashed))

    def _sign(self, work: Any) -> bytes:
        try:
            with self._context.signer(self._token) as signer:
                bundle: str = work(signer).to_json()
        except Exception as error:
            raise SigningFailed(f"it could not be signed: {type(error).__name__}: {str(error)[:300]}") from error
        return bundle.encode()


def _envelope(statement: bytes, signature: bytes) -> dict[str, Any]:
    envelope = {"payload": _b64(statement), "payloadType": IN_TOTO, "signatures": [{"sig": _b64(signature)}]}
    return {"dsseEnvelope": envelope}


def _message(artifact: Artifact, signature: bytes) -> dict[str, Any]:
    digest = {"algorithm": "SHA2_256", "digest": _b64(artifact.sha256)}
    return {"messageSignature": {"messageDigest": digest, "signature": _b64(signature)}}


def _encode(material: dict[str, Any], content: dict[str, Any]) -> bytes:
    return msgspec.json.encode({"mediaType": SIGNATURE, "verificationMaterial": material, **content})


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
