"""A component around a core module: what a C compiler makes becomes a unit, with no other program.

The shell is component text for the narrowed world. It names core imports and exports as wit-component does
(``remit:unit/state@0.1.0`` ``get``, ``remit:unit/provider@0.1.0#call``, ``cabi_realloc``), so a module fits both. A
module's imports are lowered with its own memory, which is there only once it is instantiated: so it is given
trampolines through a table, which is filled afterwards. The types are those of ``unit.wit``; the sandbox judges the
whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from remit.schemas.formats import WORLD

__all__ = ["around"]

_PLACE = b"\x01\x08\0asm\x01\0\0\0"
"""A component's section (1) with an empty core module: https://github.com/WebAssembly/component-model, Binary.md."""
_CORE = {"i": "i32", "j": "i64"}

_TYPES = """
    (type $encoding' (enum "utf8" "base64"))
    (export "encoding" (type $encoding (eq $encoding')))
    (type $event' (record (field "id" string) (field "topic" string) (field "source" string) (field "subject" string)
      (field "time-ms" u64) (field "content-type" string) (field "data" string) (field "correlation-id" string)
      (field "causation-id" string) (field "reply-to" string) (field "hops" u32) (field "priority" u8)
      (field "trace-parent" string) (field "attempt" u32)))
    (export "event" (type $event (eq $event')))
    (type $retry-after' (record (field "after-ms" u64) (field "reason" string)))
    (export "retry-after" (type $retry-after (eq $retry-after')))
    (type $error' (variant (case "rejected" string) (case "retry" $retry-after) (case "failed" string)))
    (export "error" (type $error (eq $error')))
    (type $refusal' (enum "denied" "exhausted" "not-found" "conflict" "invalid" "unavailable" "timed-out"))
    (export "refusal" (type $refusal (eq $refusal')))
    (type $host-error' (record (field "code" $refusal) (field "message" string)))
    (export "host-error" (type $host-error (eq $host-error')))"""
_SHARED = ("encoding", "event", "error", "host-error")


class _Function(NamedTuple):
    type: str
    """As component text, behind ``func``."""
    core: str
    """The flattened arguments, ``i`` for i32 and ``j`` for i64; behind ``>`` the result (Canonical ABI)."""


class _Import(NamedTuple):
    functions: dict[str, _Function]
    uses: tuple[str, ...] = ()
    """Shared types that it speaks of."""
    types: str = ""
    """Its own types, as component text."""


def _or_error(ok: str) -> str:
    return f"(result (result {ok} (error $host-error)))"


_IMPORTS = {
    "log": _Import(
        {"write": _Function('(param "level" $level) (param "message" string) (param "fields" string)', "iiiii")},
        types='(type $level\' (enum "trace" "debug" "info" "warn" "error"))'
        ' (export "level" (type $level (eq $level\')))',
    ),
    "parameters": _Import({"get": _Function("(result string)", "i")}),
    "clock": _Import(
        {"now-ms": _Function("(result u64)", ">j"), "monotonic-ns": _Function("(result u64)", ">j")},
    ),
    "random": _Import(
        {"hex": _Function('(param "bytes" u32) (result string)', "ii"), "next": _Function("(result u64)", ">j")},
    ),
    "state": _Import(
        {
            "get": _Function(f'(param "key" string) {_or_error("(option $entry)")}', "iii"),
            "put": _Function(
                f'(param "key" string) (param "value" string) (param "expected" (option u64)) {_or_error("u64")}',
                "iiiiiji",
            ),
            "delete": _Function(f'(param "key" string) {_or_error("bool")}', "iii"),
            "list": _Function(
                f'(param "prefix" string) (param "after" string) (param "limit" u32) {_or_error("(list string)")}',
                "iiiiii",
            ),
        },
        ("host-error",),
        '(type $entry\' (record (field "value" string) (field "version" u64)))'
        ' (export "entry" (type $entry (eq $entry\')))',
    ),
    "events": _Import(
        {
            "emit": _Function(
                f'(param "topic" string) (param "content-type" string) (param "data" string) {_or_error("string")}',
                "iiiiiii",
            )
        },
        ("host-error",),
    ),
    "http": _Import(
        {"fetch": _Function(f'(param "request" $request) {_or_error("$response")}', "iiiiiiiiiii")},
        ("host-error", "encoding"),
        '(type $request\' (record (field "method" string) (field "url" string)'
        ' (field "headers" (list (tuple string string))) (field "body" string) (field "body-encoding" $encoding)'
        ' (field "timeout-ms" u32))) (export "request" (type $request (eq $request\')))'
        ' (type $response\' (record (field "status" u16) (field "headers" (list (tuple string string)))'
        ' (field "body" string) (field "body-encoding" $encoding)))'
        ' (export "response" (type $response (eq $response\')))',
    ),
    "files": _Import(
        {
            "read": _Function(f'(param "path" string) (param "encoding" $encoding) {_or_error("string")}', "iiii"),
            "write": _Function(
                f'(param "path" string) (param "content" string) (param "encoding" $encoding) {_or_error("u64")}',
                "iiiiii",
            ),
            "list": _Function(f'(param "path" string) {_or_error("(list string)")}', "iii"),
        },
        ("host-error", "encoding"),
    ),
    "secrets": _Import({"read": _Function(f'(param "name" string) {_or_error("string")}', "iii")}, ("host-error",)),
    "actions": _Import(
        {"call": _Function(f'(param "action" string) (param "input" string) {_or_error("string")}', "iiiii")},
        ("host-error",),
    ),
}

_EXPORTS = {
    "provider": ("call", '(param "action" string) (param "input" string)', ()),
    "handler": ("handle", '(param "event" $event)', ("event",)),
    "transformer": ("transform", '(param "context" string)', ()),
}
"""By interface: its function, the arguments, and the types that it exports besides ``error``."""


def around(core: bytes, imports: tuple[str, ...], exports: tuple[str, ...]) -> bytes:
    """The component with this core module, for a world of these interfaces (short names).

    A core module that does not fit is found when the component is compiled, not here.
    """
    import wasmtime  # noqa: PLC0415 - 100 ms that only a build should pay

    shell = bytes(wasmtime.wat2wasm("\n".join(_text(imports, exports))))
    start = shell.index(_PLACE)
    return shell[:start] + b"\x01" + _leb(len(core)) + core + shell[start + len(_PLACE) :]


def _leb(number: int) -> bytes:
    """Unsigned LEB128."""
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + _leb(rest) if rest else bytes([low])


def _named(interface: str) -> str:
    return f"remit:unit/{interface}@{WORLD}"


def _text(imports: tuple[str, ...], exports: tuple[str, ...]) -> Iterator[str]:
    wanted = [(interface, name, function) for interface in imports for name, function in _functions(interface)]
    yield "(component (core module)"  # without a name: its bytes are then known
    yield f'(import "{_named("types")}" (instance $types {_TYPES}))'
    yield from (f'(alias export $types "{name}" (type ${name}))' for name in _SHARED)
    for interface in imports:
        yield from _imported(interface)
    yield from _trampolines([function.core for _, _, function in wanted])
    for interface in imports:
        slots = [
            f'(export "{name}" (func $trampolines "{slot}"))'
            for slot, (owner, name, _) in enumerate(wanted)
            if owner == interface
        ]
        yield f"(core instance ${interface}-core {' '.join(slots)})"
    given = " ".join(f'(with "{_named(interface)}" (instance ${interface}-core))' for interface in imports)
    yield f"(core instance $code (instantiate 0 {given}))"
    yield '(alias core export $code "memory" (core memory $memory))'
    yield '(alias core export $code "cabi_realloc" (core func $realloc))'
    for interface, name, _ in wanted:
        yield f'(alias export ${interface} "{name}" (func ${interface}.{name}-lifted))'
        options = "(memory $memory) (realloc $realloc) string-encoding=utf8"
        yield f"(core func ${interface}.{name}-lowered (canon lower (func ${interface}.{name}-lifted) {options}))"
    lowered = [f'(export "{slot}" (func ${one[0]}.{one[1]}-lowered))' for slot, one in enumerate(wanted)]
    yield f'(core instance $lowered (export "table" (table $table)) {" ".join(lowered)})'
    yield '(core instance (instantiate $filling (with "" (instance $lowered))))'
    for interface in exports:
        yield from _exported(interface)
    yield ")"


def _functions(interface: str) -> list[tuple[str, _Function]]:
    return list(_IMPORTS[interface].functions.items())


def _imported(interface: str) -> Iterator[str]:
    wanted = _IMPORTS[interface]
    yield f'(import "{_named(interface)}" (instance ${interface}'
    for name in wanted.uses:
        yield f"(alias outer 1 ${name} (type ${name}'))"
        yield f'(export "{name}" (type ${name} (eq ${name}\')))'
    yield wanted.types
    yield from (f'(export "{name}" (func {function.type}))' for name, function in wanted.functions.items())
    yield "))"


def _trampolines(signatures: list[str]) -> Iterator[str]:
    """The module whose functions call through a table, the module that fills it, and the first one's instance."""
    count = len(signatures)
    yield f'(core module $shim (table $table (export "table") {count} {count} funcref)'
    for slot, signature in enumerate(signatures):
        passed = " ".join(f"(local.get {index})" for index in range(len(signature.partition(">")[0])))
        yield f'(func (export "{slot}") {_core(signature)}'
        yield f"(call_indirect $table {_core(signature)} {passed} (i32.const {slot})))"
    yield ")"
    yield f'(core module $filling (import "" "table" (table {count} {count} funcref))'
    for slot, signature in enumerate(signatures):
        yield f'(import "" "{slot}" (func {_core(signature)}))'
    yield f"(elem (i32.const 0) func {' '.join(map(str, range(count)))}))"
    yield "(core instance $trampolines (instantiate $shim))"
    yield '(alias core export $trampolines "table" (core table $table))'


def _core(signature: str) -> str:
    arguments, _, result = signature.partition(">")
    parameters = f"(param {' '.join(_CORE[kind] for kind in arguments)})" if arguments else ""
    return f"{parameters} {f'(result {_CORE[result]})' if result else ''}"


def _exported(interface: str) -> Iterator[str]:
    name, parameters, types = _EXPORTS[interface]
    core = f"{_named(interface)}#{name}"
    yield f'(alias core export $code "{core}" (core func ${interface}-core-{name}))'
    yield f'(alias core export $code "cabi_post_{core}" (core func ${interface}-post))'
    yield f"(func ${interface}-{name} {parameters} (result (result string (error $error)))"
    yield f"(canon lift (core func ${interface}-core-{name}) (memory $memory) (realloc $realloc)"
    yield f"(post-return ${interface}-post) string-encoding=utf8))"
    shown = " ".join(f'(export "{one}" (type ${one}))' for one in (*types, "error"))
    yield f'(instance ${interface}-out {shown} (export "{name}" (func ${interface}-{name})))'
    yield f'(export "{_named(interface)}" (instance ${interface}-out))'
