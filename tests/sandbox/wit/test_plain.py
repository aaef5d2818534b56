"""Functions of any component as actions: JSON in and out, under the same bounds as a unit of our world."""

from __future__ import annotations

import asyncio
import hashlib
import json

import pytest
from wasmtime import wat2wasm

from remit.errors import (
    DeadlineExceeded,
    ExportMissing,
    GuestTrapped,
    HostFault,
    InputInvalid,
    OutputTooLarge,
)
from remit.kernel.model import Limits, Program, UnitRef
from tests.sandbox.conftest import SimulatedDoor

CALC = """(component
  (core module $m
    (memory (export "memory") 2)
    (global $top (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $top) (i32.const 15)) (i32.const -16)))
      (global.set $top (i32.add (local.get $at) (local.get 3)))
      (if (i32.gt_u (global.get $top) (i32.mul (memory.size) (i32.const 65536)))
        (then (drop (memory.grow (i32.const 16)))))
      (local.get $at))
    (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
    (func (export "big") (param i64) (result i64) (local.get 0))
    (func (export "half") (param f64) (result f64) (f64.div (local.get 0) (f64.const 0)))
    (func (export "echo") (param i32 i32) (result i32)
      (i32.store (i32.const 16) (local.get 0)) (i32.store (i32.const 20) (local.get 1)) (i32.const 16))
    (func (export "divide") (param i32 i32) (result i32)
      (if (result i32) (local.get 1)
        (then (i32.store8 (i32.const 32) (i32.const 0))
              (i32.store (i32.const 36) (i32.div_s (local.get 0) (local.get 1))) (i32.const 32))
        (else (i32.store8 (i32.const 32) (i32.const 1)) (i32.store8 (i32.const 36) (i32.const 1)) (i32.const 32))))
    (func (export "spin") (loop $l (br $l)))
    (func (export "nothing"))
    (func (export "trap") unreachable))
  (core instance $i (instantiate $m))
  (alias core export $i "memory" (core memory $mem))
  (alias core export $i "realloc" (core func $realloc))
  (func $add (param "a" s32) (param "b" s32) (result s32) (canon lift (core func $i "add")))
  (func $big (param "value" u64) (result u64) (canon lift (core func $i "big")))
  (func $half (param "value" f64) (result f64) (canon lift (core func $i "half")))
  (func $spin (canon lift (core func $i "spin")))
  (func $nothing (canon lift (core func $i "nothing")))
  (func $trap (canon lift (core func $i "trap")))
  (func $bytes (param "data" (list u8)) (result (list u8))
    (canon lift (core func $i "echo") (memory (core memory $mem)) (realloc (core func $realloc))))
  (func $names (param "names" (list string)) (result (list string))
    (canon lift (core func $i "echo") (memory (core memory $mem)) (realloc (core func $realloc))))
  (component $api
    (type $e1 (enum "overflow" "zero"))
    (import "problem-type" (type $e2 (eq $e1)))
    (import "divide-by" (func $f (param "a" s32) (param "b" s32) (result (result s32 (error $e2)))))
    (import "add" (func $a (param "a" s32) (param "b" s32) (result s32)))
    (export $e "problem" (type $e2))
    (export "divide" (func $f) (func (param "a" s32) (param "b" s32) (result (result s32 (error $e)))))
    (export "add" (func $a)))
  (type $problem (enum "overflow" "zero"))
  (func $divide (param "a" s32) (param "b" s32) (result (result s32 (error $problem)))
    (canon lift (core func $i "divide") (memory (core memory $mem))))
  (instance $ops (instantiate $api
    (with "problem-type" (type $problem)) (with "divide-by" (func $divide)) (with "add" (func $add))))
  (export "add" (func $add)) (export "big" (func $big)) (export "half" (func $half)) (export "bytes" (func $bytes))
  (export "names" (func $names)) (export "spin" (func $spin)) (export "nothing" (func $nothing))
  (export "trap" (func $trap)) (export "local:calc/api@1.0.0" (instance $ops)))"""


@pytest.fixture
def calc(bench):
    data = bytes(wat2wasm(CALC))
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    bench.runner.prepare(digest, lambda: data)
    bench.runner.prepare(digest, lambda: data, metered=True)

    def program(**limits):
        return Program(
            UnitRef("local/calc", "1.0.0", digest, "tool", "local"), digest, "tool", Limits(**limits), frozenset()
        )

    return program


def run(bench, program, export, value, deadline_ms=5_000):
    return bench.runner.run(program, export, (json.dumps(value),), SimulatedDoor(), deadline_ms)


@pytest.mark.parametrize(("export", "value", "result"), [
    ("add", {"a": 1, "b": 2}, 3),
    ("local:calc/api@1.0.0#add", {"a": 2**31 - 1, "b": 1}, -(2**31)),
    ("big", {"value": 2**64 - 1}, 2**64 - 1),
    ("half", {"value": 1}, "Infinity"),
    ("half", {"value": 0}, "NaN"),
    ("bytes", {"data": "AAECAw=="}, "AAECAw=="),
    ("names", {"names": ["é", "", "😀" * 30_000]}, ["é", "", "😀" * 30_000]),
    ("nothing", {}, None),
    ("local:calc/api@1.0.0#divide", {"a": 7, "b": 2}, 3),
])  # fmt: skip
def test_a_function_is_called_with_json(bench, calc, export, value, result):
    outcome = run(bench, calc(), export, value)
    assert (outcome.tag, json.loads(outcome.text)) == ("ok", result)


def test_what_a_result_holds_as_error_is_a_typed_failure(bench, calc):
    outcome = run(bench, calc(), "local:calc/api@1.0.0#divide", {"a": 7, "b": 0})
    assert (outcome.tag, outcome.text, outcome.typed) == ("failed", '"zero"', True)


def test_a_metered_function_says_its_fuel(bench, calc):
    used = {run(bench, calc(fuel=1_000_000), "add", {"a": 1, "b": 2}).fuel for _ in range(3)}
    assert len(used) == 1
    assert used.pop() > 0


@pytest.mark.parametrize(("export", "text", "path"), [
    ("add", '{"a": 1}', "b"), ("add", '{"a": 1, "b": 2147483648}', "b"), ("add", '{"a": 1, "b": 2, "c": 3}', "c"),
    ("add", "[1, 2]", ""), ("big", '{"value": -1}', "value"), ("bytes", '{"data": "AAE"}', "data"),
    ("names", '{"names": ["a", 1]}', "names[1]"), ("nothing", '{"a": 1}', "a"),
])  # fmt: skip
def test_what_does_not_fit_never_reaches_the_guest(bench, calc, export, text, path):
    with pytest.raises(InputInvalid) as caught:
        bench.runner.run(calc(), export, (text,), SimulatedDoor(), 5_000)
    assert [fault["path"] for fault in caught.value.details["faults"]] == [path]


@pytest.mark.parametrize("text", ["", "{", "nan", '{"a": 1e999}', "[" * 10_000, '"\\ud800"'])
def test_what_is_no_json_is_refused(bench, calc, text):
    with pytest.raises(InputInvalid):
        bench.runner.run(calc(), "add", (text,), SimulatedDoor(), 5_000)


def test_the_runtime_needs_one_text(bench, calc):
    with pytest.raises(HostFault):
        bench.runner.run(calc(), "add", ("a", "b"), SimulatedDoor(), 5_000)


@pytest.mark.parametrize(("export", "fault"), [
    ("spin", DeadlineExceeded), ("trap", GuestTrapped), ("missing", ExportMissing), ("add#", ExportMissing),
    ("local:calc/api@1.0.0", ExportMissing), ("local:calc/api@1.0.0#none", ExportMissing),
    ("provider.call", ExportMissing),
    ("", ExportMissing),
])  # fmt: skip
def test_the_bounds_are_those_of_every_guest(bench, calc, export, fault):
    with pytest.raises(fault):
        run(bench, calc(), export, {}, deadline_ms=200)


def test_an_answer_is_bounded_as_json(bench, calc):
    assert run(bench, calc(output=8_000), "names", {"names": ["\x01" * 900]}).tag == "ok"
    with pytest.raises(OutputTooLarge):  # a control character is six bytes of JSON
        run(bench, calc(output=5_000), "names", {"names": ["\x01" * 900]})


def test_the_same_on_an_event_loop(bench, calc):
    async def both():
        door = SimulatedDoor()
        call = bench.runner.arun(calc(), "local:calc/api@1.0.0#divide", ('{"a": 7, "b": 0}',), door, 5_000)
        none = bench.runner.arun(calc(), "nothing", ("{}",), SimulatedDoor(), 5_000)
        return await asyncio.gather(call, none)

    failed, nothing = asyncio.run(both())
    assert (failed.tag, failed.text, nothing.text) == ("failed", '"zero"', "null")


def test_an_instance_of_its_own_takes_and_gives_python_values(bench, calc):
    instance = bench.runner.instance(calc())
    try:
        assert instance.invoke("add", (1, 2), SimulatedDoor(), 1_000) == 3
        assert instance.invoke("bytes", (b"\0\1",), SimulatedDoor(), 1_000) == b"\0\1"
        assert instance.invoke("local:calc/api@1.0.0#divide", (1, 0), SimulatedDoor(), 1_000) == ("err", "zero")
        with pytest.raises(HostFault):
            instance.invoke("add", (1, 2**40), SimulatedDoor(), 1_000)
        assert instance.state == "ready"
    finally:
        instance.close()


def test_a_runner_lists_what_could_be_actions(bench):
    found = bench.runner.functions(bytes(wat2wasm(CALC)))
    assert set(found) == {
        "add", "big", "half", "bytes", "names", "spin", "nothing", "trap", "local:calc/api@1.0.0#add",
        "local:calc/api@1.0.0#divide",
    }  # fmt: skip
    divide = found["local:calc/api@1.0.0#divide"]
    assert list(divide.input["properties"]) == ["a", "b"]
    assert (divide.output["type"], divide.error["enum"]) == ("integer", ["overflow", "zero"])
