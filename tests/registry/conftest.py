"""Strategies and folders that the registry's tests share."""

from __future__ import annotations

import socket
import threading
import time

import httpx
import pytest
import uvicorn

from remit.registry import Reference, Registry, Store, pack
from remit.registry.client import RegistryClient
from remit.registry.credentials import Credentials
from remit.registry.server import application
from tests.registry.lying import NAME, Liar, listening

UNIT = b"""schema = "unit/v1"
id = "acme/redact"
version = "1.2.0"
kind = "tool"
[runtime]
artifact = "redact.wasm"
[parameters]
schema = "schemas/parameters.json"
[[action]]
name = "redact"
input = "schemas/in.json"
output = "schemas/in.json"
[build]
tool = "wat"
source = "redact.wat"
"""
FILES = {
    "unit.toml": UNIT,
    "redact.wasm": b"\0asm\x0d\0\x01\0",
    "schemas/in.json": b"{}",
    "schemas/parameters.json": b"{}",
    "README.md": b"# Redact\n",
    "LICENSE": b"Apache-2.0\n",
}


@pytest.fixture
def unit_files():
    return dict(FILES)


@pytest.fixture
def unit_folder(tmp_path):
    folder = tmp_path / "redact"
    for name, data in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    (folder / "redact.wat").write_bytes(b"(component)")
    (folder / ".env").write_bytes(b"TOKEN=hunter2")
    (folder / "notes.txt").write_bytes(b"not for others")
    return folder


@pytest.fixture
def make_bundle(unit_files):
    """Makes a bundle of ``acme/redact`` in a version, perhaps with other files: ``make_bundle("1.3.0", {...})``."""

    def make(version="1.2.0", more=None, **options):
        files = unit_files | {"unit.toml": UNIT.replace(b"1.2.0", version.encode())} | (more or {})
        return pack(files, **options)

    return make


@pytest.fixture
def serve():
    """Serves an ASGI application on loopback and gives its registry: ``serve(application(store))``."""
    servers = []

    def start(app):
        open_socket = socket.socket(proto=socket.IPPROTO_TCP)
        open_socket.bind(("127.0.0.1", 0))
        open_socket.listen()
        config = uvicorn.Config(app, log_level="critical", lifespan="off", access_log=False, ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [open_socket]}, daemon=True)
        thread.start()
        servers.append((server, thread, open_socket))
        while not server.started:
            time.sleep(0.005)
        return Registry(f"127.0.0.1:{open_socket.getsockname()[1]}")

    yield start
    for server, thread, open_socket in servers:
        server.should_exit = True
        server.force_exit = True
        thread.join()
        open_socket.close()


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "registry")


@pytest.fixture
def registry(store, serve):
    """Our own registry, served over HTTP."""
    return serve(application(store))


@pytest.fixture
def client(registry):
    with RegistryClient(registry, credentials=Credentials()) as client:
        yield client


@pytest.fixture
def http(registry):
    """Any HTTP client of our own registry."""
    with httpx.Client(base_url=registry.base, trust_env=False) as client:
        yield client


@pytest.fixture
def bundle(make_bundle):
    """``acme/redact`` 1.2.0."""
    return make_bundle("1.2.0")


@pytest.fixture
def liar(bundle):
    """The answers of a registry that has the bundle: a test makes some of them wrong."""
    return Liar(bundle)


@pytest.fixture
def pull(liar):
    """Pulls the bundle from the liar."""

    def go(deadline_ms=20_000, credentials=Credentials()):  # noqa: B008 - immutable
        with (
            listening(liar.answers, liar.seen) as place,
            RegistryClient(place, credentials=credentials, deadline_ms=deadline_ms) as client,
        ):
            return client.pull(Reference(place, NAME, version_range="^1"))

    return go
