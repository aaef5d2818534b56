"""Strategies and folders that the registry's tests share."""

from __future__ import annotations

import pytest

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
