"""``https`` in ``http.fetch``: a certificate is checked against the name that was asked for."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.sandbox.interfaces.exchanges import fetch, response


@pytest.fixture(scope="session")
def authority_of_our_own(tmp_path_factory):
    """A certificate for ``api.example`` that signs itself, and a server context with it."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("api.example")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "ca.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ca.pem", folder / "key.pem")
    return context, folder / "ca.pem"


@pytest.mark.parametrize(("host", "trusted", "expected"), [
    ("api.example", True, "ok"), ("api.example", False, "unavailable"), ("other.example", True, "unavailable"),
])  # fmt: skip
def test_the_certificate_is_checked_against_the_name_not_the_address(
    serving, granting, ask, authority_of_our_own, monkeypatch, host, trusted, expected
):
    context, ca = authority_of_our_own
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(ca))
    server = serving(response(), tls=context)
    origin = f"https://{host}:{server.port}"
    answer = ask(granting(origin), "http.fetch", fetch(origin), resolver=lambda *_: ["127.0.0.1"])
    assert (answer.value["body"] if trusted and host == "api.example" else answer.code) == expected


def test_an_address_in_the_certificate_is_no_name(serving, granting, ask, authority_of_our_own, monkeypatch):
    context, ca = authority_of_our_own
    monkeypatch.setenv("SSL_CERT_FILE", str(ca))
    server = serving(response(), tls=context)
    assert ipaddress.ip_address("127.0.0.1").is_loopback
    assert ask(granting(server.origin), "http.fetch", fetch(server.origin)).code == "unavailable"
