"""The closed world: empty, ours, and no way around a deadline."""

from __future__ import annotations

import json
import threading
from contextlib import closing

import pytest

from remit.errors import (
    CallCancelled,
    DeadlineExceeded,
    GuestTrapped,
    HostCallsExceeded,
    ImportRefused,
    OutputTooLarge,
)
from remit.kernel.hostcall import Ok, Refused
from remit.kernel.model import Limits, Program, UnitRef
from remit.sandbox.guest.closed_wasi import FUNCTIONS, RESOURCES, ClosedWorld
from remit.sandbox.wit.contract import CLOSED_WASI

POLL = "wasi:io/poll@0.2.3"
CLOCK = "wasi:clocks/monotonic-clock@0.2.3"
WALL = "wasi:clocks/wall-clock@0.2.9"
RANDOM = "wasi:random/random@0.2.0"
STREAMS = "wasi:io/streams@0.2.3"
STDERR = "wasi:cli/stderr@0.2.3"
HOUR_NS = 3_600_000_000_000

POLLING = {
    "imports": {
        POLL: """(export "pollable" (type $pollable (sub resource)))
          (export "[method]pollable.block" (func (param "self" (borrow $pollable))))
          (export "[method]pollable.ready" (func (param "self" (borrow $pollable)) (result bool)))
          (export "poll" (func (param "in" (list (borrow $pollable))) (result (list u32))))""",
        CLOCK: """(alias outer 1 $pollable (type $p0)) (export "pollable" (type $p (eq $p0)))
          (export "now" (func (result u64)))
          (export "subscribe-duration" (func (param "when" u64) (result (own $p))))""",
    },
    "aliases": {POLL: '(alias export $0 "pollable" (type $pollable))'},
    "lowered": {
        "block": f"{POLL} [method]pollable.block (param i32)",
        "ready": f"{POLL} [method]pollable.ready (param i32) (result i32)",
        "poll": f"{POLL} poll (param i32 i32 i32)",
        "after": f"{CLOCK} subscribe-duration (param i64) (result i32)",
    },
}
BLOCK_AN_HOUR = f"(call $block (call $after (i64.const {HOUR_NS}))) (unreachable)"
POLL_AN_HOUR = f"""(i32.store (i32.const 64) (call $after (i64.const {HOUR_NS})))
  (call $poll (i32.const 64) (i32.const 1) (i32.const 128)) (unreachable)"""


@pytest.fixture
def clocked(new_door):
    return new_door({("clock", "monotonic-ns"): Ok(1_000), ("clock", "now-ms"): Ok(1_700_000_000_123)})


@pytest.mark.parametrize("body", [BLOCK_AN_HOUR, POLL_AN_HOUR])
def test_a_guest_cannot_sleep_past_its_deadline(bench, guest, clocked, body):
    threads = threading.active_count()
    with pytest.raises(DeadlineExceeded):
        bench.run(guest(body, **POLLING), door=clocked, deadline_ms=30)
    for thread in threading.enumerate():
        if thread.name == "remit-epochs":
            thread.join(10)
    assert threading.active_count() <= threads


def test_a_sleeping_guest_can_be_cancelled(bench, guest, clocked):
    asleep = threading.Event()
    clocked.answers["clock", "monotonic-ns"] = lambda _door: asleep.set() or Ok(1_000)

    def cancel():
        asleep.wait()
        bench.runner.cancel(clocked)

    other = threading.Thread(target=cancel)
    other.start()
    with pytest.raises(CallCancelled):
        bench.run(guest(BLOCK_AN_HOUR, **POLLING), door=clocked, deadline_ms=60_000)
    other.join()


def test_a_short_sleep_ends_even_if_the_clock_stands_still(bench, guest, clocked):
    body = """(call $block (call $after (i64.const 1000000))) (call $ok (local.get $p) (local.get $n))"""
    assert bench.run(guest(body, **POLLING), "awake", door=clocked).text == "awake"


def test_polling_tells_what_is_due(bench, guest, clocked):
    body = f"""(i32.store (i32.const 64) (call $after (i64.const 1)))
      (call $poll (i32.const 64) (i32.const 1) (i32.const 128))
      (i32.store8 (i32.const 200) (i32.add (i32.const 48) (i32.load (i32.const 132))))
      (i32.store8 (i32.const 201) (i32.add (i32.const 48) (i32.load (i32.load (i32.const 128)))))
      (i32.store8 (i32.const 202) (i32.add (i32.const 48) (call $ready (call $after (i64.const {HOUR_NS})))))
      (i32.store8 (i32.const 203) (i32.add (i32.const 48) (call $ready (call $after (i64.const 0)))))
      (call $ok (i32.const 200) (i32.const 4))"""
    assert bench.run(guest(body, **POLLING), door=clocked).text == "1001"


def test_of_several_pollables_those_are_told_that_are_due_first():
    class Around:
        slept = 0

        def ask(self, *_arguments):
            return 100

        def sleep(self, duration):
            self.slept += duration

    around = Around()
    world = ClosedWorld(around)
    late, soon, also = world.after(50), world.after(20), world.at(120)
    assert world.poll([late, soon, also]) == [1, 2]
    assert around.slept == 20


def test_of_two_handles_the_one_is_told_that_is_due(bench, guest, clocked):
    body = f"""(i32.store (i32.const 64) (call $after (i64.const {HOUR_NS})))
      (i32.store (i32.const 68) (call $after (i64.const 1)))
      (call $poll (i32.const 64) (i32.const 2) (i32.const 128))
      (i32.store8 (i32.const 200) (i32.add (i32.const 48) (i32.load (i32.const 132))))
      (i32.store8 (i32.const 201) (i32.add (i32.const 48) (i32.load (i32.load (i32.const 128)))))
      (call $ok (i32.const 200) (i32.const 2))"""
    assert bench.run(guest(body, **POLLING), door=clocked).text == "11"


def test_handles_are_bounded(bench, guest, clocked):
    with pytest.raises(HostCallsExceeded):
        bench.run(guest("(loop $l (drop (call $after (i64.const 1))) (br $l)) (unreachable)", **POLLING), door=clocked)


def test_handles_are_counted_for_each_call_of_an_instance(bench, guest, clocked):
    body = """(local $i i32)
      (loop $l (drop (call $after (i64.const 1)))
        (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 6000))))
      (call $ok (local.get $p) (local.get $n))"""
    binary = guest(body, **POLLING)
    unit = UnitRef("acme/guest", "1.0.0", "sha256:" + "0" * 64, "tool", "local")
    instance = bench.runner.instance(Program(unit, bench.prepare(binary), "tool", Limits(), frozenset({"clock"})))
    with closing(instance):
        assert [instance.invoke("provider.call", ("act", "x"), clocked, 5_000) for _ in range(3)] == [("ok", "x")] * 3


def test_a_handle_that_was_never_given_traps(bench, guest, clocked):
    with pytest.raises(GuestTrapped):
        bench.run(guest("(call $block (i32.const 77)) (unreachable)", **POLLING), door=clocked)


RANDOMNESS = {
    "imports": {
        RANDOM: '(export "get-random-bytes" (func (param "len" u64) (result (list u8))))',
        WALL: """(type $d0 (record (field "seconds" u64) (field "nanoseconds" u32)))
          (export "datetime" (type $d (eq $d0)))
          (export "now" (func (result $d)))""",
    },
    "lowered": {"bytes": f"{RANDOM} get-random-bytes (param i64 i32)", "wall": f"{WALL} now (param i32)"},
}
DRAW = """(call $bytes (i64.const 4) (i32.const 64)) (call $wall (i32.const 72))
  (call $ok (i32.load (i32.const 64)) (i32.load (i32.const 68)))"""


def test_clock_and_randomness_come_through_the_door(bench, guest, clocked):
    clocked.answers["random", "hex"] = lambda _door, count: Ok(b"abcdefgh"[:count].hex())
    assert bench.run(guest(DRAW, **RANDOMNESS), door=clocked).text == "abcd"
    assert clocked.asked == [("random", "hex", (4,)), ("clock", "now-ms", ())]


def test_a_refusal_that_wasi_has_no_word_for_stops_the_guest(bench, guest, clocked):
    clocked.answers["random", "hex"] = Refused("denied", "not today")
    with pytest.raises(GuestTrapped, match="not today"):
        bench.run(guest(DRAW, **RANDOMNESS), door=clocked)


def test_too_much_randomness_at_once_is_refused(bench, guest, clocked):
    with pytest.raises(GuestTrapped, match="random bytes"):
        bench.run(guest(DRAW.replace("i64.const 4", "i64.const -1"), **RANDOMNESS), door=clocked)
    assert clocked.asked == []


def test_a_pure_call_sees_no_time_and_the_same_randomness_every_time(bench, guest, new_door):
    binary = guest(
        """(call $bytes (i64.const 8) (i32.const 64)) (call $wall (i32.const 72))
        (i64.store (i32.const 80) (i64.and (i64.load (i32.load (i32.const 64))) (i64.const 0x3f3f3f3f3f3f3f3f)))
        (call $ok (i32.const 72) (i32.const 16))""",
        **RANDOMNESS,
    )
    unit = UnitRef("acme/pure", "1.0.0", "sha256:" + "0" * 64, "transform", "local")
    program = Program(unit, bench.prepare(binary), "transform", Limits(), frozenset())
    doors = [new_door(), new_door()]
    texts = [bench.runner.run(program, "provider.call", ("a", "b"), door, 1000).text for door in doors]
    assert texts[0] == texts[1]
    assert texts[0][:8] == "\0" * 8
    assert texts[0][8:] != "\0" * 8
    assert [door.asked for door in doors] == [[], []]


WRITING = {
    "imports": {
        "wasi:io/error@0.2.3": '(export "error" (type $ioerror (sub resource)))',
        STREAMS: """(export "output-stream" (type $out (sub resource)))
          (alias outer 1 $ioerror (type $e0)) (export "error" (type $e (eq $e0)))
          (type $se0 (variant (case "last-operation-failed" (own $e)) (case "closed")))
          (export "stream-error" (type $se (eq $se0)))
          (export "[method]output-stream.blocking-write-and-flush"
            (func (param "self" (borrow $out)) (param "contents" (list u8)) (result (result (error $se)))))""",
        STDERR: """(alias outer 1 $out (type $o0)) (export "output-stream" (type $o (eq $o0)))
          (export "get-stderr" (func (result (own $o))))""",
    },
    "aliases": {
        "wasi:io/error@0.2.3": '(alias export $0 "error" (type $ioerror))',
        STREAMS: '(alias export $1 "output-stream" (type $out))',
    },
    "lowered": {
        "stderr": f"{STDERR} get-stderr (result i32)",
        "print": f"{STREAMS} [method]output-stream.blocking-write-and-flush (param i32 i32 i32 i32)",
    },
}


def test_what_a_guest_writes_to_stderr_is_in_its_log_even_if_it_traps(bench, guest, door):
    body = "(call $print (call $stderr) (local.get $p) (local.get $n) (i32.const 64)) (unreachable)"
    with pytest.raises(GuestTrapped):
        bench.run(guest(body, **WRITING), "Traceback\n\n  boom ", door=door)
    assert [arguments[1] for *_, arguments in door.asked] == ["Traceback", "  boom "]
    assert {json.loads(arguments[2])["stream"] for *_, arguments in door.asked} == {"stderr"}


def test_stderr_without_end_is_kept_within_bounds(bench, guest, door):
    body = """(local $i i32)
      (loop $l (call $print (call $stderr) (local.get $p) (local.get $n) (i32.const 64))
        (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 200))))
      (call $ok (i32.const 0) (i32.const 0))"""
    bench.run(guest(body, **WRITING), "x" * 999 + "\n", door=door)
    assert sum(len(arguments[1]) + 1 for *_, arguments in door.asked) <= 32 << 10


def test_a_resource_that_wasi_does_not_have_is_refused(bench, guest):
    with pytest.raises(ImportRefused):
        bench.run(guest("(unreachable)", imports={POLL: '(export "backdoor" (type (sub resource)))'}))


def test_a_function_that_is_not_served_stops_the_guest(bench, guest, door):
    odd = {
        "imports": {POLL: '(export "format" (func (param "disk" string)))'},
        "lowered": {"odd": f"{POLL} format (param i32 i32)"},
    }
    with pytest.raises(GuestTrapped, match="closed"):
        bench.run(guest("(call $odd (local.get $p) (local.get $n)) (unreachable)", **odd), "c:", door=door)


def test_leaving_the_process_is_a_trap(bench, guest):
    leaving = {
        "imports": {"wasi:cli/exit@0.2.0": '(export "exit" (func (param "status" (result))))'},
        "lowered": {"exit": "wasi:cli/exit@0.2.0 exit (param i32)"},
    }
    with pytest.raises(GuestTrapped, match="ended its process"):
        bench.run(guest("(call $exit (i32.const 0)) (unreachable)", **leaving))


def test_the_table_is_within_the_closed_world_and_its_resources_are_known():
    assert set(FUNCTIONS) <= CLOSED_WASI
    spelled = " ".join(str(signature) for functions in FUNCTIONS.values() for signature, _ in functions.values())
    used = {word.partition(">")[0] for kind in ("own<", "borrow<") for word in spelled.split(kind)[1:]}
    assert used <= set(RESOURCES)


def test_everything_that_the_closed_world_answers_is_empty():
    class Nowhere:
        def ask(self, *_arguments):
            raise AssertionError

        def sleep(self, _duration):
            raise AssertionError

    world = ClosedWorld(Nowhere())
    for interface, name in [
        ("environment", "get-environment"), ("environment", "get-arguments"), ("terminal-stdin", "get-terminal-stdin"),
    ]:  # fmt: skip
        _, serve = FUNCTIONS[f"wasi:cli/{interface}"][name]
        assert not serve(world)
    assert FUNCTIONS["wasi:filesystem/preopens"]["get-directories"][1](world) == ()
    assert FUNCTIONS["wasi:sockets/tcp-create-socket"]["create-tcp-socket"][1](world, "ipv4") == (
        "err",
        "access-denied",
    )


@pytest.mark.parametrize(("kind", "core", "call"), [
    ('(export "now" (func (param "x" u64) (result u64)))', "(param i64) (result i64)",
     "(drop (call $lie (i64.const 0)))"),
    ('(export "now" (func))', "", "(call $lie)"),
    ('(export "now" (func (result string)))', "(param i32)", "(call $lie (i32.const 64))"),
    ('(export "subscribe-instant" (func (param "when" u32)))', "(param i32)", "(call $lie (i32.const 0))"),
    ('(export "subscribe-duration" (func (param "when" string) (result u64)))', "(param i32 i32) (result i64)",
     "(drop (call $lie (i32.const 0) (i32.const 1)))"),
])  # fmt: skip
def test_a_component_that_lies_about_wasis_types_is_stopped(bench, guest, clocked, kind, core, call):
    name = kind.split('"')[1]
    lying = {"imports": {CLOCK: kind}, "lowered": {"lie": f"{CLOCK} {name} {core}"}}
    with pytest.raises(GuestTrapped):
        bench.run(guest(f"{call} (unreachable)", **lying), door=clocked)


def test_bytes_that_a_guest_writes_are_bounded_before_they_are_unpacked(bench, guest, door):
    body = "(call $print (call $stderr) (i32.const 0) (i32.const 16000000) (i32.const 64)) (unreachable)"
    with pytest.raises(OutputTooLarge):
        bench.run(guest(body, pages="250", **WRITING), door=door)
