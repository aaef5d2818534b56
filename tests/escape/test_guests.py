"""Hostile guests: what a component does to the host that runs it. Each ends in a typed error, and the host goes on."""

from __future__ import annotations

import os
import threading

import pytest
from wasmtime import wat2wasm

from remit.errors import (
    ArtifactInvalid,
    DeadlineExceeded,
    ExportMissing,
    FuelExhausted,
    GuestTextInvalid,
    GuestTrapped,
    ImportRefused,
    InstancesExceeded,
    MemoryExceeded,
    OutputTooLarge,
    RemitError,
    StackExceeded,
    TablesExceeded,
)
from remit.kernel.hostcall import Ok

LOG = "remit:unit/log@0.1.0"
LOG_TYPE = """(type $level0 (enum "trace" "debug" "info" "warn" "error"))
  (export "level" (type $level (eq $level0)))
  (export "write" (func (param "level" $level) (param "message" string) (param "fields" string)))"""
LOGGING = {"imports": {LOG: LOG_TYPE}, "lowered": {"log": f"{LOG} write (param i32 i32 i32 i32 i32)"}}
LOG_ONCE = "(call $log (i32.const 2) (local.get $p) (local.get $n) (i32.const 0) (i32.const 0))"
ECHO = "(call $ok (local.get $p) (local.get $n))"
END = "(unreachable)"


def log(level="2", at="0", size="1"):
    return f"(call $log (i32.const {level}) (i32.const {at}) (i32.const {size}) (i32.const 0) (i32.const 0))"


GUESTS = {
    # name: (body, options of the guest, limits, error)
    "a loop without end": (f"(loop $l (br $l)) {END}", {}, {}, DeadlineExceeded),
    "a loop without end in the start function": (
        END, {"items": "(func $s (loop $l (br $l))) (start $s)"}, {}, DeadlineExceeded),
    "recursion without end": (
        "(call $r (i32.const 0))",
        {"items": "(func $r (param i32) (result i32) (i32.add (call $r (local.get 0)) (i32.const 1)))"},
        {}, StackExceeded),
    "recursion through a table": (
        "(call_indirect (type $t) (i32.const 0))",
        {"items": """(type $t (func (result i32))) (table 1 funcref) (elem (i32.const 0) $r)
          (func $r (type $t) (i32.add (call_indirect (type $t) (i32.const 0)) (i32.const 1)))"""},
        {}, StackExceeded),
    "a function with a stack frame of half a mebibyte": (
        "(call $r (i64.const 0))",
        {"items": "(func $r (param i64) (result i32) "
         + "".join(f"(local $x{i} i64)" for i in range(1000))
         + "".join(f"(local.set $x{i} (i64.add (local.get 0) (i64.const {i})))" for i in range(1000))
         + "(i32.add (call $r (local.get $x999)) (i32.wrap_i64 (i64.add (local.get $x1) (local.get $x500)))))"},
        {}, StackExceeded),
    "twelve mebibytes of memory at once": (END, {"pages": "200"}, {"memory": 1 << 20}, MemoryExceeded),
    "two memories, each within the limit": (
        END, {"pages": "9", "items": "(memory $b 9)"}, {"memory": 16 << 16}, MemoryExceeded),
    "memory grown until it traps": (
        """(loop $l (if (i32.eq (memory.grow (i32.const 16)) (i32.const -1)) (then (unreachable))) (br $l))
        (unreachable)""", {}, {"memory": 1 << 20}, GuestTrapped),
    "four gibibytes of memory asked for at once": (
        "(if (i32.eq (memory.grow (i32.const 65535)) (i32.const -1)) (then (unreachable))) (unreachable)",
        {}, {}, GuestTrapped),
    "a table of a hundred million": (END, {"items": "(table 100000000 funcref)"}, {}, TablesExceeded),
    "a table grown until it traps": (
        """(loop $l (if (i32.eq (table.grow $t (ref.null func) (i32.const 1000)) (i32.const -1)) (then (unreachable)))
        (br $l)) (unreachable)""", {"items": "(table $t 1 funcref)"}, {}, GuestTrapped),
    "forty tables": (END, {"items": "".join("(table 1 funcref)" for _ in range(40))}, {}, TablesExceeded),
    "three hundred instances": (
        END, {"extra": "(core module $e)" + "(core instance (instantiate $e))" * 300}, {}, InstancesExceeded),
    "twenty memories": (
        END, {"extra": "(core module $m (memory 1))" + "(core instance (instantiate $m))" * 20}, {"memory": 4 << 20},
        MemoryExceeded),
    "unreachable code": (END, {}, {}, GuestTrapped),
    "division by zero": ("(i32.div_u (local.get $p) (i32.const 0))", {}, {}, GuestTrapped),
    "division that overflows": ("(i32.div_s (i32.const 0x80000000) (i32.const -1))", {}, {}, GuestTrapped),
    "a float that is no integer": ("(i32.trunc_f32_u (f32.const nan))", {}, {}, GuestTrapped),
    "a load outside memory": ("(i32.load (i32.const -4))", {}, {}, GuestTrapped),
    "a load at the edge of memory": ("(i64.load offset=0xfffffff8 (i32.const 7)) (drop) (unreachable)", {}, {},
                                     GuestTrapped),
    "a copy out of memory": (
        "(memory.copy (i32.const 0) (i32.const 0) (i32.const -1)) (unreachable)", {}, {}, GuestTrapped),
    "an indirect call of another type": (
        "(call_indirect (type $t) (i32.const 0))",
        {"items": "(type $t (func (result i32))) (table 1 funcref) (elem (i32.const 0) $v) (func $v)"}, {},
        GuestTrapped),
    "an indirect call outside the table": (
        "(call_indirect (type $t) (i32.const 77))", {"items": "(type $t (func (result i32))) (table 1 funcref)"}, {},
        GuestTrapped),
    "a result that is no UTF-8": (
        "(i32.store8 (i32.const 100) (i32.const 0xff)) (call $ok (i32.const 100) (i32.const 1))", {}, {},
        GuestTextInvalid),
    "half a surrogate in a result": (
        "(i32.store (i32.const 100) (i32.const 0x80a0ed)) (call $ok (i32.const 100) (i32.const 3))", {}, {},
        GuestTextInvalid),
    "an overlong NUL in a result": (
        "(i32.store (i32.const 100) (i32.const 0x80c0)) (call $ok (i32.const 100) (i32.const 2))", {}, {},
        GuestTextInvalid),
    "a result outside memory": ("(call $ok (i32.const -8) (i32.const 100))", {}, {}, GuestTrapped),
    "a result of four gibibytes": ("(call $ok (i32.const 0) (i32.const -1))", {}, {}, GuestTrapped),
    "a pointer to a result outside memory": ("(i32.const -16)", {}, {}, GuestTrapped),
    "a result that is not aligned": ("(drop (call $ok (local.get $p) (local.get $n))) (i32.const 1)", {}, {},
                                     GuestTrapped),
    "a result of a case that does not exist": ("(i32.store8 (i32.const 0) (i32.const 9)) (i32.const 0)", {}, {},
                                               GuestTrapped),
    "an error of a case that does not exist": ("(call $err (i32.const 7) (local.get $p) (local.get $n))", {}, {},
                                               GuestTrapped),
    "an output beyond its limit": ("(call $ok (i32.const 100) (i32.const 60000))", {}, {"output": 50_000},
                                   OutputTooLarge),
    "an error text beyond its limit": ("(call $err (i32.const 2) (i32.const 100) (i32.const 60000))", {},
                                       {"output": 50_000}, OutputTooLarge),
    "fuel for a moment, work for an age": (f"(loop $l (br $l)) {END}", {}, {"fuel": 10_000}, FuelExhausted),
    "host calls without end": (f"(loop $l {log()} (br $l)) {END}", LOGGING, {}, DeadlineExceeded),
    "text for the host that is no UTF-8": (
        f"(i32.store8 (i32.const 100) (i32.const 0xff)) {log(at='100')} {END}", LOGGING, {}, GuestTextInvalid),
    "text for the host from outside memory": (f"{log(at='-8', size='100')} {END}", LOGGING, {}, GuestTrapped),
    "text for the host of eight mebibytes": (
        f"{log(at='0', size='8388608')} {END}", LOGGING | {"pages": "140"}, {}, OutputTooLarge),
    "an enum for the host of a case that does not exist": (f"{log(level='77')} {END}", LOGGING, {}, GuestTrapped),
    "a memory without a single byte": (
        ECHO, {"pages": "0 0"}, {}, GuestTrapped),
}  # fmt: skip


@pytest.mark.parametrize("name", GUESTS)
def test_guest(bench, guest, echo, ends, name):
    body, options, limits, expected = GUESTS[name]
    with pytest.raises(expected) as caught:
        bench.run(guest(body, **options), "x", deadline_ms=300, **limits)
    assert bench.run(echo, "still here").text == "still here"
    ends(f"{caught.value.code} {type(caught.value).__name__}")


def test_being_brief_until_trusted_and_endless_then(bench, guest, echo, ends):
    binary = guest(f"(if (i32.gt_u (local.get $n) (i32.const 1)) (then (loop $l (br $l)))) {ECHO}")
    for _ in range(50):
        assert bench.run(binary, "x").text == "x"
    with pytest.raises(DeadlineExceeded) as caught:
        bench.run(binary, "endless", deadline_ms=100)
    assert bench.run(echo, "x").text == "x"
    ends(f"{caught.value.code} DeadlineExceeded")


def test_sitting_out_the_deadline_in_host_calls(bench, guest, echo, door, ends):
    door.answers["log", "write"] = lambda *_: threading.Event().wait(0.05) or Ok()
    with pytest.raises(DeadlineExceeded) as caught:
        bench.run(guest(f"(loop $l {log()} (br $l)) {END}", **LOGGING), "x", door=door, deadline_ms=120)
    assert bench.run(echo, "x").text == "x"
    ends(f"{caught.value.code} DeadlineExceeded")


def test_calling_the_host_while_the_host_hands_over_text(bench, echo, ends):
    # realloc runs while the host lowers the input: from there, nothing may leave the component.
    reentrant = bytes(wat2wasm(REENTRANT))
    with pytest.raises(GuestTrapped) as caught:
        bench.run(reentrant, "x")
    assert bench.run(echo, "x").text == "x"
    ends(f"{caught.value.code} GuestTrapped")


REENTRANT = f"""(component
  (import "{LOG}" (instance $host {LOG_TYPE}))
  (core module $mem (memory (export "memory") 2))
  (core instance $mem (instantiate $mem))
  (alias core export $mem "memory" (core memory $memory))
  (core func $log (canon lower (func $host "write") (memory $memory)))
  (core module $main
    (import "host" "log" (func $log (param i32 i32 i32 i32 i32)))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) {log()} (i32.const 1024))
    (func (export "call") (param i32 i32 i32 i32) (result i32) (unreachable)))
  (core instance $main (instantiate $main (with "host" (instance (export "log" (func $log))))))
  (alias core export $main "realloc" (core func $realloc))
  (type $retry0 (record (field "after-ms" u64) (field "reason" string)))
  (export $retry "retry-after" (type $retry0))
  (type $error0 (variant (case "rejected" string) (case "retry" $retry) (case "failed" string)))
  (export $error "error" (type $error0))
  (func $call (param "action" string) (param "input" string) (result (result string (error $error)))
    (canon lift (core func $main "call") (memory $memory) (realloc $realloc)))
  (instance $provider (export "call" (func $call)))
  (export "remit:unit/provider@0.1.0" (instance $provider)))"""

WITHOUT_CALL = REENTRANT.replace(log(), "").replace("remit:unit/provider", "acme:other/thing")
REALLOCS = {
    "a realloc that never returns": f"(loop $l (br $l)) {END}",
    "a realloc that gives an address outside memory": "(i32.const -16)",
    "a realloc that traps": "(unreachable)",
}


@pytest.mark.parametrize("name", REALLOCS)
def test_realloc(bench, echo, ends, name):
    text = REENTRANT.replace(f"{log()} (i32.const 1024)", REALLOCS[name])
    with pytest.raises((DeadlineExceeded, GuestTrapped)) as caught:
        bench.run(bytes(wat2wasm(text)), "x", deadline_ms=200)
    assert bench.run(echo, "x").text == "x"
    ends(f"{caught.value.code} {type(caught.value).__name__}")


# ---- artifacts ----


def _component(text):
    return bytes(wat2wasm(f"(component {text})"))


ARTIFACTS = {
    "random bytes": (lambda _: os.urandom(4096), ArtifactInvalid),
    "nothing": (lambda _: b"", ArtifactInvalid),
    "a component cut in half": (lambda echo: echo[: len(echo) // 2], ArtifactInvalid),
    "a component with a flipped byte": (lambda echo: echo[:40] + bytes([echo[40] ^ 255]) + echo[41:], ArtifactInvalid),
    "a component with bytes behind it": (lambda echo: echo + b"\xff" * 100, ArtifactInvalid),
    "a core module": (lambda _: bytes(wat2wasm("(module)")), ArtifactInvalid),
    "another version of the format": (lambda _: b"\0asm\x0e\0\x01\0", ArtifactInvalid),
    "a hundred megabytes": (lambda _: b"\0asm\x0d\0\x01\0" + bytes(100 << 20), ArtifactInvalid),
    "component text instead of a component": (lambda _: b"(component)", ArtifactInvalid),
    "a section that claims four gibibytes": (lambda _: b"\0asm\x0d\0\x01\0\x01\xff\xff\xff\xff\x0f", ArtifactInvalid),
    "components nested a thousand deep": (
        lambda _: b"\0asm\x0d\0\x01\0" + b"\x04\x08\0asm\x0d\0\x01\0" * 1000, ArtifactInvalid),
    "an import that nobody offers": (
        lambda _: _component('(import "evil:host/shell@1.0.0" (instance (export "run" (func))))'), ImportRefused),
    "an import of ours under another type": (
        lambda _: _component(f'(import "{LOG}" (instance (export "write" (func (param "x" u64)))))'), ImportRefused),
    "a function of ours that does not exist": (
        lambda _: _component(f'(import "{LOG}" (instance (export "shell" (func))))'), ImportRefused),
    "WASI sockets of another version": (
        lambda _: _component('(import "wasi:sockets/tcp@0.3.0" (instance))'), ImportRefused),
    "a WASI interface that we do not serve": (
        lambda _: _component('(import "wasi:http/outgoing-handler@0.2.0" (instance))'), ImportRefused),
    "a bare function as import": (lambda _: _component('(import "run" (func))'), ImportRefused),
    "a name of ours in another package version": (
        lambda _: _component('(import "remit:unit/log@9.0.0" (instance))'), ImportRefused),
    "our export under another type": (
        lambda _: bytes(wat2wasm(REENTRANT.replace('(param "action" string)', '(param "acts" string)').replace(
            "(result (result string (error $error)))", "(result (result string))"))), ArtifactInvalid),
}  # fmt: skip


@pytest.mark.parametrize("name", ARTIFACTS)
def test_artifact(bench, echo, ends, name):
    make, expected = ARTIFACTS[name]
    with pytest.raises(expected) as caught:
        bench.runner.interfaces(make(echo))
    assert bench.run(echo, "x").text == "x"
    ends(f"{caught.value.code} {type(caught.value).__name__}")


def test_a_component_without_our_export(bench, echo, ends):
    with pytest.raises(ExportMissing) as caught:
        bench.run(bytes(wat2wasm(WITHOUT_CALL)), "x")
    assert bench.run(echo, "x").text == "x"
    ends(f"{caught.value.code} ExportMissing")


def test_an_import_that_the_manifest_does_not_declare(bench, guest, echo, ends):
    with pytest.raises(ImportRefused) as caught:
        bench.run(guest(LOG_ONCE + ECHO, **LOGGING), "x", interfaces=frozenset())
    assert bench.run(echo, "x").text == "x"
    ends(f"{caught.value.code} ImportRefused")


def test_every_ending_is_a_typed_error():
    assert all(issubclass(kind, RemitError) for *_, kind in (*GUESTS.values(), *ARTIFACTS.values()))
