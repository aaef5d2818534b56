"""Signals to a command whose guest runs: a clean end with a code, a journal that says so, a home that goes on."""

from __future__ import annotations

import json
import signal

import pytest

from remit.errors import CallCancelled

ENDS = [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]


@pytest.fixture
def codes(remit):
    """The codes of the failed calls in the journal."""

    def read():
        lines = remit("events", "--prefix", "action.failed", "--json").stdout.splitlines()
        return [json.loads(line)["event"]["data"]["code"] for line in lines]

    return read


@pytest.mark.parametrize(("number", "code", "word"), ENDS)
@pytest.mark.usefixtures("slow")
def test_a_signal_stops_a_runaway_call_in_order(remit, processes, codes, number, code, word):
    process = processes.telling("call", "acme/slow:spin")
    assert process.stdout.readline() == "running\n"
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err.strip()) == (code, "", word)
    assert codes() == [CallCancelled.code]
    assert remit("call", "acme/echo:echo", "7").stdout == "7\n"
    remit("journal", "verify")


@pytest.mark.parametrize(("number", "code", "word"), ENDS)
def test_a_signal_to_a_client_stops_the_guest_in_the_kernels_process(
    slow, remit, processes, wait_for, codes, number, code, word
):
    kernel = processes.telling("events", "--follow")
    wait_for((slow / ".remit" / "kernel.sock").exists)
    caller = processes.start("call", "acme/slow:spin")
    while kernel.stdout.readline() != "running\n":
        pass
    caller.send_signal(number)
    out, err = caller.communicate(timeout=60)
    assert (caller.returncode, out, err.strip()) == (code, "", word)
    wait_for(lambda: codes() == [CallCancelled.code])  # long before its own deadline of a minute
    assert remit("call", "acme/echo:echo", "7").stdout == "7\n"


@pytest.mark.parametrize(("number", "code", "word"), ENDS)
def test_a_signal_to_the_kernel_itself_ends_it_in_order(slow, remit, processes, wait_for, codes, number, code, word):
    kernel = processes.telling("events", "--follow")
    wait_for((slow / ".remit" / "kernel.sock").exists)
    caller = processes.start("call", "acme/slow:spin")
    while kernel.stdout.readline() != "running\n":
        pass
    kernel.send_signal(number)
    _, err = kernel.communicate(timeout=60)
    assert (kernel.returncode, err.strip()) == (code, word)
    caller.communicate(timeout=60)
    assert caller.returncode != 0
    assert codes() == [CallCancelled.code]
    assert remit("call", "acme/echo:echo", "7").stdout == "7\n"
    remit("journal", "verify")
