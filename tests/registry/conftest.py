"""Strategies and folders that the registry's tests share."""

from __future__ import annotations

import socket
import threading
import time

import pytest
import uvicorn

from remit.registry import Registry, Store, pack
from remit.registry.client import RegistryClient
from remit.registry.credentials import Credentials
from remit.registry.server import application

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
        listening = socket.socket(proto=socket.IPPROTO_TCP)
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        config = uvicorn.Config(app, log_level="critical", lifespan="off", access_log=False, ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        servers.append((server, thread, listening))
        while not server.started:
            time.sleep(0.005)
        return Registry(f"127.0.0.1:{listening.getsockname()[1]}")

    yield start
    for server, thread, listening in servers:
        server.should_exit = True
        server.force_exit = True
        thread.join()
        listening.close()


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
