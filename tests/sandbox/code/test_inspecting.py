"""Components seen from outside."""

from __future__ import annotations

import pytest
from wasmtime import wat2wasm

from remit.errors import ArtifactInvalid
from remit.sandbox.code.inspecting import inspect_component

MATH = """(component
  (core module $m
    (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
    (func (export "no")))
  (core instance $i (instantiate $m))
  (func $add (param "a" s32) (param "b" s32) (result s32) (canon lift (core func $i "add")))
  (func $no (canon lift (core func $i "no")))
  (export "add" (func $add))
  (instance $ops (export "add" (func $add)) (export "reset" (func $no)))
  (export "acme:math/ops@1.0.0" (instance $ops)))"""
GREEDY = """(component
  (import "remit:unit/secrets@0.1.0" (instance
    (type $r0 (enum "denied" "exhausted" "not-found" "conflict" "invalid" "unavailable" "timed-out"))
    (export "refusal" (type $r (eq $r0)))
    (type $e0 (record (field "code" $r) (field "message" string))) (export "host-error" (type $e (eq $e0)))
    (export "read" (func (param "name" string) (result (result string (error $e)))))))
  (import "remit:unit/clock@0.1.0" (instance (export "now-ms" (func (result u64)))))
  (import "wasi:io/poll@0.2.3" (instance))
  (import "remit:unit/log@0.1.0" (instance (export "write" (func (param "x" u64)))))
  (import "evil:host/shell@1.0.0" (instance (export "run" (func))))
  (import "bare" (func)))"""
RESOURCES = """(component
  (type $counter (resource (rep i32)))
  (export $c "counter" (type $counter))
  (core func $new (canon resource.new $counter))
  (core module $m (import "h" "new" (func $new (param i32) (result i32)))
    (func (export "make") (result i32) (call $new (i32.const 1))))
  (core instance $i (instantiate $m (with "h" (instance (export "new" (func $new))))))
  (func $make (result (own $c)) (canon lift (core func $i "make")))
  (export "make" (func $make)))"""


def test_the_functions_of_any_component_are_actions_with_schemas():
    found = inspect_component(bytes(wat2wasm(MATH)))
    assert (found.world, found.imports, found.capabilities, found.refused) == ("other", (), (), ())
    actions = {action.name: action for action in found.actions}
    assert set(actions) == {"add", "ops-add", "reset"}
    assert actions["ops-add"].export == "acme:math/ops@1.0.0#add"
    assert actions["add"].signature == "func(s32,s32)->s32"
    whole = {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1}
    assert actions["add"].schemas.input["properties"] == {"a": whole, "b": whole}
    assert actions["add"].schemas.output["type"] == "integer"
    assert actions["reset"].schemas.output["type"] == "null"


def test_imports_are_told_by_their_class_and_needs_by_capability():
    found = inspect_component(bytes(wat2wasm(GREEDY)))
    assert {one.name.partition("@")[0]: one.kind for one in found.imports} == {
        "remit:unit/secrets": "capability", "remit:unit/clock": "deterministic", "wasi:io/poll": "closed-wasi",
        "remit:unit/log": "refused", "evil:host/shell": "refused", "bare": "refused",
    }  # fmt: skip
    assert found.capabilities == ("secret:read",)
    assert set(found.refused) == {"remit:unit/log@0.1.0", "evil:host/shell@1.0.0", "bare"}


def test_a_component_of_our_world_is_told(echo, listener):
    tool = inspect_component(echo)
    assert (tool.world, tool.actions) == ("tool", ())
    assert tool.memories == 1
    assert inspect_component(listener).world == "tool"


def test_a_function_of_resources_says_why_it_is_no_action():
    (made,) = inspect_component(bytes(wat2wasm(RESOURCES))).actions
    assert made.schemas is None
    assert "no JSON form" in made.problem


@pytest.mark.parametrize("data", [b"", b"\0asm\x01\0\0\0", b"\0asm\x0d\0\x01\0\xff"])
def test_what_is_no_component_is_refused(data):
    with pytest.raises(ArtifactInvalid):
        inspect_component(data)
