"""What the verifier adds to the stock one, and what it shares with every Sigstore client."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import sys
from datetime import timedelta

import pytest
from sigstore.models import Bundle, TrustedRoot
from sigstore.verify import Verifier, policy
from sigstore_models.trustroot.v1 import TrustedRoot as Document

from remit.errors import Rejected
from remit.errors import signatures as why
from remit.registry.trust import Artifact, Identity
from remit.registry.trust.domain import Domain
from remit.registry.trust.root import Root, public_root
from remit.registry.trust.signing import DomainSigner
from remit.registry.trust.stamper import stamp_request
from remit.registry.trust.verifier import verify_identity

ARTIFACT = Artifact.of(b"the manifest of a unit")


def at(time):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def verify(forge, document, root=None, artifact=ARTIFACT):
    identity = Identity("ann@example.com", forge.domain.issuer)
    return verify_identity(json.dumps(document).encode(), artifact, root or forge.root(), identity)


def ending(name, end):
    def edit(root):
        [entry] = root[name]
        entry.get("publicKey", entry)["validFor"]["end"] = at(end)

    return edit


@pytest.mark.parametrize("name", ["tlogs", "ctlogs", "certificateAuthorities", "timestampAuthorities"])
def test_the_end_of_a_validity_is_part_of_it(forge, name):
    document, now = forge.bundle(), forge.now()
    assert verify(forge, document, forge.root(ending(name, now)))
    with pytest.raises(Rejected):
        verify(forge, document, forge.root(ending(name, now - timedelta(seconds=1))))


def test_a_timestamp_does_not_borrow_the_time_of_another_authority(forge):
    def borrow(root):
        ending("timestampAuthorities", forge.now() - timedelta(days=1))(root)
        root["timestampAuthorities"].append(
            {"subject": {}, "certChain": {"certificates": []}, "validFor": {"start": "2020-01-01T00:00:00Z"}}
        )

    with pytest.raises(Rejected):
        verify(forge, forge.bundle(), forge.root(borrow))


def test_every_timestamp_is_held_to_the_certificate(forge):
    document = forge.bundle()
    stamps = document["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"]
    signature = base64.b64decode(document["dsseEnvelope"]["signatures"][0]["sig"])
    late = forge.domain.stamper.stamp(stamp_request(signature), forge.now() + timedelta(hours=1), 5)
    stamps.append({"signedTimestamp": base64.b64encode(late).decode()})
    with pytest.raises(why.CertificateExpired):
        verify(forge, document)


@pytest.mark.parametrize("name", ["tlogs", "ctlogs", "certificateAuthorities"])
def test_a_root_whose_key_has_no_beginning_is_refused(forge, name):
    def edit(root):
        [entry] = root[name]
        del entry.get("publicKey", entry)["validFor"]["start"]

    with pytest.raises(why.RootMalformed):
        forge.root(edit)


def test_a_log_key_without_any_validity_is_refused(forge):
    def edit(root):
        del root["tlogs"][0]["publicKey"]["validFor"]

    with pytest.raises(why.RootMalformed):
        forge.root(edit)


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"no", b'{"mediaType": "x"}'])
def test_a_root_that_is_none_is_refused(data):
    with pytest.raises(why.RootMalformed):
        Root(data)


@pytest.mark.parametrize("name", ["tlogs", "ctlogs", "certificateAuthorities"])
def test_an_empty_root_verifies_no_certificate(forge, name):
    with pytest.raises(why.RootEmpty):
        verify(forge, forge.bundle(), forge.root(lambda root: root[name].clear()))


def test_an_envelope_may_stand_in_the_log_as_rekors_first_version_has_it(forge, domain):
    """The stock verifier does not know this combination; the specification does."""

    def first_version(body):
        inner = body["spec"]["hashedRekordV002"]
        raw = inner["signature"]["verifier"]["x509Certificate"]["rawBytes"]
        lines = "\n".join(raw[at : at + 64] for at in range(0, len(raw), 64))
        pem = f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n"
        value = base64.b64decode(inner["data"]["digest"]).hex()
        spec = {
            "data": {"hash": {"algorithm": "sha256", "value": value}},
            "signature": {
                "content": inner["signature"]["content"],
                "publicKey": {"content": base64.b64encode(pem.encode()).decode()},
            },
        }
        return {"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": spec}

    assert verify(forge, forge.bundle(entry=first_version)).statement is not None
    del domain


def test_the_stock_verifier_believes_what_a_domain_signs(forge, domain):
    root = TrustedRoot(Document.from_json(domain.trusted_root))
    identity = policy.Identity(identity="ann@example.com", issuer=domain.issuer)
    signer = DomainSigner(domain, "ann@example.com")
    Verifier(trusted_root=root).verify_artifact(
        ARTIFACT.data, Bundle.from_json(signer.sign_artifact(ARTIFACT)), identity
    )
    kind, payload = Verifier(trusted_root=root).verify_dsse(Bundle.from_json(signer.sign_statement(b"{}")), identity)
    assert (kind, payload) == ("application/vnd.in-toto+json", b"{}")
    del forge


def test_a_uri_signs_as_well_as_an_address(domain):
    subject = "https://example.com/acme/redact/.ci/release.yml@refs/tags/v1"
    data = DomainSigner(domain, subject).sign_artifact(ARTIFACT)
    found = verify_identity(data, ARTIFACT, Root(domain.trusted_root))
    assert (found.signer.subject, found.signer.issuer) == (subject, domain.issuer)


def test_verifying_opens_no_connection(forge, monkeypatch):
    document = forge.bundle()

    def refuse(*_arguments, **_options):
        pytest.fail("a socket was asked for")

    for name in ("socket", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refuse)
    assert verify(forge, document)


def test_the_public_root_comes_with_the_package():
    assert len(public_root().document.certificate_authorities) >= 1


def test_the_room_loads_no_sigstore_before_it_is_needed():
    program = "import sys, remit.registry, remit.registry.trust, remit.host; print('sigstore' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_whatever_a_library_raises_is_a_rejection(forge, monkeypatch):
    def burst(*_arguments, **_options):
        raise MemoryError

    monkeypatch.setattr(Verifier, "verify_dsse", burst)
    monkeypatch.setattr(Verifier, "verify_artifact", burst)
    with pytest.raises(Rejected):
        verify(forge, forge.bundle())


@pytest.mark.parametrize("whole", [True, False])
def test_an_authority_of_the_same_name_before_the_right_one_confuses_nobody(forge, tmp_path, clock, whole):
    """The certificate's log signs over the key of its issuer, which its name does not tell."""
    twin = json.loads(Domain.create(tmp_path / "twin", "trust.example.com", clock).trusted_root)
    [decoy] = twin["certificateAuthorities"]
    if not whole:
        decoy["certChain"]["certificates"] = decoy["certChain"]["certificates"][:1]
    root = forge.root(lambda document: document["certificateAuthorities"].insert(0, decoy))
    assert verify(forge, forge.bundle(), root)
