"""Each limit and fault is a typed error, and the host goes on."""

from __future__ import annotations

import threading

import pytest

from remit.errors import (
    CallCancelled,
    DeadlineExceeded,
    FuelExhausted,
    GuestTextInvalid,
    GuestTrapped,
    HostCallsExceeded,
    HostFault,
    InputTooLarge,
    InstancesExceeded,
    MemoryExceeded,
    OutputTooLarge,
    StackExceeded,
    TablesExceeded,
)
from remit.kernel.hostcall import Ok, Refused

LOOP = "(loop $l (br $l)) (unreachable)"
RETURN = "(call $ok (i32.const 100) (i32.const {size}))"
STATE = "remit:unit/state@0.1.0"
LOG = "remit:unit/log@0.1.0"
LOG_TYPE = """
  (type $level0 (enum "trace" "debug" "info" "warn" "error"))
  (export "level" (type $level (eq $level0)))
  (export "write" (func (param "level" $level) (param "message" string) (param "fields" string)))
"""
LOGGING = {
    "imports": {LOG: LOG_TYPE},
    "lowered": {"log": f"{LOG} write (param i32 i32 i32 i32 i32)"},
}
LOG_ONCE = "(call $log (i32.const 2) (local.get $p) (local.get $n) (i32.const 0) (i32.const 0))"


@pytest.fixture(autouse=True)
def _host_alive(bench, echo):
    """Whatever a test's guest did: the next call is fine."""
    yield
    assert bench.run(echo, "still here").text == "still here"


def test_a_guest_that_loops_for_ever_meets_its_deadline(bench, guest):
    with pytest.raises(DeadlineExceeded) as caught:
        bench.run(guest(LOOP), deadline_ms=30)
    assert caught.value.details["deadline_ms"] == 30
    assert "runtime.deadline" in caught.value.remedy


@pytest.mark.parametrize("memory", [8 << 20, 32 << 20])
def test_a_guest_that_loops_in_its_start_function_meets_its_deadline(bench, guest, memory):
    looping = guest("(unreachable)", items="(func $s (loop $l (br $l))) (start $s)")
    with pytest.raises(DeadlineExceeded):
        bench.run(looping, deadline_ms=30, memory=memory)


def test_a_guest_that_recurses_overflows_its_own_stack(bench, guest):
    recursing = guest(
        "(call $r (i32.const 0))",
        items="(func $r (param i32) (result i32) (i32.add (call $r (local.get 0)) (i32.const 1)))",
    )
    with pytest.raises(StackExceeded):
        bench.run(recursing)


def test_a_guest_that_needs_more_memory_at_once_is_refused(bench, guest):
    with pytest.raises(MemoryExceeded) as caught:
        bench.run(guest("(unreachable)", pages="200"), memory=1 << 20)
    assert "runtime.memory" in caught.value.remedy


def test_a_guest_cannot_grow_beyond_its_memory(bench, guest):
    growing = guest(
        """(local $pages i32)
        (loop $l (br_if $l (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
        (i32.store (i32.const 100) (memory.size))
        (call $ok (i32.const 100) (i32.const 4))"""
    )
    pages = int.from_bytes(bench.run(growing, memory=1 << 20).text.encode(), "little")
    assert pages == 16


def test_two_memories_share_one_limit(bench, guest):
    second = """(core module $more (memory 9)) (core instance (instantiate $more))"""
    with pytest.raises(MemoryExceeded):
        bench.run(guest("(unreachable)", pages="9", extra=second), memory=16 * 65536)
    assert (
        bench.run(
            guest("(call $ok (local.get $p) (local.get $n))", pages="8", extra=second.replace("9", "8")),
            "x",
            memory=16 * 65536,
        ).text
        == "x"
    )


def test_two_memories_in_one_module_share_one_limit(bench, guest):
    with pytest.raises(MemoryExceeded):
        bench.run(guest("(unreachable)", pages="9", items="(memory $second 9)"), memory=16 * 65536)


def test_a_guest_that_traps_says_why(bench, guest):
    with pytest.raises(GuestTrapped) as caught:
        bench.run(guest("(unreachable)"))
    assert "unreachable" in caught.value.details["trap"]


def test_a_guest_that_returns_text_that_is_not_utf8_is_told_apart(bench, guest):
    body = "(i32.store8 (i32.const 100) (i32.const 0xff)) (call $ok (i32.const 100) (i32.const 1))"
    with pytest.raises(GuestTextInvalid):
        bench.run(guest(body))


def test_a_guest_that_passes_text_that_is_not_utf8_to_the_host_is_told_apart(bench, guest):
    body = "(i32.store8 (local.get $p) (i32.const 0xff))" + LOG_ONCE + "(unreachable)"
    with pytest.raises(GuestTextInvalid):
        bench.run(guest(body, **LOGGING), "x")


def test_a_guest_that_returns_too_much_is_refused(bench, guest):
    with pytest.raises(OutputTooLarge) as caught:
        bench.run(guest(RETURN.format(size=10_000)), output=9_999)
    assert caught.value.details["limit"] == 9_999
    assert len(bench.run(guest(RETURN.format(size=10_000)), output=10_000).text) == 10_000


def test_a_guest_that_returns_a_pointer_outside_its_memory_traps(bench, guest):
    with pytest.raises(GuestTrapped):
        bench.run(guest("(call $ok (i32.const -8) (i32.const 100))"))


def test_an_input_beyond_the_limit_never_reaches_the_guest(bench, echo):
    with pytest.raises(InputTooLarge):
        bench.run(echo, "x" * 101, input=100)


def test_fuel_runs_out_at_the_same_place_every_time(bench, guest):
    counting = guest(
        """(local $i i32)
        (loop $l (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1000))))
        (call $ok (local.get $p) (local.get $n))"""
    )
    used = {bench.run(counting, "x", fuel=1_000_000).fuel for _ in range(3)}
    assert len(used) == 1
    spent = used.pop()
    assert bench.run(counting, "x", fuel=spent + 1).text == "x"
    with pytest.raises(FuelExhausted):
        bench.run(counting, "x", fuel=spent // 2)


def test_a_door_that_aborts_stops_the_guest_at_once_and_its_reason_is_raised(bench, guest, door):
    def stop(door, *_arguments):
        door.abort = HostCallsExceeded("enough")
        return Ok()

    door.answers["log", "write"] = stop
    with pytest.raises(HostCallsExceeded, match="enough"):
        bench.run(guest(LOG_ONCE + LOOP, **LOGGING), "x", door=door)
    assert len(door.asked) == 1


def test_a_door_that_raises_is_a_fault_of_the_host_with_its_cause(bench, guest, door):
    def fail(_door, *_arguments):
        raise ZeroDivisionError("in the host")

    door.answers["log", "write"] = fail
    with pytest.raises(HostFault) as caught:
        bench.run(guest(LOG_ONCE + LOOP, **LOGGING), "x", door=door)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_an_exception_that_is_no_error_passes_through_the_guest_without_a_crash(bench, guest, door, kind):
    def leave(_door, *_arguments):
        raise kind

    door.answers["log", "write"] = leave
    with pytest.raises(kind):
        bench.run(guest(LOG_ONCE + LOOP, **LOGGING), "x", door=door)


def test_time_in_host_calls_counts_against_the_deadline(bench, guest, door):
    door.answers["log", "write"] = lambda _door, *_a: threading.Event().wait(0.05) or Ok()
    with pytest.raises(DeadlineExceeded):
        bench.run(
            guest(LOG_ONCE + "(call $ok (local.get $p) (local.get $n))", **LOGGING), "x", door=door, deadline_ms=20
        )


def test_a_call_can_be_cancelled_from_another_thread(bench, guest, door):
    running = threading.Event()
    door.answers["log", "write"] = lambda _door, *_a: running.set() or Ok()

    def cancel():
        running.wait()
        bench.runner.cancel(door)

    other = threading.Thread(target=cancel)
    other.start()
    with pytest.raises(CallCancelled):
        bench.run(guest(LOG_ONCE + LOOP, **LOGGING), "x", door=door, deadline_ms=60_000)
    other.join()


def test_a_call_cancelled_before_it_begins_does_not_begin(bench, echo, door):
    bench.runner.cancel(door)
    with pytest.raises(CallCancelled):
        bench.run(echo, "x", door=door)


def test_a_guest_that_asks_for_many_tables_is_refused(bench, guest):
    tables = "".join(f"(table $t{i} 1 funcref)" for i in range(40))
    with pytest.raises(TablesExceeded):
        bench.run(guest("(unreachable)", items=tables))


def test_a_guest_that_makes_many_instances_is_refused(bench, guest):
    many = "(core module $e)" + "(core instance (instantiate $e))" * 300
    with pytest.raises(InstancesExceeded):
        bench.run(guest("(unreachable)", extra=many))


def test_a_stack_that_is_raised_is_deeper(bench, guest):
    deep = guest(
        "(drop (call $r (i32.const 6000))) (call $ok (local.get $p) (local.get $n))",
        items="""(func $r (param i32) (result i32) (if (result i32) (local.get 0)
          (then (i32.add (call $r (i32.sub (local.get 0) (i32.const 1))) (i32.const 1))) (else (i32.const 0))))""",
    )
    with pytest.raises(StackExceeded) as caught:
        bench.run(deep, "x", stack=64 << 10)
    assert "runtime.stack" in caught.value.remedy
    assert bench.run(deep, "x", stack=1 << 20).text == "x"


def test_an_output_that_is_raised_is_longer(bench, guest):
    long = guest(RETURN.format(size=60_000))
    with pytest.raises(OutputTooLarge) as caught:
        bench.run(long, output=50_000)
    assert "runtime.output" in caught.value.remedy
    assert len(bench.run(long, output=60_000).text) == 60_000


def test_a_trap_that_may_be_for_want_of_memory_says_what_raises_it(bench, guest):
    growing = """(if (i32.eq (memory.grow (i32.const 1000)) (i32.const -1)) (then (unreachable)))
      (call $ok (local.get $p) (local.get $n))"""
    with pytest.raises(GuestTrapped) as caught:
        bench.run(guest(growing), "x", memory=1 << 20)
    assert "runtime.memory" in caught.value.remedy
    assert bench.run(guest(growing), "x", memory=128 << 20).text == "x"


def test_a_list_that_names_one_large_text_many_times_is_not_copied_out(bench, guest, host_error, door):
    http = "remit:unit/http@0.1.0"
    kinds = f"""
      (type $e0 (enum "utf8" "base64")) (export "encoding" (type $e (eq $e0))) {host_error}
      (type $q0 (record (field "method" string) (field "url" string) (field "headers" (list (tuple string string)))
        (field "body" string) (field "body-encoding" $e) (field "timeout-ms" u32)))
      (export "request" (type $q (eq $q0)))
      (type $s0 (record (field "status" u16) (field "headers" (list (tuple string string))) (field "body" string)
        (field "body-encoding" $e)))
      (export "response" (type $s (eq $s0)))
      (export "fetch" (func (param "request" $q) (result (result $s (error $host-error)))))"""
    # 100,000 headers, each of whose two texts is the same megabyte: 200 GB, if anybody copied them.
    body = """(local $i i32) (local $at i32)
      (memory.fill (i32.const 65536) (i32.const 97) (i32.const 1000000))
      (loop $l
        (local.set $at (i32.add (i32.const 2000000) (i32.mul (local.get $i) (i32.const 8))))
        (i32.store (local.get $at) (i32.const 65536))
        (i32.store offset=4 (local.get $at) (i32.const 1000000))
        (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 200000))))
      (call $fetch (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 2000000) (i32.const 100000)
        (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 64))
      (unreachable)"""
    core = "(param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)"
    bomb = guest(body, pages="100", imports={http: kinds}, lowered={"fetch": f"{http} fetch {core}"})
    with pytest.raises(OutputTooLarge):
        bench.run(bomb, door=door)
    assert door.asked == []


def test_a_host_function_that_answers_another_type_is_a_fault_of_the_host(bench, guest, host_error, door):
    kinds = f"""{host_error}
      (type $entry0 (record (field "value" string) (field "version" u64))) (export "entry" (type $entry (eq $entry0)))
      (export "get" (func (param "key" string) (result (result (option $entry) (error $host-error)))))"""
    asking = guest(
        "(call $get (local.get $p) (local.get $n) (i32.const 64)) (unreachable)",
        imports={STATE: kinds},
        lowered={"get": f"{STATE} get (param i32 i32 i32)"},
    )
    door.answers["state", "get"] = Ok({"value": "x", "version": -1})
    with pytest.raises(HostFault):
        bench.run(asking, "k", door=door)


@pytest.mark.parametrize("answer", [Ok(None), Ok({"value": "päyload", "version": 2**64 - 1}), Refused("denied", "no")])
def test_results_always_reach_the_guest_tagged(bench, guest, host_error, door, answer):
    kinds = f"""{host_error}
      (type $entry0 (record (field "value" string) (field "version" u64))) (export "entry" (type $entry (eq $entry0)))
      (export "get" (func (param "key" string) (result (result (option $entry) (error $host-error)))))"""
    # result at 64: tag, then at 72 the option's tag or the refusal; three digits of text say what came.
    asking = guest(
        """(call $get (local.get $p) (local.get $n) (i32.const 64))
        (i32.store8 (i32.const 200) (i32.add (i32.const 48) (i32.load8_u (i32.const 64))))
        (i32.store8 (i32.const 201) (i32.add (i32.const 48) (i32.load8_u (i32.const 72))))
        (call $ok (i32.const 200) (i32.const 2))""",
        imports={STATE: kinds},
        lowered={"get": f"{STATE} get (param i32 i32 i32)"},
    )
    door.answers["state", "get"] = answer
    expected = "10" if isinstance(answer, Refused) else f"0{int(answer.value is not None)}"
    assert bench.run(asking, "k", door=door).text == expected
    assert door.asked == [("state", "get", ("k",))]


@pytest.mark.parametrize(("case", "tag"), [(0, "rejected"), (2, "failed")])
def test_the_units_own_errors_are_outcomes(bench, guest, case, tag):
    outcome = bench.run(guest(f"(call $err (i32.const {case}) (local.get $p) (local.get $n))"), "why")
    assert (outcome.tag, outcome.text) == (tag, "why")


def test_a_retry_carries_its_delay(bench, guest):
    body = """(i32.store8 (i32.const 0) (i32.const 1)) (i32.store8 (i32.const 8) (i32.const 1))
      (i64.store (i32.const 16) (i64.const 1500))
      (i32.store (i32.const 24) (local.get $p)) (i32.store (i32.const 28) (local.get $n)) (i32.const 0)"""
    outcome = bench.run(guest(body), "later")
    assert (outcome.tag, outcome.text, outcome.after_ms) == ("retry", "later", 1500)


def test_nothing_of_one_call_is_left_in_the_next(bench, guest):
    marking = guest(
        """(i32.store8 (i32.const 300) (i32.add (i32.const 49) (i32.load8_u (i32.const 300))))
        (call $ok (i32.const 300) (i32.const 1))"""
    )
    assert [bench.run(marking).text for _ in range(3)] == ["1", "1", "1"]
