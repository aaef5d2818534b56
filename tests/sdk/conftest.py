"""The guests' SDKs: found in the checkout, and what they make run in the sandbox against a host in memory."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from remit_unit import Refused as NativelyRefused

from remit.host import build_unit
from remit.journal import digest_of
from remit.kernel.answers import Ok, Refused
from remit.kernel.model import Limits, Program, UnitRef
from remit.kernel.ports import SystemClock
from remit.sandbox.guest.call import Call
from remit.sandbox.running.runner import ComponentRunner

EVENT = {
    "id": "1", "topic": "ticket.created", "source": "//x", "subject": "Ada", "time-ms": 2**40, "content-type":
    "application/json", "data": '{"title": "päper jam"}', "correlation-id": "", "causation-id": "", "reply-to": "",
    "hops": 8, "priority": 0, "trace-parent": "", "attempt": 2,
}  # fmt: skip


@pytest.fixture
def event():
    """An event as the kernel delivers it."""
    return dict(EVENT)


class Door:
    """The SDK's own host in memory behind the sandbox's door, so that both sides are given the same answers."""

    abort = None
    partition = "main"

    def __init__(self, host):
        self._host = host

    def __call__(self, interface, function, arguments):
        if interface in {"clock", "random"}:  # Python asks while it starts; natively it has the machine's
            return Ok(0 if interface == "clock" else "5" * 2 * arguments[0])
        if interface == "http":
            [request] = arguments
            arguments = (request["method"], request["url"], request["headers"], request["body"], request["timeout-ms"])
        try:
            answer = self._host.answer(interface, function, tuple(arguments))
        except NativelyRefused as refused:
            return Refused(refused.code, refused.message)
        value = dict(vars(answer)) if isinstance(answer, SimpleNamespace) else answer
        if interface == "http":
            value |= {"body-encoding": "utf8", "headers": [["content-type", "text/plain"]]}
        return Ok(value)


@pytest.fixture(scope="session")
def sandboxed(tmp_path_factory):
    """Builds a source and gives what runs an export of it in the sandbox."""
    runner = ComponentRunner(tmp_path_factory.mktemp("cache"), bytes(32), SystemClock())

    def prepare(folder, calls=1):
        component = build_unit(folder).read_bytes()
        digest = digest_of(component)
        runner.prepare(digest, lambda: component)
        imports, _ = runner.interfaces(component)
        unit = UnitRef("acme/faces", "1.0.0", digest, "tool", "local")
        program = Program(unit, digest, "tool", Limits(memory=64 << 20), imports)

        def run(export, argument, host):
            arguments = argument if isinstance(argument, tuple) else (argument,)
            with_one = runner.instance(program)  # one instance, as where it is kept
            try:
                for _ in range(calls):
                    outcome = with_one.run(Call(Door(host), SystemClock(), 10_000), export, arguments)
            finally:
                with_one.close()
            return outcome.tag, outcome.text

        return run

    yield prepare
    runner.close()
