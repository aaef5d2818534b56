"""Reactions and transforms through the SDK, natively and in the sandbox, against one host; and the SDK on its own."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from types import SimpleNamespace

import pytest
from remit_unit.native import Memory
from wasmtime import Engine
from wasmtime.component import Component

from remit.schemas import text
from remit.units.toolchains.sdks import sdk_folder

REACTING = """
from remit_unit import Handler, Rejected, on, state

__all__ = ["Handler"]


@on("ticket.created")
def count(event):
    if event["data"] is None:
        raise Rejected("a ticket has data")
    times = int(state.get(event["subject"]) or 0) + 1
    state.put(event["subject"], str(times))
    return {"times": times, "attempt": event["attempt"], "title": event["data"]["title"]}
"""

TRANSFORMING = """
from remit_unit import Transformer, json_patch, merge, parameters, transform

__all__ = ["Transformer"]


@transform
def size(documents):
    if "assistant" not in documents:
        raise ValueError("no assistant")
    return [
        merge("assistant", {"members": len(documents["assistant"]), "unit": parameters()["unit"]}),
        json_patch("assistant", [{"op": "add", "path": "/seen", "value": "█"}]),
    ]
"""

MANIFEST = """
schema = "unit/v1"
id = "acme/faces"
version = "1.0.0"
kind = "{kind}"
title = "One face of the SDK"
license = "Apache-2.0"
[runtime]
artifact = "faces.wasm"
memory = "64MiB"
[build]
tool = "componentize-py"
source = "src/{name}.py"
"""


@pytest.fixture
def project(tmp_path):
    """Writes a unit's folder; gives it and its module, loaded natively."""

    def write(name, kind, source, more):
        folder = tmp_path / name
        (folder / "src").mkdir(parents=True)
        (folder / "src" / f"{name}.py").write_text(source)
        (folder / "unit.toml").write_text(MANIFEST.format(kind=kind, name=name) + more)
        spec = importlib.util.spec_from_file_location(name, folder / "src" / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return folder, module

    return write


def natively(face, argument, host):
    """The face's answer as the sandbox would give it."""
    with host:
        try:
            return "ok", face(argument)
        except Exception as error:  # noqa: BLE001 - natively the unit's own error is the answer
            return ("rejected" if type(error).__name__ == "Rejected" else "failed"), str(error)


def native_event(event):
    return SimpleNamespace(**{name.replace("-", "_"): value for name, value in event.items()})


@pytest.mark.slow
def test_a_reaction_says_and_does_the_same_natively_and_in_the_sandbox(project, sandboxed, event):
    folder, module = project("reacting", "tool", REACTING, '[[on]]\ntopic = "ticket.created"\n')
    run = sandboxed(folder)
    one, other = Memory(), Memory()
    for change in ({}, {}, {"data": ""}, {"topic": "never.heard"}, {"subject": "Bob"}):
        expected = natively(module.Handler().handle, native_event(event | change), one)
        assert run("handler.handle", event | change, other) == expected
    assert one.state == other.state == {"Ada": ("2", 2), "Bob": ("1", 1)}


@pytest.mark.slow
def test_a_transform_answers_the_same_natively_and_in_the_sandbox(project, sandboxed):
    more = '[transform]\nreads = ["assistant"]\nwrites = ["assistant"]\n'
    folder, module = project("transforming", "transform", TRANSFORMING, more)
    run = sandboxed(folder)
    context = json.dumps({"documents": {"assistant": {"a": 1, "b": 2}}, "parameters": {"unit": "members"}})
    expected = natively(module.Transformer().transform, context, Memory({"unit": "members"}))
    assert run("transformer.transform", context, Memory({"unit": "members"})) == expected
    assert [patch["op"] for patch in json.loads(expected[1])["patches"]] == ["merge", "json-patch"]
    tag, said = run("transformer.transform", '{"documents": {}}', Memory())
    assert (tag, said.splitlines()[-1]) == ("failed", "ValueError: no assistant")


def test_the_sdk_carries_the_hosts_own_wit():
    assert (sdk_folder("python") / "remit_unit" / "wit" / "unit.wit").read_text("utf-8") == text("unit.wit")


@pytest.mark.slow
def test_componentize_py_alone_finds_the_world_in_the_sdk(tmp_path):
    (tmp_path / "unit.py").write_text("from remit_unit import Provider, Handler\n")
    words = ["-q", "-w", "tool", "componentize", "unit", "-p", ".", "-p", str(sdk_folder("python")), "-o", "unit.wasm"]
    entry = "import sys, componentize_py; sys.argv[0] = 'componentize-py'; sys.exit(componentize_py.script())"
    subprocess.run([sys.executable, "-P", "-c", entry, *words], cwd=tmp_path, check=True, capture_output=True)
    engine = Engine()
    kind = Component(engine, (tmp_path / "unit.wasm").read_bytes()).type
    assert {"remit:unit/provider@0.1.0", "remit:unit/handler@0.1.0"} <= set(kind.exports(engine))
