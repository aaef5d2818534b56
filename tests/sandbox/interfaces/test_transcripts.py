"""A call taken down, and played again from what was taken down alone."""

from __future__ import annotations

from types import SimpleNamespace

import msgspec
import pytest

from remit.errors import ReplayDiverged, TranscriptInvalid
from remit.kernel.hostcall import Door
from remit.kernel.model import Program, UnitRef
from remit.sandbox.interfaces import all_interfaces
from remit.sandbox.running.transcripts import Transcriber, read_transcript, replay

RANDOM, CLOCK = "remit:unit/random@0.1.0", "remit:unit/clock@0.1.0"
PARAMETERS, SECRETS, STATE = "remit:unit/parameters@0.1.0", "remit:unit/secrets@0.1.0", "remit:unit/state@0.1.0"
SECRET = "hunter2-and-more"

# Puts the low digits of the clock into the state, and answers: random text, the parameters, the secret.
BODY = """(local $at i32)
  (i64.store (i32.const 200) (i64.or (i64.and (call $now) (i64.const 7)) (i64.const 0x30)))
  (call $put (i32.const 300) (i32.const 1) (i32.const 200) (i32.const 1) (i32.const 0) (i64.const 0) (i32.const 400))
  (local.set $at (i32.const 4096))
  (call $hex (i32.const 8) (i32.const 500))
  (memory.copy (local.get $at) (i32.load (i32.const 500)) (i32.load (i32.const 504)))
  (local.set $at (i32.add (local.get $at) (i32.load (i32.const 504))))
  (call $parameters (i32.const 500))
  (memory.copy (local.get $at) (i32.load (i32.const 500)) (i32.load (i32.const 504)))
  (local.set $at (i32.add (local.get $at) (i32.load (i32.const 504))))
  (call $secret (i32.const 310) (i32.const 5) (i32.const 500))
  (memory.copy (local.get $at) (i32.load (i32.const 504)) (i32.load (i32.const 508)))
  (local.set $at (i32.add (local.get $at) (i32.load (i32.const 508))))
  (call $ok (i32.const 4096) (i32.sub (local.get $at) (i32.const 4096)))"""
DATA = '(data (i32.const 300) "k") (data (i32.const 310) "token")'


@pytest.fixture(scope="session")
def curious(guest, host_error):
    """A guest whose output depends on everything that the host told it."""
    put = '(param "key" string) (param "value" string) (param "expected" (option u64))'
    return guest(
        BODY,
        items=DATA,
        imports={
            CLOCK: '(export "now-ms" (func (result u64)))',
            RANDOM: '(export "hex" (func (param "bytes" u32) (result string)))',
            PARAMETERS: '(export "get" (func (result string)))',
            STATE: f'{host_error} (export "put" (func {put} (result (result u64 (error $host-error)))))',
            SECRETS: f'{host_error} (export "read" (func (param "name" string) '
            "(result (result string (error $host-error)))))",
        },
        lowered={
            "now": f"{CLOCK} now-ms (result i64)",
            "hex": f"{RANDOM} hex (param i32 i32)",
            "parameters": f"{PARAMETERS} get (param i32)",
            "put": f"{STATE} put (param i32 i32 i32 i32 i32 i64 i32)",
            "secret": f"{SECRETS} read (param i32 i32 i32)",
        },
    )


@pytest.fixture
def take(bench, curious, new_scope, monkeypatch):
    """Runs the guest once for real and gives its outcome and transcript."""
    monkeypatch.setenv("TEST_TOKEN", SECRET)
    home = SimpleNamespace(root=None, config=SimpleNamespace(secrets={"token": {"env": "TEST_TOKEN"}}))

    def run(mode="full", **limits):
        scope = new_scope(**limits)
        scope.authority.granted.add(("secret:read", "token"))
        interfaces = frozenset({"clock", "random", "parameters", "state", "secrets"})
        unit = UnitRef("acme/guest", "1.0.0", "sha256:" + "0" * 64, "tool", "local")
        scope.program = Program(unit, bench.prepare(curious), "tool", scope.limits, interfaces)
        recorder = Transcriber(mode, scope, "provider.call", ("act", "in"), "engine")
        door = Door("i1", scope, all_interfaces(home), recorder)
        outcome = bench.runner.run(scope.program, "provider.call", ("act", "in"), door, 5_000)
        recorder.outcome = outcome
        return outcome, recorder.transcript(), scope

    return run


def again(bench, curious, data, **given):
    transcript = read_transcript(data)
    return replay(transcript, bench.runner, lambda: curious, **given)


def test_a_full_transcript_replays_to_the_same_bytes(bench, curious, take):
    outcome, data, scope = take(fuel=10_000_000)
    assert scope.effects.rows != {}
    found = again(bench, curious, data, parameters=scope.parameters, secrets={"token": SECRET})
    assert found == outcome
    assert outcome.text.endswith(SECRET)
    assert outcome.fuel > 0


def test_a_transcript_holds_neither_secrets_nor_parameters(take):
    for mode in ("full", "digests"):
        _, data, scope = take(mode)
        assert SECRET.encode() not in data
        assert scope.parameters.encode() not in data


def test_a_transcript_says_all_that_a_replay_needs(take):
    _, data, scope = take()
    found = read_transcript(data)
    assert (found.export, found.arguments, found.engine) == ("provider.call", ["act", "in"], "engine")
    assert found.program == scope.program
    assert found.clock_ms > 0
    assert [(call.interface, call.function) for call in found.calls] == [
        ("clock", "now-ms"), ("state", "put"), ("random", "hex"), ("parameters", "get"), ("secrets", "read"),
    ]  # fmt: skip


def test_digests_prove_and_do_not_replay(bench, curious, take):
    _, data, _ = take("digests")
    found = read_transcript(data)
    assert all(isinstance(call.arguments, str) and call.arguments.startswith("sha256:") for call in found.calls)
    assert found.outcome.text.startswith("sha256:")
    with pytest.raises(TranscriptInvalid, match="full"):
        again(bench, curious, data)


@pytest.mark.parametrize(("given", "why"), [
    ({"secrets": {}}, "needs the secret"), ({"parameters": "{}"}, "needs the parameters"),
])  # fmt: skip
def test_a_replay_without_what_the_call_had_says_what_is_missing(bench, curious, take, given, why):
    _, data, scope = take()
    needed = {"parameters": scope.parameters, "secrets": {"token": SECRET}}
    with pytest.raises(ReplayDiverged, match=why):
        again(bench, curious, data, **needed | given)


@pytest.mark.parametrize("change", ["fewer", "more", "other", "answer"])
def test_a_changed_transcript_diverges(bench, curious, take, change):
    _, data, scope = take()
    raw = msgspec.json.decode(data)
    if change == "fewer":
        raw["calls"].pop()
    elif change == "more":
        raw["calls"].append(raw["calls"][0])
    elif change == "other":
        raw["calls"][2]["arguments"] = [9]
    else:
        raw["calls"][2]["value"] = "0000"
    with pytest.raises(ReplayDiverged):
        again(bench, curious, msgspec.json.encode(raw), parameters=scope.parameters, secrets={"token": SECRET})


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff", b"[" * 100_000, b'{"format":"transcript/v0"}'])
def test_what_is_no_transcript_is_refused(data):
    with pytest.raises(TranscriptInvalid):
        read_transcript(data)


def test_a_transcript_is_bounded(take, monkeypatch):
    monkeypatch.setattr("remit.sandbox.running.transcripts.MAX_TRANSCRIPT", 100)
    _, data, _ = take()
    found = read_transcript(data)
    assert found.dropped > 0
    assert len(found.calls) + found.dropped == 5
