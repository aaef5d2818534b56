"""A trust domain under a clock of its own, and a forger who holds all its keys and can sign anything wrongly."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from remit.registry.oci import SIGNATURE
from remit.registry.trust import Artifact, Identity
from remit.registry.trust.authority import _SCT_LIST
from remit.registry.trust.der import octets
from remit.registry.trust.domain import Domain
from remit.registry.trust.keys import hint_of, spki
from remit.registry.trust.log import signature_entry
from remit.registry.trust.root import Root
from remit.registry.trust.stamper import stamp_request
from remit.registry.trust.statement import IN_TOTO, pae, release_statement
from remit.testing import VirtualClock

ANN = "ann@example.com"
UNIT_TOML = b'id = "acme/redact"\n'
ARTIFACT = Artifact.of(b"the manifest of a unit")
STATEMENT = release_statement(f"sha256:{ARTIFACT.sha256.hex()}", "acme/redact", "1.2.0", UNIT_TOML)


def b64(data):
    return base64.b64encode(data).decode()


class Forge:
    """Makes bundles of a domain. What is not said is right; each argument is one thing that may be wrong."""

    def __init__(self, domain, clock):
        self.domain = domain
        self.clock = clock

    def now(self):
        return datetime.fromtimestamp(self.clock.now_ms() // 1000, UTC)

    def certificate(self, key, *, subject=ANN, issuer=None, since=None, maker=None, edit=None, vouch=True, at_ms=None):
        """A certificate; ``edit`` changes the list of its extensions before it is signed."""
        maker = maker or self.domain._authority
        since = since or self.now()
        identity = Identity(subject, issuer or self.domain.issuer)
        made = maker.certify(key.public_key(), identity, self.domain._serial(), since, timedelta(minutes=10))
        if edit is None and vouch and at_ms is None:
            return made
        kept = [(each.value, each.critical) for each in made.extensions if each.oid != _SCT_LIST]
        builder = (
            x509.CertificateBuilder()
            .subject_name(made.subject)
            .issuer_name(made.issuer)
            .public_key(made.public_key())
            .serial_number(made.serial_number)
            .not_valid_before(made.not_valid_before_utc)
            .not_valid_after(made.not_valid_after_utc)
        )
        for value, critical in edit(kept) if edit else kept:
            builder = builder.add_extension(value, critical)
        if vouch:
            tbs = builder.sign(maker.key, hashes.SHA256()).tbs_certificate_bytes
            stamped = int(since.timestamp() * 1000) if at_ms is None else at_ms
            sct = octets(maker.log.vouch(tbs, maker.key.public_key(), stamped))
            builder = builder.add_extension(x509.UnrecognizedExtension(_SCT_LIST, sct), critical=False)
        return builder.sign(maker.key, hashes.SHA256())

    def bundle(
        self,
        statement=STATEMENT,
        *,
        artifact=None,
        payload_type=IN_TOTO,
        key=None,
        certificate=None,
        stamp_at=None,
        stamped=None,
        entry=None,
        log=None,
        **about,
    ):
        """A bundle as JSON-able data: of a statement, or of an artifact."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        certificate = certificate or self.certificate(key, **about)
        der = certificate.public_bytes(Encoding.DER)
        signed = pae(payload_type, statement) if artifact is None else artifact.data
        signature = key.sign(signed, ec.ECDSA(hashes.SHA256()))
        digest = hashlib.sha256(signed).digest()
        body = signature_entry(b64(digest), b64(signature), b64(der), "PKIX_ECDSA_P256_SHA_256")
        body = entry(body) if entry else body
        stamper = self.domain.stamper
        stamp = stamper.stamp(stamp_request(stamped or signature), stamp_at or self.now(), self.domain._serial())
        material = {
            "certificate": {"rawBytes": b64(der)},
            "tlogEntries": [(self.domain.log if log is None else log).append(body)],
            "timestampVerificationData": {"rfc3161Timestamps": [{"signedTimestamp": b64(stamp)}]},
        }
        content = {
            "dsseEnvelope": {
                "payload": b64(statement),
                "payloadType": payload_type,
                "signatures": [{"sig": b64(signature)}],
            }
        }
        if artifact is not None:
            named = {"algorithm": "SHA2_256", "digest": b64(artifact.sha256)}
            content = {"messageSignature": {"messageDigest": named, "signature": b64(signature)}}
        media_type = "application/vnd.dev.sigstore.bundle.v0.3+json"
        return {"mediaType": media_type, "verificationMaterial": material, **content}

    def root(self, edit=None):
        """The trusted root, perhaps with something else in it."""
        document = json.loads(self.domain.trusted_root)
        if edit:
            document = copy.deepcopy(document)
            edit(document)
        return Root(json.dumps(document).encode())


@pytest.fixture
def clock():
    return VirtualClock(1_700_000_000_000)  # long past for any machine that runs this


@pytest.fixture
def domain(tmp_path, clock):
    return Domain.create(tmp_path / "domain", "trust.example.com", clock)


@pytest.fixture
def forge(domain, clock):
    return Forge(domain, clock)


class Keyed:
    """A publisher with a key, and bundles that it signed in every way that Sigstore's clients know."""

    def __init__(self, forge):
        self.forge = forge
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.public = self.key.public_key()
        self.pem = self.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        self.artifact = ARTIFACT

    def bundle(self, statement=STATEMENT, *, entry=None, stamped=False, body=None):
        """A bundle of an envelope, perhaps with a log entry of a kind, and a timestamp."""
        signed = pae(IN_TOTO, statement)
        signature = self.key.sign(signed, ec.ECDSA(hashes.SHA256()))
        material = {"publicKey": {"hint": hint_of(self.public)}}
        if entry:
            made = self.entry(entry, signed, statement, signature)
            material["tlogEntries"] = [self.forge.domain.log.append(body(made) if body else made)]
        if stamped:
            stamp = self.forge.domain.stamp(stamp_request(signature))
            material["timestampVerificationData"] = {"rfc3161Timestamps": [{"signedTimestamp": b64(stamp)}]}
        envelope = {"payload": b64(statement), "payloadType": IN_TOTO, "signatures": [{"sig": b64(signature)}]}
        document = {"mediaType": SIGNATURE, "verificationMaterial": material, "dsseEnvelope": envelope}
        return json.dumps(document).encode()

    def entry(self, kind, signed, payload, signature):
        pem, digest = b64(self.pem), hashlib.sha256(signed)
        about = {"algorithm": "sha256", "value": hashlib.sha256(payload).hexdigest()}
        if kind == ("hashedrekord", "0.0.2"):
            verifier = {"publicKey": {"rawBytes": b64(spki(self.public))}, "keyDetails": "PKIX_ECDSA_P256_SHA_256"}
            data = {"algorithm": "SHA2_256", "digest": b64(digest.digest())}
            inner = {"data": data, "signature": {"content": b64(signature), "verifier": verifier}}
            spec = {"hashedRekordV002": inner}
        elif kind == ("hashedrekord", "0.0.1"):
            data = {"hash": {"algorithm": "sha256", "value": digest.hexdigest()}}
            spec = {"data": data, "signature": {"content": b64(signature), "publicKey": {"content": pem}}}
        elif kind == ("dsse", "0.0.1"):
            spec = {"payloadHash": about, "signatures": [{"signature": b64(signature), "verifier": pem}]}
        else:
            twice = b64(b64(signature).encode())
            envelope = {"payloadType": IN_TOTO, "signatures": [{"publicKey": pem, "sig": twice}]}
            spec = {"content": {"envelope": envelope, "payloadHash": about}}
        return {"apiVersion": kind[1], "kind": kind[0], "spec": spec}


@pytest.fixture
def keyed(forge):
    return Keyed(forge)
