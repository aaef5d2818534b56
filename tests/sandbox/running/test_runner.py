"""Every export of the world, with the values that the kernel gives."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remit.errors import HostFault
from remit.kernel.model import Limits, Program, UnitRef
from remit.kernel.ports import SystemClock
from remit.sandbox.guest.call import Call
from remit.sandbox.guest.loaded import Export
from remit.sandbox.wit.contract import EXPORTS

UNIT = UnitRef("acme/guest", "1.0.0", "sha256:" + "0" * 64, "tool", "local")
EVENT = {
    "id": "1", "topic": "a.b", "source": "//x", "subject": "", "time-ms": 2**40, "content-type": "application/json",
    "data": "päyload", "correlation-id": "", "causation-id": "", "reply-to": "", "hops": 8, "priority": 255,
    "trace-parent": "", "attempt": 1,
}  # fmt: skip


def test_an_export_answers_what_the_guest_returns(bench, echo):
    outcome = bench.run(echo, "héllo")
    assert (outcome.tag, outcome.text) == ("ok", "héllo")


@pytest.mark.parametrize(("export", "argument"), [("handler.handle", EVENT), ("transformer.transform", "päyload")])
def test_handlers_and_transformers_get_their_argument(bench, listener, door, export, argument):
    assert bench.runner.interfaces(listener) == (frozenset(), frozenset({"handler", "transformer"}))
    program = Program(UNIT, bench.prepare(listener), "tool", Limits(), frozenset())
    assert bench.runner.run(program, export, (argument,), door, 5_000).text == "päyload"


@pytest.mark.parametrize("argument", [EVENT | {"priority": 256}, EVENT | {"hops": None}, {"id": "1"}, "text", None])
def test_an_event_of_another_shape_never_reaches_the_guest(bench, listener, door, argument):
    program = Program(UNIT, bench.prepare(listener), "tool", Limits(), frozenset())
    with pytest.raises(HostFault):
        bench.runner.run(program, "handler.handle", (argument,), door, 5_000)


def test_a_closed_runner_runs_nothing(fresh, echo):
    fresh.run(echo, "x")
    fresh.runner.close()
    with pytest.raises(HostFault, match="closed"):
        fresh.run(echo, "x")


@given(text=st.text(max_size=50), topic=st.text(max_size=10), number=st.integers(0, 2**64 - 1))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_calls_by_declaration_answer_as_calls_by_plan(bench, listener, door, text, topic, number):
    program = Program(UNIT, bench.prepare(listener), "tool", Limits(), frozenset())
    instance = bench.runner.instance(program)
    planned = instance._loaded.export("handler.handle")
    declared = Export("declared", planned._index, EXPORTS["handler"]["handle"], fast=False)
    instance._loaded._exports["declared"] = declared
    event = EVENT | {"data": text, "topic": topic, "time-ms": number}
    try:
        names = (planned.name, declared.name)
        answers = [instance.call(Call(door, SystemClock(), 5_000), name, (event,)) for name in names]
        assert answers == [("ok", text)] * 2
        for name in names:
            with pytest.raises(HostFault):
                instance.call(Call(door, SystemClock(), 5_000), name, (event | {"hops": -1},))
    finally:
        instance.close()


def test_instances_that_live_at_once_have_results_of_their_own(bench, echo, door):
    program = Program(UNIT, bench.prepare(echo), "tool", Limits(), frozenset())
    first, second = bench.runner.instance(program), bench.runner.instance(program)
    assert first.invoke("provider.call", ("act", "one"), door, 5_000) == ("ok", "one")
    assert second.invoke("provider.call", ("act", "two"), door, 5_000) == ("ok", "two")
    first.close()
    third = bench.runner.instance(program)
    assert third.invoke("provider.call", ("act", "three"), door, 5_000) == ("ok", "three")
    assert second.invoke("provider.call", ("act", "four"), door, 5_000) == ("ok", "four")
    second.close()
    third.close()
