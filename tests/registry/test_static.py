"""A registry as plain files behind a web server that knows nothing of registries."""

from __future__ import annotations

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from remit.errors import StoreInvalid
from remit.kernel.model import Referrer
from remit.registry import Reference, Registry
from remit.registry.client import RegistryClient
from remit.registry.credentials import Credentials
from remit.registry.oci import SIGNATURE
from remit.registry.static import export

NAME = "acme/redact"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def test_what_was_exported_is_read_as_from_the_registry(client, make_bundle, store, tmp_path):
    signature = Referrer(SIGNATURE, b'{"signed":1}')
    for version in ("1.0.0", "1.1.0"):
        client.push(NAME, make_bundle(version, referrers=[signature]), version)
    assert export(store, tmp_path / "public") == 2
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "public")))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        place = Registry(f"127.0.0.1:{server.server_address[1]}")
        with RegistryClient(place, credentials=Credentials()) as reader:
            pulled = reader.pull(Reference(place, NAME, version_range="^1"))
            assert (pulled.digest, pulled.referrers) == (make_bundle("1.1.0").digest, (signature,))
            assert [entry.version for entry in reader.log()] == ["1.0.0", "1.1.0"]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_folder_that_holds_something_is_left_alone(store, tmp_path):
    (tmp_path / "public").mkdir()
    (tmp_path / "public" / "index.html").write_text("mine")
    with pytest.raises(StoreInvalid):
        export(store, tmp_path / "public")
