"""A unit that tries what it is told, the unit that it calls, and the servers and folders around them."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any, Self

from remit.errors import RemitError, UnitFailed
from remit.kernel.model import Caller

SECRET = "correct-horse-battery"
REFUSALS = ("denied", "exhausted", "not-found", "conflict", "invalid", "unavailable", "timed-out")

POLICY = """
@id("escape.loopback")
@why("the servers of the escape suite listen on loopback")
permit (
  principal is Remit::Unit,
  action in [Remit::Action::"net:http", Remit::Action::"net:special"],
  resource in Remit::Domain::"127.0.0.1"
);

@id("escape.names")
@why("so do these names, as far as they lead to loopback")
permit (principal is Remit::Unit, action == Remit::Action::"net:http", resource in Remit::Domain::"example");

@id("escape.names-on-loopback")
@why("so do these names, as far as they lead to loopback")
permit (principal is Remit::Unit, action == Remit::Action::"net:special", resource in Remit::Domain::"pinned.example")
when { context.address == Remit::AddressClass::"loopback" };

@id("escape.addresses")
@why("origins that the unit may ask for, and that lead where it may not go")
permit (principal is Remit::Unit, action == Remit::Action::"net:http", resource)
when { resource.host == "169.254.169.254" || resource.host == "10.0.0.1" || resource.host == "[::ffff:7f00:1]" };
"""

HTTP, FILES = "remit:unit/http@0.1.0", "remit:unit/files@0.1.0"
SECRETS, STATE = "remit:unit/secrets@0.1.0", "remit:unit/state@0.1.0"
EVENTS, ACTIONS, LOG = "remit:unit/events@0.1.0", "remit:unit/actions@0.1.0", "remit:unit/log@0.1.0"
ENCODING = '(type $c0 (enum "utf8" "base64")) (export "encoding" (type $c (eq $c0)))'
TEXT = "(result (result string (error $host-error)))"
COUNT = "(result (result u64 (error $host-error)))"


def imports(host_error: str) -> dict[str, str]:
    """The interfaces that the prober imports, as instance types."""
    return {
        HTTP: f"""{ENCODING} {host_error}
          (type $q0 (record (field "method" string) (field "url" string) (field "headers" (list (tuple string string)))
            (field "body" string) (field "body-encoding" $c) (field "timeout-ms" u32)))
          (export "request" (type $q (eq $q0)))
          (type $s0 (record (field "status" u16) (field "headers" (list (tuple string string))) (field "body" string)
            (field "body-encoding" $c)))
          (export "response" (type $s (eq $s0)))
          (export "fetch" (func (param "request" $q) (result (result $s (error $host-error)))))""",
        FILES: f"""{ENCODING} {host_error}
          (export "read" (func (param "path" string) (param "encoding" $c) {TEXT}))
          (export "write" (func (param "path" string) (param "content" string) (param "encoding" $c) {COUNT}))""",
        SECRETS: f'{host_error} (export "read" (func (param "name" string) {TEXT}))',
        STATE: f"""{host_error} (export "put" (func (param "key" string) (param "value" string)
          (param "expected" (option u64)) {COUNT}))""",
        EVENTS: f"""{host_error} (export "emit" (func (param "topic" string) (param "content-type" string)
          (param "data" string) {TEXT}))""",
        ACTIONS: f'{host_error} (export "call" (func (param "action" string) (param "input" string) {TEXT}))',
        LOG: """(type $level0 (enum "trace" "debug" "info" "warn" "error"))
          (export "level" (type $level (eq $level0)))
          (export "write" (func (param "level" $level) (param "message" string) (param "fields" string)))""",
    }


LOWERED = {
    "http": f"{HTTP} fetch (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)",
    "read": f"{FILES} read (param i32 i32 i32 i32)",
    "write": f"{FILES} write (param i32 i32 i32 i32 i32 i32)",
    "secret": f"{SECRETS} read (param i32 i32 i32)",
    "put": f"{STATE} put (param i32 i32 i32 i32 i32 i64 i32)",
    "emit": f"{EVENTS} emit (param i32 i32 i32 i32 i32 i32 i32)",
    "call_action": f"{ACTIONS} call (param i32 i32 i32 i32 i32)",
    "log": f"{LOG} write (param i32 i32 i32 i32 i32)",
}

# Answers: the text that a host call gave, in quotes, or `failed("DIGIT:MESSAGE")` with the refusal's number.
ITEMS = """
  (data (i32.const 1024) "GET") (data (i32.const 1028) "POST")
  (data (i32.const 1040) "X-A") (data (i32.const 1044) "a\\0d\\0aHost: evil.example")
  (data (i32.const 1072) "Content-Length") (data (i32.const 1088) "0")
  (data (i32.const 1104) "\\10\\04\\00\\00\\03\\00\\00\\00\\14\\04\\00\\00\\15\\00\\00\\00")
  (data (i32.const 1120) "\\30\\04\\00\\00\\0e\\00\\00\\00\\40\\04\\00\\00\\01\\00\\00\\00")
  (data (i32.const 1200) "k") (data (i32.const 1210) "probe.said") (data (i32.const 1230) "token")
  (data (i32.const 1240) "text/plain")
  (func $quote (param $p i32) (param $n i32) (result i32)
    (i32.store8 (i32.const 8192) (i32.const 34))
    (memory.copy (i32.const 8193) (local.get $p) (local.get $n))
    (i32.store8 (i32.add (i32.const 8193) (local.get $n)) (i32.const 34))
    (call $ok (i32.const 8192) (i32.add (local.get $n) (i32.const 2))))
  (func $refused (param $code i32) (param $p i32) (param $n i32) (result i32)
    (i32.store8 (i32.const 2000) (i32.add (local.get $code) (i32.const 48)))
    (i32.store8 (i32.const 2001) (i32.const 58))
    (memory.copy (i32.const 2002) (local.get $p) (local.get $n))
    (call $err (i32.const 2) (i32.const 2000) (i32.add (local.get $n) (i32.const 2))))
  (func $text (param $r i32) (result i32)
    (if (result i32) (i32.load8_u (local.get $r))
      (then (call $refused (i32.load8_u offset=4 (local.get $r)) (i32.load offset=8 (local.get $r))
        (i32.load offset=12 (local.get $r))))
      (else (call $quote (i32.load offset=4 (local.get $r)) (i32.load offset=8 (local.get $r))))))
  (func $count (param $r i32) (result i32)
    (if (result i32) (i32.load8_u (local.get $r))
      (then (call $refused (i32.load8_u offset=8 (local.get $r)) (i32.load offset=12 (local.get $r))
        (i32.load offset=16 (local.get $r))))
      (else (call $quote (i32.const 1200) (i32.const 1)))))
  (func $fetch (param $m i32) (param $mn i32) (param $h i32) (param $hn i32) (param $p i32) (param $n i32) (result i32)
    (call $http (local.get $m) (local.get $mn) (local.get $p) (local.get $n) (local.get $h) (local.get $hn)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 500) (i32.const 3000))
    (if (result i32) (i32.load8_u (i32.const 3000))
      (then (call $refused (i32.load8_u (i32.const 3004)) (i32.load (i32.const 3008)) (i32.load (i32.const 3012))))
      (else (call $quote (i32.load (i32.const 3016)) (i32.load (i32.const 3020))))))
"""

INPUT = "(local.get $p) (local.get $n)"
GET, POST, NONE = "(i32.const 1024) (i32.const 3)", "(i32.const 1028) (i32.const 4)", "(i32.const 0) (i32.const 0)"
ANSWER = "(call $text (i32.const 3000))"

TRIES = {
    "fetch": f"(call $fetch {GET} {NONE} {INPUT})",
    "post": f"(call $fetch {POST} {NONE} {INPUT})",
    "header": f"(call $fetch {GET} (i32.const 1104) (i32.const 1) {INPUT})",
    "length": f"(call $fetch {GET} (i32.const 1120) (i32.const 1) {INPUT})",
    "method": f"(call $fetch {INPUT} {NONE} {GET})",
    "read": f"(call $read {INPUT} (i32.const 0) (i32.const 3000)) {ANSWER}",
    "bad-enum": f"(call $read {INPUT} (i32.const 7) (i32.const 3000)) {ANSWER}",
    "write": f"""(call $write {INPUT} (i32.const 1200) (i32.const 1)
        (i32.const 0) (i32.const 3000))
      (call $count (i32.const 3000))""",
    "secret": f"(call $secret {INPUT} (i32.const 3000)) {ANSWER}",
    "secret-in-error": """(call $secret (i32.const 1230) (i32.const 5) (i32.const 3000))
      (call $err (i32.const 0) (i32.load (i32.const 3004)) (i32.load (i32.const 3008)))""",
    "secret-in-log": """(call $secret (i32.const 1230) (i32.const 5) (i32.const 3000))
      (call $log (i32.const 4) (i32.load (i32.const 3004)) (i32.load (i32.const 3008)) (i32.const 0) (i32.const 0))
      (call $quote (i32.const 1200) (i32.const 1))""",
    "secret-in-state": """(call $secret (i32.const 1230) (i32.const 5) (i32.const 3000))
      (call $put (i32.const 1200) (i32.const 1) (i32.load (i32.const 3004)) (i32.load (i32.const 3008)) (i32.const 0)
        (i64.const 0) (i32.const 3104)) (call $count (i32.const 3104))""",
    "secret-in-event": """(call $secret (i32.const 1230) (i32.const 5) (i32.const 3000))
      (call $emit (i32.const 1210) (i32.const 10) (i32.const 1240) (i32.const 10) (i32.load (i32.const 3004))
        (i32.load (i32.const 3008)) (i32.const 3104)) (call $text (i32.const 3104))""",
    "secret-to-unit": f"""(call $secret (i32.const 1230) (i32.const 5) (i32.const 3000))
      (call $call_action {INPUT} (i32.load (i32.const 3004)) (i32.load (i32.const 3008))
        (i32.const 3104)) (call $text (i32.const 3104))""",
    "emit": f"""(call $emit {INPUT} (i32.const 1240) (i32.const 10) (i32.const 1200) (i32.const 1)
        (i32.const 3000)) (call $text (i32.const 3000))""",
    "emit-huge": f"""(call $emit {INPUT} (i32.const 1240) (i32.const 10) (i32.const 0)
        (i32.const 1048577) (i32.const 3000)) (call $text (i32.const 3000))""",
    "emit-flood": f"""(loop $l
        (call $emit {INPUT} (i32.const 1240) (i32.const 10) (i32.const 1200) (i32.const 1)
          (i32.const 3000))
        (br_if $l (i32.eqz (i32.load8_u (i32.const 3000)))))
      (call $text (i32.const 3000))""",
    "state-flood": """(local $i i32) (loop $l
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (i32.store8 (i32.const 1300) (i32.add (local.get $i) (i32.const 32)))
        (call $put (i32.const 1300) (i32.const 1) (i32.const 131072) (i32.const 900000) (i32.const 0) (i64.const 0)
          (i32.const 3000))
        (br_if $l (i32.eqz (i32.load8_u (i32.const 3000)))))
      (call $count (i32.const 3000))""",
    "log-flood": """(loop $l
        (call $log (i32.const 4) (i32.const 1200) (i32.const 1) (i32.const 0) (i32.const 0)) (br $l))
      (unreachable)""",
    "call": f"""(call $call_action {INPUT} (i32.const 8000) (i32.const 4) (i32.const 3000))
      (call $text (i32.const 3000))""",
    "read-flood": f"""(loop $l
        (call $read {INPUT} (i32.const 0) (i32.const 3000))
        (br_if $l (i32.eqz (i32.load8_u (i32.const 3000)))))
      (call $text (i32.const 3000))""",
}
"""What each action of the prober does with its input, ``$p`` and ``$n`` being the text between the quotes."""


def prober_wat(guests: Any) -> bytes:
    """The prober as a component."""
    functions, chain = "", ""
    for number, (name, body) in enumerate(TRIES.items()):
        functions += f"(func $try{number} (param $p i32) (param $n i32) (result i32) {body})\n"
        # Actions are told apart by length, first and last character.
        key = len(name) << 16 | ord(name[0]) << 8 | ord(name[-1])
        chain += f"""(if (i32.eq (local.get $key) (i32.const {key}))
          (then (return (call $try{number} (local.get $p) (local.get $n)))))\n"""
    keys = {(len(name), name[0], name[-1]) for name in TRIES}
    assert len(keys) == len(TRIES), "two actions look the same to the prober"
    body = f"""(local $key i32) (local $end i32)
      (local.set $end (i32.add (local.get $ap) (local.get $an)))
      (local.set $key (i32.or (i32.shl (local.get $an) (i32.const 16)) (i32.or
        (i32.shl (i32.load8_u (local.get $ap)) (i32.const 8))
        (i32.load8_u (i32.sub (local.get $end) (i32.const 1))))))
      (local.set $p (i32.add (local.get $p) (i32.const 1)))
      (local.set $n (i32.sub (local.get $n) (i32.const 2)))
      (i32.store (i32.const 8000) (i32.const 0x6c6c756e))
      {chain} (unreachable)"""
    items = ITEMS + functions
    return bytes(guests.component(body, pages="20", items=items, imports=imports(guests.HOST_ERROR), lowered=LOWERED))


# Calls the prober's action "call" with a name that leads back to itself.
BOUNCER = """(call $call_action (i32.const 1024) (i32.const 16) (i32.const 1060) (i32.const 21) (i32.const 3000))
  (if (result i32) (i32.load8_u (i32.const 3000))
    (then (call $err (i32.const 2) (i32.load (i32.const 3008)) (i32.load (i32.const 3012))))
    (else (call $ok (i32.load (i32.const 3004)) (i32.load (i32.const 3008)))))"""
BOUNCER_DATA = '(data (i32.const 1024) "acme/prober:call") (data (i32.const 1060) "\\22acme/bouncer:bounce\\22")'

# Has the prober read the secret for it, and tries to keep what it was told.
RELAY = """(call $call_action (i32.const 1024) (i32.const 18) (i32.const 1060) (i32.const 7) (i32.const 3000))
  (call $put (i32.const 1200) (i32.const 1) (i32.load (i32.const 3004)) (i32.load (i32.const 3008)) (i32.const 0)
    (i64.const 0) (i32.const 3104))
  (if (i32.eqz (i32.load8_u (i32.const 3104))) (then (unreachable)))
  (call $log (i32.const 4) (i32.load (i32.const 3004)) (i32.load (i32.const 3008)) (i32.const 0) (i32.const 0))
  (call $err (i32.const 2) (i32.load (i32.const 3004)) (i32.load (i32.const 3008)))"""
RELAY_DATA = (
    '(data (i32.const 1024) "acme/prober:secret") (data (i32.const 1060) "\\22token\\22") (data (i32.const 1200) "k")'
)

TOML = """schema = "unit/v1"
id = "{id}"
version = "1.0.0"
kind = "tool"
title = "A hostile unit"
license = "Apache-2.0"
[runtime]
artifact = "unit.wasm"
memory = "24MiB"
deadline = "3s"
[requires]
remit = ">=0.1,<0.2"
world = "0.1"
"""


def _loopback() -> Any:
    spec = importlib.util.spec_from_file_location(
        "escape_servers", Path(__file__).parents[1] / "sandbox" / "interfaces" / "conftest.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["escape_servers"] = module
    spec.loader.exec_module(module)
    return module.LoopbackServer


class Arena:
    """Servers, folders and the units between them. ``kernel`` is set when the home is open."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.kernel: Any = None
        server = _loopback()
        self.server, self.other = server(), server()
        self.granted, self.metered, self.outside = root / "granted", root / "metered", root / "outside"
        for folder in (self.granted, self.metered, self.outside):
            folder.mkdir()
        (self.outside / "secret").write_text("outside")
        (self.granted / "file").write_text("inside")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.server.close()
        self.other.close()

    def url(self, host: str, scheme: str = "http") -> str:
        """An origin on the granted server's port."""
        return f"{scheme}://{host}:{self.server.port}"

    def _capabilities(self) -> list[tuple[str, str, str]]:
        hosts = ["127.0.0.1", "pinned.example", "mixed.example", "[::ffff:7f00:1]", "169.254.169.254", "10.0.0.1"]
        found = [("net:http", self.url(host), "") for host in hosts]
        found += [
            ("net:http", self.url("127.0.0.1", "https"), ""),
            ("net:http", f"http://127.0.0.1:{self.other.port}", 'budget = { window = "1h", bytes = "1KiB" }'),
            ("fs:read", str(self.granted), ""),
            ("fs:read", str(self.metered), 'budget = { window = "1h", bytes = "4MiB" }'),
            ("fs:write", str(self.granted), ""),
            ("secret:read", "token", ""),
            ("secret:read", "spare", ""),
            ("events:emit", "probe", ""),
            ("action:call", "acme/bouncer", ""),
            ("action:call", "acme/prober", ""),
        ]
        return found

    def write_units(self, guests: Any) -> list[Path]:
        """The folders of the prober and of the bouncer."""
        tables = [f'[[action]]\nname = "{name}"\n' for name in TRIES]
        tables += [
            f'[[capability]]\naction = "{action}"\nresource = "{resource}"\nreason = "to try"\n{more}\n'
            for action, resource, more in self._capabilities()
        ]
        bouncer = guests.component(
            BOUNCER,
            items=BOUNCER_DATA,
            imports={ACTIONS: imports(guests.HOST_ERROR)[ACTIONS]},
            lowered={"call_action": LOWERED["call_action"]},
        )
        relay = guests.component(
            RELAY,
            items=RELAY_DATA,
            imports={name: imports(guests.HOST_ERROR)[name] for name in (ACTIONS, STATE, LOG)},
            lowered={name: LOWERED[name] for name in ("call_action", "put", "log")},
        )
        grant = '[[capability]]\naction = "action:call"\nresource = "acme/prober"\nreason = "to bounce"\n'
        return [
            self._write("prober", prober_wat(guests), "\n".join(tables)),
            self._write("bouncer", bouncer, f'[[action]]\nname = "bounce"\n{grant}'),
            self._write("relay", relay, f'[[action]]\nname = "keep"\n{grant}'),
        ]

    def _write(self, name: str, binary: bytes, tables: str) -> Path:
        folder = self.root / name
        folder.mkdir()
        (folder / "unit.toml").write_text(TOML.format(id=f"acme/{name}") + tables)
        (folder / "unit.wasm").write_bytes(binary)
        (folder / "README.md").write_text(f"# acme/{name}\n\nA hostile unit.\n")
        return folder

    def attack(self, action: str, text: str = "", **caller: Any) -> tuple[str, str]:
        """Have the prober do it; gives the refusal that it saw, or the error that ended it, as ``(code, message)``."""
        try:
            answer = self.kernel.call(f"acme/prober:{action}", text, caller=Caller(**caller))
        except UnitFailed as error:
            seen = error.message.partition("failed: ")[2]
            if seen[:1].isdigit() and seen[1:2] == ":":
                return REFUSALS[int(seen[0])], seen[2:]
            return error.code, seen
        except RemitError as error:
            return f"{error.code} {type(error).__name__}", error.message
        return "answered", json.dumps(answer)

    def journalled(self) -> str:
        """Everything that the journal and its payloads hold, as text."""
        self.kernel.events(last=1)
        parts = []
        for folder, _, names in os.walk(self.root / "home" / ".remit"):
            for name in names:
                with contextlib.suppress(OSError):
                    parts.append((Path(folder) / name).read_bytes().decode("latin-1"))
        return "".join(parts)
