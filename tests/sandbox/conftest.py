"""Guests as component text, and a simulated door."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from wasmtime import wat2wasm

from remit.kernel.hostcall import Ok, Refused
from remit.kernel.model import GuestOutcome, Limits, Program, UnitRef
from remit.kernel.ports import SystemClock
from remit.sandbox.running.runner import ComponentRunner

KEY = bytes(range(32))

LIBC = """
  (core module $libc
    (memory (export "memory") {pages})
    (global $top (mut i32) (i32.const 65536))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
      (global.set $top (i32.add (local.get $at) (local.get 3)))
      (if (i32.gt_u (global.get $top) (i32.mul (memory.size) (i32.const 65536)))
        (then (drop (memory.grow (i32.add (i32.div_u (local.get 3) (i32.const 65536)) (i32.const 1))))))
      (local.get $at)))
  (core instance $libc (instantiate $libc))
  (alias core export $libc "memory" (core memory $mem))
  (alias core export $libc "realloc" (core func $realloc))
"""

SECRETS = "remit:unit/secrets@0.1.0"
# Reads a secret by the name it is given and answers with it; a refusal is answered with the name.
ASK = """(call $read (local.get $p) (local.get $n) (i32.const 64))
  (if (result i32) (i32.load8_u (i32.const 64)) (then (call $ok (local.get $p) (local.get $n)))
    (else (call $ok (i32.load (i32.const 68)) (i32.load (i32.const 72)))))"""

HOST_ERROR = """
  (type $refusal0 (enum "denied" "exhausted" "not-found" "conflict" "invalid" "unavailable" "timed-out"))
  (export "refusal" (type $refusal (eq $refusal0)))
  (type $host-error0 (record (field "code" $refusal) (field "message" string)))
  (export "host-error" (type $host-error (eq $host-error0)))
"""

ERROR_TYPES = """
  (type $retry0 (record (field "after-ms" u64) (field "reason" string)))
  (export $retry "retry-after" (type $retry0))
  (type $error0 (variant (case "rejected" string) (case "retry" $retry) (case "failed" string)))
  (export $error "error" (type $error0))
"""

# What a body may call: returns ok(text at ptr, len), or err(case, text); results are built at address 0.
HELPERS = """
    (func $ok (param $p i32) (param $n i32) (result i32)
      (i32.store8 (i32.const 0) (i32.const 0))
      (i32.store (i32.const 8) (local.get $p))
      (i32.store (i32.const 12) (local.get $n))
      (i32.const 0))
    (func $err (param $case i32) (param $p i32) (param $n i32) (result i32)
      (i32.store8 (i32.const 0) (i32.const 1))
      (i32.store8 (i32.const 8) (local.get $case))
      (i32.store (i32.const 16) (local.get $p))
      (i32.store (i32.const 20) (local.get $n))
      (i32.const 0))
"""

PARAMS = "(param $ap i32) (param $an i32) (param $p i32) (param $n i32) (result i32)"


def component(
    body: str,
    *,
    pages: str = "2",
    items: str = "",
    imports: Mapping[str, str] | None = None,
    lowered: Mapping[str, str] | None = None,
    aliases: Mapping[str, str] | None = None,
    extra: str = "",
) -> bytes:
    """A component with ``provider.call`` whose core function has this body.

    :param pages: of its memory, as the text of its limits
    :param items: more items of the core module, after its imports
    :param imports: instance types by full interface name, as text
    :param lowered: ``{"name": "interface function (core type)"}`` of the imports that the body calls as ``$name``
    :param aliases: text to follow an import, by its name
    :param extra: more items of the component
    """
    imported = "".join(
        f'(import "{name}" (instance ${i} {text})) {(aliases or {}).get(name, "")}\n'
        for i, (name, text) in enumerate((imports or {}).items())
    )
    index = {name: i for i, name in enumerate(imports or {})}
    lowers, links, needs = "", "", ""
    for name, spec in (lowered or {}).items():
        interface, function, core = spec.split(" ", 2)
        target = f'(func ${index[interface]} "{function}") (memory $mem) (realloc $realloc)'
        lowers += f"(core func ${name} (canon lower {target}))\n"
        links += f'(export "{name}" (func ${name}))'
        needs += f'(import "host" "{name}" (func ${name} {core}))\n'
    text = f"""(component {imported} {LIBC.format(pages=pages)} {lowers}
      (core module $main
        {needs}
        (import "libc" "memory" (memory 0))
        {items} {HELPERS}
        (func (export "call") {PARAMS} {body}))
      (core instance $main (instantiate $main
        (with "libc" (instance $libc)) (with "host" (instance {links}))))
      {ERROR_TYPES}
      (func $call (param "action" string) (param "input" string) (result (result string (error $error)))
        (canon lift (core func $main "call") (memory $mem) (realloc $realloc)))
      (instance $provider (export "call" (func $call)))
      (export "remit:unit/provider@0.1.0" (instance $provider))
      {extra})"""
    return bytes(wat2wasm(text))


ECHO = "(call $ok (local.get $p) (local.get $n))"


@dataclass
class SimulatedDoor:
    """A door that answers from a table and remembers what it was asked."""

    answers: dict[tuple[str, str], Any] = field(default_factory=dict)
    asked: list[tuple[str, str, tuple[Any, ...]]] = field(default_factory=list)
    abort: BaseException | None = None
    partition: str = "main"

    def __call__(self, interface: str, function: str, arguments: tuple[Any, ...]) -> Any:
        self.asked.append((interface, function, arguments))
        answer = self.answers.get((interface, function), Ok())
        return answer(self, *arguments) if callable(answer) else answer


@dataclass
class Bench:
    """A runner, and the few words that a test needs to run a guest in it."""

    runner: ComponentRunner
    folder: Path

    def prepare(self, binary: bytes) -> str:
        artifact = f"sha256:{hashlib.sha256(binary).hexdigest()}"
        self.runner.prepare(artifact, lambda: binary)
        return artifact

    def run(
        self,
        binary: bytes,
        text: str = "",
        *,
        door: Any = None,
        deadline_ms: int = 5_000,
        interfaces: frozenset[str] = frozenset({"log", "state", "clock", "random", "events", "parameters", "http"}),
        reuse: Any = "fresh",
        **limits: Any,
    ) -> GuestOutcome:
        program = Program(
            UnitRef("acme/guest", "1.0.0", "sha256:" + "0" * 64, "tool", "local"),
            self.prepare(binary),
            "tool",
            Limits(**limits),
            interfaces,
            reuse,
        )
        return self.runner.run(program, "provider.call", ("act", text), door or SimulatedDoor(), deadline_ms)


@pytest.fixture(scope="session")
def guest() -> Callable[..., bytes]:
    return component


HANDLER = f"""(component {LIBC.format(pages=2)}
  (core module $main
    (import "libc" "memory" (memory 0)) {HELPERS}
    (func (export "handle") (param $e i32) (result i32)
      (call $ok (i32.load offset=48 (local.get $e)) (i32.load offset=52 (local.get $e))))
    (func (export "transform") (param $p i32) (param $n i32) (result i32)
      (call $ok (local.get $p) (local.get $n))))
  (core instance $main (instantiate $main (with "libc" (instance $libc))))
  {ERROR_TYPES}
  (type $event0 (record
    (field "id" string) (field "topic" string) (field "source" string) (field "subject" string) (field "time-ms" u64)
    (field "content-type" string) (field "data" string) (field "correlation-id" string) (field "causation-id" string)
    (field "reply-to" string) (field "hops" u32) (field "priority" u8) (field "trace-parent" string)
    (field "attempt" u32)))
  (export $event "event" (type $event0))
  (func $handle (param "event" $event) (result (result string (error $error)))
    (canon lift (core func $main "handle") (memory $mem) (realloc $realloc)))
  (func $transform (param "context" string) (result (result string (error $error)))
    (canon lift (core func $main "transform") (memory $mem) (realloc $realloc)))
  (instance $h (export "handle" (func $handle)))
  (instance $t (export "transform" (func $transform)))
  (export "remit:unit/handler@0.1.0" (instance $h))
  (export "remit:unit/transformer@0.1.0" (instance $t)))"""


@pytest.fixture(scope="session")
def listener() -> bytes:
    """A guest that answers an event with its data, and a context with itself."""
    return bytes(wat2wasm(HANDLER))


@pytest.fixture(scope="session")
def echo() -> bytes:
    return component(ECHO)


@pytest.fixture
def door() -> SimulatedDoor:
    return SimulatedDoor()


@pytest.fixture
def new_door() -> Callable[..., SimulatedDoor]:
    return SimulatedDoor


@pytest.fixture(scope="session")
def _shared(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    folder = tmp_path_factory.mktemp("code")
    folder.chmod(0o700)
    return Bench(ComponentRunner(folder, KEY, SystemClock()), folder)


@pytest.fixture(scope="session")
def bench(_shared: Bench) -> Bench:
    """One runner for the whole room: guests compile once, and every test finds the host that others left."""
    return _shared


@pytest.fixture
def fresh(tmp_path: Path) -> Bench:
    """A runner of a test's own, with an empty cache."""
    folder = tmp_path / "code"
    folder.mkdir(mode=0o700)
    return Bench(ComponentRunner(folder, KEY, SystemClock()), folder)


@pytest.fixture(scope="session")
def asking(guest: Callable[..., bytes]) -> bytes:
    """A guest that answers with the secret whose name it is given."""
    kind = f'{HOST_ERROR} (export "read" (func (param "name" string) (result (result string (error $host-error)))))'
    return guest(ASK, imports={SECRETS: kind}, lowered={"read": f"{SECRETS} read (param i32 i32 i32)"})


@pytest.fixture(scope="session")
def host_error() -> str:
    return HOST_ERROR


@pytest.fixture
def refused() -> Callable[[str], Refused]:
    return lambda code: Refused(code, "no")
