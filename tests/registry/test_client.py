"""Pulling and pushing, against our own registry and against Debian's docker-registry."""

from __future__ import annotations

import socket
import subprocess
import time

import httpx
import pytest

from remit.errors import ReferenceUnknown, RegistryDenied, VersionTaken
from remit.kernel.model import Referrer
from remit.registry import Reference, Registry
from remit.registry.client import RegistryClient
from remit.registry.credentials import Credentials, credentials_for
from remit.registry.oci import SIGNATURE, sha256
from remit.registry.server import application
from remit.registry.users import User, Users

NAME = "acme/redact"


def at(registry, wanted):
    return Reference(registry, NAME, version_range=wanted)


@pytest.fixture
def debian_registry(program, tmp_path_factory):
    """Debian's docker-registry on loopback."""
    folder = tmp_path_factory.mktemp("docker-registry")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "config.yml").write_text(
        f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {folder}/data}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\n"
    )
    words = [program("docker-registry"), "serve", str(folder / "config.yml")]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        for _ in range(500):
            try:
                httpx.get(f"http://127.0.0.1:{port}/v2/", trust_env=False)
                break
            except httpx.TransportError:
                time.sleep(0.02)
        yield Registry(f"127.0.0.1:{port}")
        process.terminate()


@pytest.fixture(params=["own", "debian"])
def anywhere(request):
    """A client of either registry."""
    place = request.getfixturevalue("registry" if request.param == "own" else "debian_registry")
    with RegistryClient(place, credentials=Credentials()) as client:
        yield client


def test_what_was_pushed_is_pulled_byte_for_byte(anywhere, make_bundle):
    version = "1.0.0"
    bundle = make_bundle(version, {"schemas/big.json": bytes(3 << 20)})
    assert anywhere.push(NAME, bundle, version) is True
    for reference in (at(anywhere.registry, version), Reference(anywhere.registry, NAME, digest=bundle.digest)):
        pulled = anywhere.pull(reference)
        assert (pulled.digest, pulled.oci_manifest, pulled.files) == (
            bundle.digest,
            bundle.oci_manifest,
            bundle.files,
        )


def test_what_refers_to_a_unit_travels_with_it(anywhere, make_bundle):
    first = Referrer(SIGNATURE, b'{"first":1}')
    bundle = make_bundle("1.1.0", referrers=[first])
    anywhere.push(NAME, bundle, "1.1.0")
    later = Referrer(SIGNATURE, b'{"later":2}')
    anywhere.attach(NAME, bundle.digest, later)
    anywhere.attach(NAME, bundle.digest, later)
    assert set(anywhere.pull(at(anywhere.registry, "1.1.0")).referrers) == {first, later}


def test_the_same_again_changes_nothing_and_another_is_a_conflict(anywhere, make_bundle):
    bundle = make_bundle("2.0.0")
    anywhere.push(NAME, bundle, "2.0.0")
    assert anywhere.push(NAME, bundle, "2.0.0") is False
    with pytest.raises(VersionTaken):
        anywhere.push(NAME, make_bundle("2.0.0", {"README.md": b"other"}), "2.0.0")
    assert anywhere.pull(at(anywhere.registry, "2.0.0")).digest == bundle.digest


def test_a_range_takes_the_best_version_in_it(anywhere, make_bundle):
    for version in ("3.0.0", "3.1.0", "3.2.0-rc.1", "4.0.0+build.5"):
        anywhere.push(NAME, make_bundle(version), version)
    assert anywhere.pull(at(anywhere.registry, "^3.0")).digest == make_bundle("3.1.0").digest
    assert anywhere.pull(at(anywhere.registry, ">=4")).digest == make_bundle("4.0.0+build.5").digest
    with pytest.raises(ReferenceUnknown, match="no version in"):
        anywhere.pull(at(anywhere.registry, "^9"))


def test_an_unknown_repository_or_digest_is_unknown(anywhere):
    for reference in (
        Reference(anywhere.registry, "acme/nothing", version_range="*"),
        Reference(anywhere.registry, NAME, digest=sha256(b"nothing")),
    ):
        with pytest.raises(ReferenceUnknown):
            anywhere.pull(reference)


def test_only_who_may_write_for_a_publisher_writes(store, serve, make_bundle):
    users = Users({"ann": User(sha256(b"s3cret"), ("acme",)), "bob": User(sha256(b"other"), ("globex",))})
    place = serve(application(store, users))

    def attempt(credentials):
        with RegistryClient(place, credentials=credentials) as client:
            client.push(NAME, make_bundle("1.0.0"), "1.0.0")

    basic = {"bob": "Ym9iOm90aGVy", "ann": "YW5uOnMzY3JldA==", "wrong": "YW5uOndyb25n"}
    for refused in (Credentials(), Credentials(basic["bob"]), Credentials(basic["wrong"]), Credentials(bearer="no")):
        with pytest.raises(RegistryDenied):
            attempt(refused)
    attempt(Credentials(basic["ann"]))
    attempt(Credentials(bearer="s3cret"))
    with RegistryClient(place, credentials=Credentials()) as client:
        assert client.log()[0].by == "ann"


def test_credentials_come_from_the_file_that_docker_keeps(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    assert credentials_for("a.example") == Credentials()
    (tmp_path / "config.json").write_text('{"auths": {"a.example": {"auth": "YTpi"}}}')
    assert credentials_for("a.example") == Credentials("YTpi")
    assert credentials_for("b.example") == Credentials()
    assert "YTpi" not in repr(credentials_for("a.example"))
    for broken in ("{", '{"auths": {"a.example": {"auth": "not base64"}}}', "[" * 100_000):
        (tmp_path / "config.json").write_text(broken)
        assert credentials_for("a.example") == Credentials()
