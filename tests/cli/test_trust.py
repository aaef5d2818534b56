"""Keeping a trust domain, saying whom a home trusts, signing and verifying: from the command line."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from remit.registry.trust import Artifact
from remit.registry.trust.domain import Domain
from remit.registry.trust.signing import DomainSigner

ANN, ISSUER = "ann@example.com", "https://oidc.trust.example.com"
WHO = ("--identity", ANN, "--issuer", ISSUER)
CERTIFIED = ("--certificate-identity", ANN, "--certificate-oidc-issuer", ISSUER)


@pytest.fixture
def domain(remit, tmp_path):
    remit("trust", "init", tmp_path / "domain", "--name", "trust.example.com", "--home", tmp_path)
    return tmp_path / "domain"


@pytest.fixture
def signed(remit, domain, units, tmp_path):
    target = tmp_path / "echo.unit"
    remit("unit", "sign", units / "echo", "-o", target, "--domain", domain, "--identity", ANN)
    return target


@pytest.fixture
def artifact(domain, tmp_path):
    """A file, and the bundle of a signature over it."""
    (tmp_path / "file").write_bytes(b"some artifact")
    data = DomainSigner(Domain(domain), ANN).sign_artifact(Artifact.of(b"some artifact"))
    (tmp_path / "bundle.json").write_bytes(data)
    return tmp_path / "file", tmp_path / "bundle.json"


def asked(remit, *words, code=0):
    return json.loads(remit(*words, "--json", code=code).stdout)


def test_a_bundle_is_verified_as_other_clients_do(remit, domain, artifact):
    file, bundle = artifact
    words = ("trust", "verify-bundle", "--bundle", bundle, "--trusted-root", domain / "trusted_root.json")
    digest = f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}"
    for target in (file, digest):
        assert asked(remit, *words, *CERTIFIED, target)["signer"]["subject"] == ANN
    other = ("--certificate-identity", "bob@example.com", "--certificate-oidc-issuer", ISSUER)
    assert "error[RM-2240]" in remit(*words, *other, file, code=1).stderr
    assert remit(*words, *CERTIFIED, "sha256:" + "0" * 64, code=1).stderr.startswith("error[RM-22")
    assert remit("trust", "verify-bundle", "--bundle", bundle, *CERTIFIED, file, code=1)  # the public root


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--certificate-identity", ANN),
        (*CERTIFIED, "--key", "missing.pub"),
        (*CERTIFIED, "--trusted-root", "missing.json"),
    ],
)
def test_a_question_that_is_none_is_told_apart_from_a_rejection(remit, artifact, words):
    file, bundle = artifact
    assert "error[RM-1000]" in remit("trust", "verify-bundle", "--bundle", bundle, *words, file, code=64).stderr


def test_what_is_no_bundle_is_rejected_whatever_it_is(remit, domain, tmp_path):
    for data in (b"", b"{", b"[" * 100_000, os.urandom(1000), b'{"mediaType": 7}'):
        (tmp_path / "odd").write_bytes(data)
        words = ("--bundle", tmp_path / "odd", "--trusted-root", domain / "trusted_root.json", *CERTIFIED)
        assert "error[RM-22" in remit("trust", "verify-bundle", *words, "sha256:" + "0" * 64, code=1).stderr


def test_a_domain_is_shown_rotated_and_gives_tokens(remit, domain):
    before = asked(remit, "trust", "show", domain)
    assert (before["name"], before["issuer"], before["entries"]) == ("trust.example.com", ISSUER, 0)
    after = asked(remit, "trust", "rotate", domain, "log", "--home", domain.parent)
    assert [len(after["trusted"]["tlogs"]), len(before["trusted"]["tlogs"])] == [2, 1]
    assert asked(remit, "trust", "show", domain, "--token", ANN)["token"].count(".") == 2
    assert "error[RM-2292]" in remit("trust", "init", domain, "--name", "x.example", "--home", "/", code=1).stderr
    assert "error[RM-2291]" in remit("trust", "show", domain.parent, code=1).stderr
    assert "error[RM-1000]" in remit("trust", "init", domain.parent / "d2", "--name", "no name", code=64).stderr


@pytest.mark.usefixtures("home")
def test_a_home_says_whom_it_trusts(remit, domain, signed):
    assert "Nobody is trusted" in remit("trust", "show").stdout
    remit("trust", "import", domain, "--publisher", "acme", *WHO)
    shown = asked(remit, "trust", "show")
    assert list(shown["roots"]) == ["trust.example.com"]
    who = {"subject": ANN, "issuer": ISSUER}
    assert shown["signers"] == [{"publisher": "acme", "signer": who, "pin": "named", "root": "trust.example.com"}]
    assert asked(remit, "unit", "verify", signed)["signer"] == f"{ANN} ({ISSUER})"
    [installed] = asked(remit, "unit", "install", signed)["installed"]
    assert installed["ref"]["admission"] == "signed"
    [entry] = asked(remit, "unit", "list")["units"]
    assert entry["signer"] == installed["signer"]
    assert f"signed by {ANN}" in remit("unit", "show", "acme/echo").stdout
    assert "retired" in remit("trust", "retire", "--publisher", "acme", *WHO).stdout
    assert "error[RM-2283]" in remit("unit", "verify", signed, code=1).stderr
    assert "error[RM-2295]" in remit("trust", "retire", "nobody", code=1).stderr


@pytest.mark.usefixtures("home")
def test_the_public_instance_is_one_like_others(remit, signed):
    roots = asked(remit, "trust", "import", "--public", "--name", "public")["roots"]
    assert list(roots) == ["public"]
    assert "error[RM-22" in remit("unit", "verify", signed, code=1).stderr


def test_a_policy_may_forbid_a_domain_inside_its_home(remit, home, domain):
    (home / "policy").mkdir(exist_ok=True)
    (home / "policy" / "site.cedar").write_text(
        '@id("site.no-keys") @why("keys are made elsewhere")\n'
        'forbid (principal, action == Remit::Action::"trust:change", resource is Remit::TrustDomain);'
    )
    assert "site.no-keys" in remit("trust", "init", home / "d", "--name", "x.example", code=3).stderr
    assert "site.no-keys" in remit("trust", "import", domain, code=3).stderr
    assert not (home / "d").exists()


def test_a_policy_may_name_a_publishers_signer(remit, home, domain, signed):
    remit("trust", "import", domain)
    (home / "policy").mkdir(exist_ok=True)
    site = (
        '@id("site.acme") @why("its release job signs")\nforbid (principal, action == Remit::Action::"unit:install", '
    )
    site += 'resource is Remit::Unit)\nwhen {{ resource.publisher == Remit::Publisher::"acme" }}\n'
    site += 'unless {{ context has signer && context.signer == "{}" }};'
    (home / "policy" / "site.cedar").write_text(site.format("job@example.com"))
    assert "site.acme" in remit("unit", "install", signed, code=3).stderr
    (home / "policy" / "site.cedar").write_text(site.format(ANN))
    remit("unit", "install", signed)


@pytest.mark.parametrize(
    "how",
    [
        (),
        ("--identity", ANN),
        ("--domain", "DOMAIN"),
        ("--domain", "DOMAIN", "--identity", ANN, "--key", "KEY"),
        ("--instance", "KEY"),
        ("--key", "missing.pem"),
    ],
)
def test_signing_in_no_way_or_two_is_refused(remit, units, domain, tmp_path, how):
    (tmp_path / "key").write_text("no key")
    places = {"DOMAIN": domain, "KEY": tmp_path / "key"}
    words = [places.get(word, word) for word in how]
    refused = remit("unit", "sign", units / "echo", "-o", tmp_path / "x.unit", *words, code=64).stderr
    assert "error[RM-1000]" in refused
    assert not (tmp_path / "x.unit").exists()


@pytest.mark.parametrize("subject", ["", "nobody", "a b@example.com", "ann@example.com\0", "é@example.com", "x" * 5000])
def test_nobody_signs_under_a_name_that_is_none(remit, units, domain, tmp_path, subject):
    words = ("--domain", domain, "--identity", subject)
    done = remit("unit", "sign", units / "echo", "-o", tmp_path / "x.unit", *words, code=None)
    assert done.exit_code in (1, 64)
    assert "error[RM-" in done.stderr


@pytest.mark.usefixtures("home")
def test_any_client_signs_in_a_served_domain(remit, domain, units, tmp_path):
    words = [str(Path(sys.executable).with_name("remit")), "trust", "serve", str(domain), "--port", "0", "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        address = json.loads(process.stdout.readline())["address"]
        (tmp_path / "config.json").write_bytes(httpx.get(f"{address}/trust_config.json").content)
        (tmp_path / "token").write_text(asked(remit, "trust", "show", domain, "--token", ANN)["token"])
        how = ("--instance", tmp_path / "config.json", "--token", tmp_path / "token")
        remit("unit", "sign", units / "echo", "-o", tmp_path / "served.unit", *how)
        process.send_signal(signal.SIGINT)
    remit("trust", "import", tmp_path / "config.json")
    assert asked(remit, "unit", "verify", tmp_path / "served.unit")["facts"]["signer"] == ANN


@pytest.mark.usefixtures("home")
def test_what_else_is_said_travels_along(remit, domain, units, tmp_path):
    (tmp_path / "bom.json").write_text('{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": []}')
    words = ("--domain", domain, "--identity", ANN, "--sbom", tmp_path / "bom.json")
    done = asked(remit, "unit", "sign", units / "echo", "-o", tmp_path / "said.unit", *words)
    assert done["signatures"] == 2
    remit("trust", "import", domain)
    assert asked(remit, "unit", "install", tmp_path / "said.unit")["installed"][0]["ref"]["admission"] == "signed"
    (tmp_path / "bom.json").write_text("{}")
    assert "error[RM-2212]" in remit("unit", "sign", tmp_path / "said.unit", *words, code=1).stderr
