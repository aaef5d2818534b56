"""The door: every host call counted, recorded, answered; nothing raised through a guest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.errors import (
    EventInvalid,
    HostCallsExceeded,
    HostFault,
    LeaseDenied,
    QuotaExceeded,
    SourceReserved,
    StateConflict,
)
from remit.journal.effects import Effects
from remit.kernel.hostcall import Door, HostCall, Ok, Refused
from remit.kernel.model import Caller, Limits, Program, UnitRef
from remit.kernel.scope import Scope
from tests.journal.simulators import SimClock, SimIds
from tests.kernel.simulators import INTERFACES, Interface, SimAuthority


def _scope(**limits):
    unit = UnitRef("acme/unit", "1.0.0", "sha256:0", "tool", "signed")
    bounds = Limits(**limits)
    return Scope(
        program=Program(unit, "sha256:1", "tool", bounds, frozenset()),
        caller=Caller(),
        parameters="{}",
        authority=SimAuthority(),
        effects=lambda _scope: Effects(None, "//h/unit/u", bounds, SimIds()),
        clock=SimClock(),
        ids=SimIds(),
        deadline_ns=0,
    )


def _raises(error):
    def function(_scope):
        raise error

    return {"x": Interface(do=function)}


@pytest.mark.parametrize(
    ("error", "code"),
    [(StateConflict("c"), "conflict"), (QuotaExceeded("q"), "exhausted"), (SourceReserved("s"), "denied"),
     (EventInvalid("e"), "invalid")],
)  # fmt: skip
def test_what_the_guest_did_wrong_is_an_answer(error, code):
    door = Door("i", _scope(), _raises(error))
    assert door("x", "do", ()) == Refused(code, error.message)
    assert door.abort is None


@pytest.mark.parametrize(
    "error",
    [LeaseDenied("no"), ZeroDivisionError(), RecursionError(), MemoryError(), KeyboardInterrupt(), SystemExit()],
)
def test_what_the_host_did_wrong_ends_the_call_and_is_never_raised_here(error):
    door = Door("i", _scope(), _raises(error))
    assert door("x", "do", ()).code == "unavailable"
    if isinstance(error, LeaseDenied) or not isinstance(error, Exception):
        assert door.abort is error
    else:
        assert isinstance(door.abort, HostFault)
        assert door.abort.__cause__ is error


def test_after_an_abort_every_answer_is_the_same_and_the_first_reason_stays():
    door = Door("i", _scope(), {**INTERFACES, **_raises(ZeroDivisionError())})
    door("x", "do", ())
    first = door.abort
    assert door("log", "write", ("message",)).code == "unavailable"
    door("x", "do", ())
    assert door.abort is first


@given(st.text(max_size=20), st.text(max_size=20), st.lists(st.none() | st.integers() | st.text(), max_size=4))
def test_no_name_and_no_arguments_make_the_door_raise(interface, function, arguments):
    door = Door("i", _scope(), INTERFACES)
    assert isinstance(door(interface, function, tuple(arguments)), Refused | Ok)


def test_a_wrong_number_of_arguments_is_the_hosts_fault():
    door = Door("i", _scope(), INTERFACES)
    door("state", "get", ("a", "b", "c"))
    assert isinstance(door.abort, HostFault)


def test_exactly_the_bound_of_host_calls_is_answered():
    door = Door("i", _scope(host_calls=5), INTERFACES)
    answers = [door("log", "write", ("m",)) for _ in range(6)]
    assert [isinstance(answer, Ok) for answer in answers] == [True] * 5 + [False]
    assert isinstance(door.abort, HostCallsExceeded)


def test_refused_calls_count_too():
    door = Door("i", _scope(host_calls=5), {})
    for _ in range(6):
        door("no", "such", ())
    assert isinstance(door.abort, HostCallsExceeded)


def test_a_recorder_sees_every_call_with_its_answer_in_order():
    seen = []
    door = Door("instance", _scope(), {**INTERFACES, **_raises(ZeroDivisionError())}, seen.append)
    door("log", "write", ("m",))
    door("no", "such", (1,))
    door("x", "do", ())
    assert [call[:5] for call in seen] == [
        ("instance", 1, "log", "write", ("m",)), ("instance", 2, "no", "such", (1,)), ("instance", 3, "x", "do", ()),
    ]  # fmt: skip
    assert all(isinstance(call, HostCall) for call in seen)
    assert [type(call.answer) for call in seen] == [Ok, Refused, Refused]


def test_time_left_is_never_negative():
    scope = _scope()
    assert scope.remaining_ms == 0
    scope.deadline_ns = scope.clock.monotonic_ns() + 5_000_000
    assert 4 <= scope.remaining_ms <= 5
