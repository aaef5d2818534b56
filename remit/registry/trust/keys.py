"""Public keys that are known by other means: reading them, naming them, and verifying with them."""

from __future__ import annotations

import base64
import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
    load_pem_public_key,
)

from remit.errors.signatures import KeyUnsuitable, Rejected
from remit.registry.oci import sha256

__all__ = ["PublicKey", "hint_of", "id_of", "read_key", "read_raw_key", "spki", "verify_digest", "verify_message"]

PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey
_CURVE_HASHES: dict[str, hashes.HashAlgorithm] = {
    "secp256r1": hashes.SHA256(),
    "secp384r1": hashes.SHA384(),
    "secp521r1": hashes.SHA512(),
}
_MOST = 64 << 10
_LEAST_RSA = 2_048


def read_key(pem: bytes) -> PublicKey:
    """The public key in a PEM file.

    :raises KeyUnsuitable: if it is none that signatures are verified with
    """
    if len(pem) > _MOST:
        raise KeyUnsuitable(f"the key's file has {len(pem)} bytes")
    try:
        return _suitable(load_pem_public_key(pem))
    except Rejected:
        raise
    except Exception as error:
        raise KeyUnsuitable(f"that is no public key in PEM: {str(error)[:200]}") from error


def read_raw_key(der: bytes) -> PublicKey:
    """The public key with these bytes (SubjectPublicKeyInfo).

    :raises KeyUnsuitable: if it is none that signatures are verified with
    """
    try:
        return _suitable(load_der_public_key(der))
    except Rejected:
        raise
    except Exception as error:
        raise KeyUnsuitable(f"that is no public key: {str(error)[:200]}") from error


def spki(key: PublicKey) -> bytes:
    """The key's SubjectPublicKeyInfo (DER)."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def id_of(key: PublicKey) -> str:
    """``sha256:…`` of a key: its name."""
    return sha256(spki(key))


def hint_of(key: PublicKey) -> str:
    """What a bundle says of the key that signed it."""
    return base64.b64encode(hashlib.sha256(spki(key)).digest()).decode()


def verify_message(key: PublicKey, signature: bytes, data: bytes) -> bool:
    """Whether a signature over some bytes is the key's."""
    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, data)
        elif isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
        else:
            key.verify(signature, data, ec.ECDSA(_CURVE_HASHES[key.curve.name]))
    except InvalidSignature:
        return False
    return True


def verify_digest(key: PublicKey, signature: bytes, sha256_digest: bytes) -> bool:
    """Whether a signature over something with this SHA-256 is the key's.

    :raises KeyUnsuitable: if the key signs bytes and not digests
    """
    prehashed = Prehashed(hashes.SHA256())
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, sha256_digest, padding.PKCS1v15(), prehashed)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, sha256_digest, ec.ECDSA(prehashed))
        else:
            raise KeyUnsuitable("an Ed25519 key signs bytes: name the file, not its digest")
    except InvalidSignature:
        return False
    return True


def _suitable(key: object) -> PublicKey:
    if isinstance(key, ed25519.Ed25519PublicKey):
        return key
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= _LEAST_RSA:
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVE_HASHES:
        return key
    raise KeyUnsuitable("the key is neither ECDSA (P-256, P-384, P-521), nor Ed25519, nor RSA of 2048 bits and more")
