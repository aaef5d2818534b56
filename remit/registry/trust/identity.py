"""Who a certificate names, and who vouched for them: the policy that the stock verifier asks about a certificate.

Source: Fulcio's OID information (https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md).
"""

from __future__ import annotations

from cryptography.hazmat import asn1
from cryptography.x509 import (
    Certificate,
    ExtensionNotFound,
    ObjectIdentifier,
    OtherName,
    RFC822Name,
    SubjectAlternativeName,
    UniformResourceIdentifier,
    UnrecognizedExtension,
)

from remit.errors.signatures import IdentityMismatch, IdentityMissing, IssuerMismatch
from remit.registry.trust.model import Identity, Signer

__all__ = ["ISSUER_V1", "ISSUER_V2", "Signatory"]

ISSUER_V1 = ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
ISSUER_V2 = ObjectIdentifier("1.3.6.1.4.1.57264.1.8")
_USERNAME = ObjectIdentifier("1.3.6.1.4.1.57264.1.7")


class Signatory:
    """Learns who a certificate names, and holds them to an identity where one is given: exactly, both parts."""

    def __init__(self, wanted: Identity | None) -> None:
        self._wanted = wanted
        self.signer: Signer | None = None

    def verify(self, cert: Certificate) -> None:
        """Look at a certificate whose chain is verified.

        :raises IdentityMissing: if it names nobody, several, or nobody who vouches
        :raises IdentityMismatch: if it names somebody else
        :raises IssuerMismatch: if somebody else vouches
        """
        subject, issuer = _subject(cert), _issuer(cert)
        if self._wanted is not None and subject != self._wanted.subject:
            raise IdentityMismatch(f"{subject[:200]} signed, not {self._wanted.subject[:200]}")
        if self._wanted is not None and issuer != self._wanted.issuer:
            raise IssuerMismatch(f"{issuer[:200]} vouches for the signer, not {self._wanted.issuer[:200]}")
        self.signer = Signer(subject=subject, issuer=issuer)


def _subject(certificate: Certificate) -> str:
    try:
        names = list(certificate.extensions.get_extension_for_class(SubjectAlternativeName).value)
    except ExtensionNotFound:
        names = []
    if len(names) != 1:
        raise IdentityMissing(f"the certificate names {len(names)} signers")
    [name] = names
    if isinstance(name, RFC822Name | UniformResourceIdentifier):
        return name.value
    if isinstance(name, OtherName) and name.type_id == _USERNAME:
        return asn1.decode_der(str, name.value)
    raise IdentityMissing("the certificate names neither an e-mail address, nor a URI, nor a user")


def _issuer(certificate: Certificate) -> str:
    found = {
        extension.oid: extension.value.value
        for extension in certificate.extensions
        if isinstance(extension.value, UnrecognizedExtension)
    }
    named = set()
    if ISSUER_V1 in found:
        named.add(found[ISSUER_V1].decode())
    if ISSUER_V2 in found:
        named.add(asn1.decode_der(str, found[ISSUER_V2]))
    if len(named) != 1:
        raise IdentityMissing("the certificate does not say who vouches for the signer, or says it twice")
    return named.pop()
