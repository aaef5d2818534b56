"""What Remit signs, others verify; what others sign in a served domain, Remit verifies. They are the real ones."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import logging
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest
import uvicorn
from sigstore.errors import VerificationError
from sigstore.hashes import Hashed
from sigstore.models import Bundle, TrustedRoot
from sigstore.verify import Verifier
from sigstore.verify.policy import Identity as StockIdentity
from sigstore_models.common.v1 import HashAlgorithm
from sigstore_models.trustroot.v1 import TrustedRoot as Document

from remit.errors import SigningFailed
from remit.registry.trust import Artifact, Identity
from remit.registry.trust.domain import Domain
from remit.registry.trust.merkle import consistent
from remit.registry.trust.note import read_note
from remit.registry.trust.root import Root
from remit.registry.trust.service import application, trust_config
from remit.registry.trust.signing import DomainSigner, SigstoreSigner
from remit.registry.trust.statement import release_statement
from remit.registry.trust.verifier import verify_identity

ANN = "ann@example.com"
MODULES = Path(__file__).parents[3] / "build" / "npm"
PINNED = ["@sigstore/verify@4.1.3", "@sigstore/bundle@5.0.1", "@sigstore/protobuf-specs@0.5.2"]
ARTIFACT = Artifact.of(b"the manifest of a unit")
STATEMENT = release_statement(f"sha256:{ARTIFACT.sha256.hex()}", "acme/redact", "1.2.0", b"")
KINDS = ["artifact", "statement"]


@pytest.fixture
def living(tmp_path):
    """A domain under the machine's clock: others know no other."""
    return Domain.create(tmp_path / "living", "trust.example.com")


@pytest.fixture
def signed(living):
    signer = DomainSigner(living, ANN)
    return {"artifact": signer.sign_artifact(ARTIFACT), "statement": signer.sign_statement(STATEMENT)}


@pytest.fixture
def address(living):
    """Where the domain is served on loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        config = uvicorn.Config(application(living), log_level="critical", lifespan="off", ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.005)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = server.force_exit = True
        thread.join()


def stock(domain, data, kind, subject=ANN):
    """The stock verifier's word."""
    verifier = Verifier(trusted_root=TrustedRoot(Document.from_json(domain.trusted_root)))
    policy = StockIdentity(identity=subject, issuer=domain.issuer)
    if kind == "artifact":
        hashed = Hashed(algorithm=HashAlgorithm.SHA2_256, digest=ARTIFACT.sha256)
        return verifier.verify_artifact(hashed, Bundle.from_json(data), policy)
    return verifier.verify_dsse(Bundle.from_json(data), policy)


@pytest.mark.parametrize("kind", KINDS)
def test_the_stock_verifier_believes_both_and_only_their_signer(living, signed, kind):
    stock(living, signed[kind], kind)
    with pytest.raises(VerificationError):
        stock(living, signed[kind], kind, "bob@example.com")


@pytest.mark.parametrize("subject", [ANN, "bob@example.com"])
def test_the_stock_command_line_agrees(living, signed, tmp_path, subject, monkeypatch):
    from sigstore._cli import main  # noqa: PLC0415 - sets logging up when it is loaded

    (tmp_path / "artifact").write_bytes(ARTIFACT.data)
    (tmp_path / "bundle").write_bytes(signed["artifact"])
    (tmp_path / "config").write_text(json.dumps(trust_config(living, "http://127.0.0.1:1")))
    words = ["--trust-config", tmp_path / "config", "verify", "identity", "--offline", "--bundle", tmp_path / "bundle"]
    words += ["--cert-identity", subject, "--cert-oidc-issuer", living.issuer, tmp_path / "artifact"]
    monkeypatch.setattr(sys, "argv", ["sigstore", *map(str, words)])
    monkeypatch.setattr(logging.getLogger("sigstore"), "disabled", True)
    code = 0
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
    assert (code == 0) == (subject == ANN)


@pytest.fixture(scope="session")
def modules():
    """Sigstore's JavaScript, installed once into the build folder."""
    if not (MODULES / "node_modules" / "@sigstore" / "verify").is_dir():
        MODULES.mkdir(parents=True, exist_ok=True)
        quiet = ["--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
        subprocess.run(["npm", "install", *quiet, *PINNED], cwd=MODULES, check=True, timeout=240, capture_output=True)
    return MODULES


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_sigstores_javascript_believes_both_and_only_their_signer(living, signed, modules, tmp_path, kind):
    (tmp_path / "bundle").write_bytes(signed[kind])
    (tmp_path / "artifact").write_bytes(ARTIFACT.data)

    def verified(subject):
        script = Path(__file__).with_name("verify.cjs")
        words = [tmp_path / "bundle", living.folder / "trusted_root.json", tmp_path / "artifact", subject]
        done = subprocess.run(
            ["node", script, modules, *words, living.issuer], capture_output=True, text=True, timeout=120, check=False
        )
        return done.returncode, done.stdout.strip()

    assert verified(ANN) == (0, ANN)
    assert verified("bob@example.com")[0] != 0


def test_any_sigstore_client_signs_in_a_served_domain(living, address):
    config = httpx.get(f"{address}/trust_config.json").content
    signer = SigstoreSigner(config, living.token(ANN))
    root, whom = Root(httpx.get(f"{address}/trusted_root.json").content), Identity(ANN, living.issuer)
    assert verify_identity(signer.sign_artifact(ARTIFACT), ARTIFACT, root, whom).signer.subject == ANN
    found = verify_identity(signer.sign_statement(STATEMENT), ARTIFACT, root, whom)
    assert found.statement.predicate["id"] == "acme/redact"
    assert len(living.log) == 2


def test_a_served_domain_certifies_nobody_without_its_own_token(living, address, tmp_path):
    other = Domain.create(tmp_path / "other", "trust.example.com")
    config = httpx.get(f"{address}/trust_config.json").content
    with pytest.raises(SigningFailed):
        SigstoreSigner(config, other.token(ANN)).sign_artifact(ARTIFACT)
    assert len(living.log) == 0


@pytest.mark.parametrize("config", [b"", b"{}", b"\xff", b"[" * 100_000])
def test_what_is_no_trust_configuration_signs_nothing(living, config):
    with pytest.raises(SigningFailed):
        SigstoreSigner(config, living.token(ANN))


def test_a_served_log_shows_that_it_only_grew(living, address):
    signer = DomainSigner(living, ANN)
    signer.sign_artifact(ARTIFACT)
    first = read_note(httpx.get(f"{address}/rekor/api/v2/checkpoint").text)
    signer.sign_artifact(ARTIFACT)
    second = read_note(httpx.get(f"{address}/rekor/api/v2/checkpoint").text)
    words = {"old": first.size, "new": second.size}
    shown = httpx.get(f"{address}/rekor/api/v2/consistency", params=words).json()["hashes"]
    assert consistent(first.size, second.size, first.root, second.root, [base64.b64decode(one) for one in shown])


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/api/v2/signingCert", b"{}", 401),
        ("POST", "/rekor/api/v2/log/entries", b"{}", 400),
        ("POST", "/rekor/api/v2/log/entries", b"[" * 60_000, 400),
        ("POST", "/rekor/api/v2/log/entries", b"x" * 70_000, 413),
        ("POST", "/timestamp", b"no request", 400),
        ("GET", "/rekor/api/v2/consistency?old=2&new=1", b"", 400),
        ("GET", "/rekor/api/v2/consistency?old=-1&new=99999999999999999999", b"", 400),
        ("GET", "/domain.json", b"", 404),
        ("GET", "/keys1/authority.pem", b"", 404),
    ],
)
def test_a_served_domain_refuses_what_it_does_not_understand(address, method, path, body, status):
    assert httpx.request(method, f"{address}{path}", content=body).status_code == status


def test_a_page_elsewhere_that_was_pointed_at_this_machine_gets_nothing(address):
    assert httpx.get(f"{address}/trust_config.json", headers={"host": "evil.example"}).status_code == 400
