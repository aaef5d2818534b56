"""A right manifest of each kind, and what is wrong with a changed one."""

from __future__ import annotations

import copy

import pytest
import tomlkit

from remit.errors import ManifestInvalid
from remit.units import manifest as m

TOOL = {
    "schema": "unit/v1",
    "id": "acme/redact",
    "version": "1.2.0",
    "kind": "tool",
    "title": "Redact personal data",
    "license": "Apache-2.0",
    "runtime": {
        "abi": "component",
        "artifact": "redact.wasm",
        "memory": "64MiB",
        "deadline": "250ms",
        "fuel": 200_000_000,
        "reuse": "kept",
    },
    "requires": {
        "remit": ">=0.1,<0.2",
        "world": "0.1",
        "units": {"acme/base": "^1.0"},
        "conflicts": ["acme/old-redact"],
    },
    "parameters": {"schema": "schemas/parameters.json", "defaults": {"mask": "█"}},
    "action": [
        {"name": "redact", "input": "schemas/in.json", "output": "schemas/out.json", "idempotent": True},
        {"name": "count", "title": "Count only"},
    ],
    "fills": [{"slot": "guard", "action": "redact"}],
    "on": [{"topic": "ticket.created", "qos": "background", "attempts": 5}],
    "capability": [
        {
            "action": "net:http",
            "resource": "https://dictionary.example.com",
            "methods": ["GET"],
            "reason": "fetch the list of names to mask",
            "budget": {"window": "1h", "calls": 1000, "bytes": "1MiB"},
            "optional": True,
        },
        {"action": "events:emit", "resource": "text.redacted"},
    ],
    "patch": [
        {"target": "assistant", "op": "merge", "value": {"guards": {"redact": True}}},
        {"target": "routing", "op": "json-patch", "value": [{"op": "add", "path": "/a", "value": 1}]},
    ],
    "test": [{"action": "redact", "input": {"text": "mail bob@example.com"}, "expect": {"text": "mail █"}}],
    "build": {"tool": "componentize-py", "source": "src"},
}


CONFIG = {
    "schema": "unit/v1",
    "id": "acme/tone",
    "version": "0.1.0",
    "kind": "config",
    "patch": [{"target": "assistant", "value": {"tone": "warm"}}],
}


TRANSFORM = {
    "schema": "unit/v1",
    "id": "acme/score",
    "version": "0.1.0-rc.1",
    "kind": "transform",
    "runtime": {"artifact": "score.wasm"},
    "transform": {"reads": ["assistant"], "writes": ["routing"]},
}


NATIVE = {
    "schema": "unit/v1",
    "id": "acme/inside",
    "version": "0.1.0",
    "kind": "native",
    "runtime": {"artifact": "unit.native.json", "deadline": "5s"},
    "native": {"module": "unit"},
    "action": [{"name": "redact"}],
}


FILES = {
    "redact.wasm": b"\0asm",
    "schemas/parameters.json": b'{"type": "object", "properties": {"mask": {"type": "string"}}, "required": ["key"]}',
    "schemas/in.json": b'{"type": "object", "properties": {"text": {"type": "string"}}, "additionalProperties": false}',
    "schemas/out.json": b'{"type": "object"}',
}


def toml(document) -> bytes:
    return tomlkit.dumps(document).encode()


def faults_of(document) -> list[tuple[str, str]]:
    with pytest.raises(ManifestInvalid) as caught:
        m.parse(toml(document) if isinstance(document, dict) else document)
    return [(fault["path"], fault["message"]) for fault in caught.value.details["faults"]]


def paths_of(document) -> list[str]:
    return [path for path, _ in faults_of(document)]


def changed(document, **changes):
    return copy.deepcopy(document) | changes
