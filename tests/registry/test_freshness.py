"""A registry as files, attested by its keeper: old copies, mixtures and what nobody attested are noticed."""

from __future__ import annotations

import json
import shutil
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, TargetFile

from remit.errors import (
    ConfigInvalid,
    MetadataExpired,
    MetadataForged,
    MetadataMixed,
    MetadataRolledBack,
    NotAttested,
    RegistryError,
    StoreInvalid,
)
from remit.host import Home
from remit.registry import RegistrySource
from remit.registry.attest import Attester
from remit.registry.static import export
from remit.testing import VirtualClock

NAME = "acme/redact"
DAY_MS = 86_400_000


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class Public:
    """A folder behind a web server that knows nothing of registries, exported to by a keeper."""

    def __init__(self, folder, address, store, keys):
        self.folder = folder
        self.address = address
        self._store = store
        self._keys = keys

    def export(self, keys=None, ago_ms=0):
        shutil.rmtree(self.folder)
        attester = Attester(keys or self._keys, VirtualClock(int(time.time() * 1000) - ago_ms))
        export(self._store, self.folder, attester=attester)
        return attester.root

    def metadata(self, name):
        return self.folder / "tuf" / name


@pytest.fixture
def public(tmp_path, store):
    folder = tmp_path / "public"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield Public(folder, f"127.0.0.1:{server.server_address[1]}", store, tmp_path / "keys")
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def publish(client, make_bundle):
    def publish(version):
        client.push(NAME, make_bundle(version), version)

    return publish


@pytest.fixture
def pinned(tmp_path, public):
    """A home that pins a root: ``pinned(path of the root)``."""

    def pin(root):
        home = Home.create(tmp_path / "home")
        shutil.copy(root, home.root / "root.json")
        with home.config_path.open("a") as file:
            file.write(f'[registry.ours]\nurl = "oci://{public.address}"\nroot = "root.json"\n')
        return RegistrySource(home)

    return pin


def copy_of(public, tmp_path):
    return Path(shutil.copytree(public.folder, tmp_path / "copy"))


def put_back(copy, public):
    shutil.rmtree(public.folder)
    shutil.copytree(copy, public.folder)


def test_an_attested_registry_gives_its_best_version_and_all_of_them(public, publish, pinned, make_bundle):
    for version in ("1.0.0", "1.1.0"):
        publish(version)
    source = pinned(public.export())
    assert source.fetch(NAME).digest == make_bundle("1.1.0").digest
    assert source.fetch(f"oci://{public.address}/{NAME}:1.0.0").digest == make_bundle("1.0.0").digest
    assert {one.version for one in source.releases()(NAME)} == {"1.0.0", "1.1.0"}


def test_what_is_exported_anew_is_seen(public, publish, pinned, make_bundle):
    publish("1.0.0")
    source = pinned(public.export())
    source.fetch(NAME)
    publish("1.1.0")
    public.export()
    assert source.fetch(NAME).digest == make_bundle("1.1.0").digest


def test_an_old_copy_of_the_whole_is_noticed(public, publish, pinned, tmp_path):
    publish("1.0.0")
    root = public.export()
    old = copy_of(public, tmp_path)
    publish("1.1.0")
    public.export()
    source = pinned(root)
    source.fetch(NAME)
    put_back(old, public)
    with pytest.raises(MetadataRolledBack):
        source.fetch(NAME)


def test_a_registry_that_is_not_attested_anew_is_believed_no_more(public, publish, pinned):
    publish("1.0.0")
    source = pinned(public.export(ago_ms=8 * DAY_MS))
    with pytest.raises(MetadataExpired):
        source.fetch(NAME)


def test_an_older_list_beside_newer_metadata_is_noticed(public, publish, pinned):
    publish("1.0.0")
    public.export()
    older = (public.folder / "units.jsonl").read_bytes()
    publish("1.1.0")
    root = public.export()
    (public.folder / "units.jsonl").write_bytes(older)
    with pytest.raises(NotAttested):
        pinned(root).fetch(NAME)


def test_parts_of_different_ages_are_noticed(public, publish, pinned):
    publish("1.0.0")
    public.export()
    older = public.metadata("1.snapshot.json").read_bytes()
    publish("1.1.0")
    root = public.export()
    public.metadata("2.snapshot.json").write_bytes(older)
    with pytest.raises(MetadataMixed):
        pinned(root).fetch(NAME)


def test_a_missing_part_is_noticed(public, publish, pinned):
    publish("1.0.0")
    root = public.export()
    public.metadata("1.by-acme.json").unlink()
    with pytest.raises(MetadataMixed):
        pinned(root).fetch(NAME)


def test_metadata_under_other_keys_is_noticed(public, publish, pinned, tmp_path):
    publish("1.0.0")
    root = public.export()
    public.export(keys=tmp_path / "others")
    with pytest.raises(MetadataForged):
        pinned(root).fetch(NAME)


@pytest.mark.parametrize("part", ["timestamp.json", "1.snapshot.json", "1.targets.json", "1.by-acme.json"])
def test_metadata_that_was_changed_is_noticed(public, publish, pinned, part):
    publish("1.0.0")
    root = public.export()
    changed = json.loads(public.metadata(part).read_text())
    changed["signed"]["expires"] = "2099-01-01T00:00:00Z"
    public.metadata(part).write_text(json.dumps(changed))
    with pytest.raises(MetadataForged):
        pinned(root).fetch(NAME)


def test_a_publisher_s_key_speaks_for_that_publisher_alone(public, publish, pinned, tmp_path, make_bundle):
    publish("1.0.0")
    root = public.export()
    stranger = make_bundle("1.0.0", {"README.md": b"# Mine\n"}).oci_manifest
    log = (public.folder / "units.jsonl").read_bytes()
    shutil.rmtree(public.folder / "tuf")
    attester = Attester(tmp_path / "keys", VirtualClock(int(time.time() * 1000)))
    attester.attest(public.folder, log, {"globex/tool": {"1.0.0": stranger}})
    role = Metadata.from_file(str(public.metadata("2.by-globex.json")))
    role.signed.targets[f"{NAME}/1.0.0"] = TargetFile.from_data(f"{NAME}/1.0.0", make_bundle("1.0.0").oci_manifest)
    key = load_pem_private_key((tmp_path / "keys" / "by-globex.pem").read_bytes(), password=None)
    role.sign(CryptoSigner(key))
    role.to_file(str(public.metadata("2.by-globex.json")))
    with pytest.raises(NotAttested):
        pinned(root).fetch(NAME)


def test_a_registry_without_metadata_is_not_believed_where_its_root_is_pinned(public, publish, pinned):
    publish("1.0.0")
    root = public.export()
    shutil.rmtree(public.folder / "tuf")
    with pytest.raises(RegistryError):
        pinned(root).fetch(NAME)


def test_a_version_that_nobody_lists_is_not_given_by_its_digest_either(public, publish, pinned, make_bundle):
    publish("1.0.0")
    root = public.export()
    with pytest.raises(NotAttested):
        pinned(root).fetch(f"oci://{public.address}/{NAME}@{make_bundle('1.1.0').digest}")


def test_a_root_under_the_same_keys_follows_the_pinned_one_before_it_ends(public, publish, pinned, make_bundle):
    publish("1.0.0")
    first = public.export(ago_ms=320 * DAY_MS)
    source = pinned(first)
    second = public.export()
    assert (first.name, second.name) == ("1.root.json", "2.root.json")
    assert source.fetch(NAME).digest == make_bundle("1.0.0").digest


def test_the_keeper_s_keys_are_for_the_keeper_alone(public, publish, tmp_path):
    publish("1.0.0")
    public.export()
    keys = tmp_path / "keys"
    assert keys.stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in keys.glob("*.pem"))
    assert not list(public.folder.rglob("*.pem"))


def test_a_damaged_key_is_refused(public, publish, tmp_path):
    publish("1.0.0")
    public.export()
    (tmp_path / "keys" / "snapshot.pem").write_bytes(b"no key")
    with pytest.raises(StoreInvalid):
        public.export()


@pytest.mark.parametrize("content", [None, b"no json", b"{}"])
def test_a_root_that_is_none_is_refused(public, publish, pinned, content, tmp_path):
    publish("1.0.0")
    source = pinned(public.export())
    path = tmp_path / "home" / "root.json"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises((ConfigInvalid, MetadataMixed)):
        source.fetch(NAME)


def test_a_peer_gives_what_is_named_by_its_digest_and_is_checked_the_same(
    public, publish, pinned, registry, make_bundle, tmp_path
):
    publish("1.0.0")
    source = pinned(public.export())
    config = tmp_path / "home" / "remit.toml"
    config.write_text(config.read_text() + f'peers = ["oci://127.0.0.1:1", "oci://{registry.host}"]\n')
    for blob in (public.folder / "v2" / NAME / "blobs").iterdir():
        blob.unlink()
    assert source.fetch(NAME).digest == make_bundle("1.0.0").digest
