"""The timestamp authority of a trust domain: says that a signature existed at a time.

Source: RFC 3161, with signing-certificate attributes of RFC 5816 and CMS of RFC 5652.
"""

from __future__ import annotations

import hashlib
from datetime import datetime

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from remit.errors import SigningFailed
from remit.registry.trust.der import (
    BIT_FALSE,
    NULL,
    generalized_time,
    integer,
    items,
    object_id,
    octets,
    sequence,
    set_of,
    tagged,
    utc_time,
)

__all__ = ["Stamper", "stamp_request"]

_SHA256 = sequence(object_id("2.16.840.1.101.3.4.2.1"), NULL)
_ECDSA_SHA256 = sequence(object_id("1.2.840.10045.4.3.2"))
_SIGNED_DATA = object_id("1.2.840.113549.1.7.2")
_TST_INFO = object_id("1.2.840.113549.1.9.16.1.4")
_CONTENT_TYPE = object_id("1.2.840.113549.1.9.3")
_SIGNING_TIME = object_id("1.2.840.113549.1.9.5")
_MESSAGE_DIGEST = object_id("1.2.840.113549.1.9.4")
_SIGNING_CERTIFICATE_V2 = object_id("1.2.840.113549.1.9.16.2.47")
_POLICY = object_id("1.3.6.1.4.1.57264.2")
_INTEGER, _BOOLEAN, _CONTEXT_0 = 0x02, 0x01, 0xA0
_GRANTED = sequence(integer(0))


class Stamper(msgspec.Struct, frozen=True):
    """A timestamp authority."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def stamp(self, request: bytes, at: datetime, serial: int) -> bytes:
        """The answer to a timestamp request.

        :raises SigningFailed: if it is none over a SHA-256
        """
        imprint, nonce, wants_certificate = _read(request)
        info = sequence(integer(1), _POLICY, imprint, integer(serial), generalized_time(at), nonce)
        der = self.certificate.public_bytes(Encoding.DER)
        attributes = set_of(
            sequence(_CONTENT_TYPE, set_of(_TST_INFO)),
            sequence(_SIGNING_TIME, set_of(utc_time(at))),
            sequence(_MESSAGE_DIGEST, set_of(octets(hashlib.sha256(info).digest()))),
            sequence(
                _SIGNING_CERTIFICATE_V2,
                set_of(sequence(sequence(sequence(octets(hashlib.sha256(der).digest()))))),
            ),
        )
        signature = self.key.sign(attributes, ec.ECDSA(hashes.SHA256()))
        issuer = sequence(self.certificate.issuer.public_bytes(), integer(self.certificate.serial_number))
        # The attributes are signed as a set and stand there under a tag of their own.
        tagged_attributes = bytes([_CONTEXT_0]) + attributes[1:]
        signer = sequence(integer(1), issuer, _SHA256, tagged_attributes, _ECDSA_SHA256, octets(signature))
        signed = sequence(
            integer(3),
            set_of(_SHA256),
            sequence(_TST_INFO, tagged(_CONTEXT_0, octets(info))),
            tagged(_CONTEXT_0, der) if wants_certificate else b"",
            set_of(signer),
        )
        return sequence(_GRANTED, sequence(_SIGNED_DATA, tagged(_CONTEXT_0, signed)))


def stamp_request(signature: bytes) -> bytes:
    """The request for a timestamp over a signature."""
    imprint = sequence(_SHA256, octets(hashlib.sha256(signature).digest()))
    return sequence(integer(1), imprint)


def _read(request: bytes) -> tuple[bytes, bytes, bool]:
    """The imprint, the nonce (whole, or nothing), and whether the certificate is wanted."""
    nonce, wanted = b"", False
    try:
        [(_, body, _)] = items(request)
        _, (_, inner, imprint), *rest = items(body)
        (_, algorithm, _), (_, digest, _) = items(inner)
        if items(algorithm)[0][2] != object_id("2.16.840.1.101.3.4.2.1") or len(digest) != hashlib.sha256().digest_size:
            raise SigningFailed("timestamps are made over SHA-256")
        for tag, value, whole in rest:
            if tag == _INTEGER:
                nonce = whole
            elif tag == _BOOLEAN:
                wanted = value != BIT_FALSE
    except (ValueError, IndexError) as error:
        raise SigningFailed("that is no timestamp request") from error
    return imprint, nonce, wanted
