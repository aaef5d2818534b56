"""The certificate authority of a trust domain, with the certificate log that vouches for what it issues.

Source: Fulcio's certificate profile; RFC 6962, section 3.2, for the log's timestamps (SCT).
"""

from __future__ import annotations

import hashlib
import struct
from datetime import datetime, timedelta

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from remit.registry.trust.der import octets, utf8
from remit.registry.trust.identity import ISSUER_V1, ISSUER_V2
from remit.registry.trust.keys import spki
from remit.registry.trust.model import Identity

__all__ = ["CertificateLog", "CertificateMaker", "authority_certificate", "stamping_certificate"]

_SCT_LIST = ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_PRECERTIFICATE = 1
_SHA256_ECDSA = bytes([4, 3])
_ORGANIZATION = "Remit trust domain"


class CertificateLog(msgspec.Struct, frozen=True):
    """Vouches for certificates. It keeps no list: this domain's authority is the only one that it could list."""

    key: ec.EllipticCurvePrivateKey

    @property
    def id(self) -> bytes:
        """The log's id."""
        return hashlib.sha256(spki(self.key.public_key())).digest()

    def vouch(self, tbs: bytes, issuer: ec.EllipticCurvePublicKey, at_ms: int) -> bytes:
        """The list with one timestamp, over a certificate without it.

        :param tbs: the certificate's signed part (TBSCertificate)
        """
        entry = hashlib.sha256(spki(issuer)).digest() + len(tbs).to_bytes(3, "big") + tbs
        signed = struct.pack("!BBQH", 0, 0, at_ms, _PRECERTIFICATE) + entry + b"\0\0"
        signature = self.key.sign(signed, ec.ECDSA(hashes.SHA256()))
        sct = b"\0" + self.id + struct.pack("!Q", at_ms) + b"\0\0" + _SHA256_ECDSA + _prefixed(signature)
        return _prefixed(_prefixed(sct))


class CertificateMaker(msgspec.Struct, frozen=True):
    """The authority that certifies who holds a key, for minutes."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    log: CertificateLog

    def certify(
        self,
        key: ec.EllipticCurvePublicKey,
        identity: Identity,
        serial: int,
        since: datetime,
        lifetime: timedelta = timedelta(minutes=10),
    ) -> x509.Certificate:
        """A certificate that names the identity as the holder of a key.

        :param serial: random, below 2¹⁵⁹
        """
        mine = self.key.public_key()
        builder = (
            _builder(x509.Name([]), self.certificate.subject, key, serial, since, since + lifetime)
            .add_extension(_usage(signatures=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(mine), critical=False)
            .add_extension(x509.SubjectAlternativeName([_name(identity.subject)]), critical=True)
            .add_extension(x509.UnrecognizedExtension(ISSUER_V1, identity.issuer.encode()), critical=False)
            .add_extension(x509.UnrecognizedExtension(ISSUER_V2, utf8(identity.issuer)), critical=False)
        )
        # Without its own extension the certificate is what the log's timestamp is over.
        unseen = builder.sign(self.key, hashes.SHA256()).tbs_certificate_bytes
        vouched = octets(self.log.vouch(unseen, mine, int(since.timestamp() * 1000)))
        return builder.add_extension(x509.UnrecognizedExtension(_SCT_LIST, vouched), critical=False).sign(
            self.key, hashes.SHA256()
        )


def authority_certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    serial: int,
    since: datetime,
    until: datetime,
    above: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None = None,
) -> x509.Certificate:
    """The certificate of an authority: signed by the one above, or by itself."""
    subject = _subject(name)
    issuer, signing = (above[0].subject, above[1]) if above else (subject, key)
    builder = (
        _builder(subject, issuer, key.public_key(), serial, since, until)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0 if above else 1), critical=True)
        .add_extension(_usage(signatures=False), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), critical=False)
    )
    if above:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
    return builder.sign(signing, hashes.SHA256())


def stamping_certificate(
    key: ec.EllipticCurvePublicKey,
    serial: int,
    since: datetime,
    until: datetime,
    above: tuple[x509.Certificate, ec.EllipticCurvePrivateKey],
) -> x509.Certificate:
    """The certificate of a timestamp authority."""
    return (
        _builder(_subject("timestamps"), above[0].subject, key, serial, since, until)
        .add_extension(_usage(signatures=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(above[1].public_key()), critical=False)
        .sign(above[1], hashes.SHA256())
    )


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    serial: int,
    since: datetime,
    until: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(serial)
        .not_valid_before(since)
        .not_valid_after(until)
    )


def _usage(*, signatures: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=signatures,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=not signatures,
        crl_sign=not signatures,
        encipher_only=False,
        decipher_only=False,
    )


def _subject(name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, _ORGANIZATION),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )


def _name(subject: str) -> x509.GeneralName:
    if "@" in subject and "://" not in subject:
        return x509.RFC822Name(subject)
    return x509.UniformResourceIdentifier(subject)


def _prefixed(data: bytes) -> bytes:
    return struct.pack("!H", len(data)) + data
