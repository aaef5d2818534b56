"""An embedding program whose kernel others use and administer while it runs."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from remit.errors import PlanStale
from remit.host import Client, Home, Kernel, verify_journal
from remit.kernel.model import Caller

ADMINISTER = """
import sys
from remit.host import connect
home, folder = sys.argv[1:]
with connect(home) as remote:
    assert not remote.is_kernel
    unit = remote.install(folder, allow_unsigned=True)
    for _ in range(3):
        plan = remote.plan(add=[unit])
        print("applied", remote.apply(plan, consent=True).number, flush=True)
        sys.stdin.readline()
        print("reverted", remote.revert(consent=True).number, flush=True)
        sys.stdin.readline()
"""


def test_a_program_that_calls_in_a_loop_is_administered_by_others(kernel, active_home, program, unit):
    stop, failures, calls = threading.Event(), [], []

    def loop():
        while not stop.is_set():
            try:
                calls.append(kernel.call("acme/echo:echo", len(calls)) == len(calls))
            except Exception as error:  # noqa: BLE001 - any failure at all fails the test
                failures.append(repr(error))
                return

    thread = threading.Thread(target=loop)
    thread.start()
    one = program(ADMINISTER, active_home, unit("trap"))
    for _ in range(3):
        for word, offered in (("applied", True), ("reverted", False)):
            said, number = one.line().split()
            assert said == word
            # The very next call of the program is under the new generation.
            result = kernel.call_text("acme/echo:echo", "1")
            record = kernel.events(result.seq - 1, limit=1)[0]
            assert record["generation"] == int(number) == kernel.home().generation
            names = {action["name"] for action in kernel.actions()}
            assert ("acme/trap:trap" in names) == offered
            one.tell()
    assert one.end() == 0
    stop.set()
    thread.join(30)
    assert failures == []
    assert len(calls) > 10
    assert all(calls)
    verify_journal(active_home)


def test_of_two_plans_made_at_once_the_second_is_stale(kernel, active_home):
    client = Client(Home.open(active_home))
    mine, theirs = kernel.plan(remove=["acme/loop"]), client.plan(remove=["acme/counter"])
    client.apply(theirs, consent=True)
    with pytest.raises(PlanStale):
        kernel.apply(mine, consent=True)
    client.close()


@pytest.mark.usefixtures("kernel")
def test_calls_of_many_threads_through_one_client_do_not_mix(active_home):
    client = Client(Home.open(active_home))
    answers = {}

    def work(name):
        answers[name] = [client.call("acme/echo:echo", [name, n]) for n in range(25)]

    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert answers == {name: [[name, n] for n in range(25)] for name in range(8)}
    client.close()


def test_an_idempotency_key_holds_across_processes(kernel, active_home):
    client = Client(Home.open(active_home))
    caller = Caller(idempotency_key="once")
    first = kernel.call_text("acme/counter:increment", "{}", caller=caller)
    again = client.call_text("acme/counter:increment", "{}", caller=caller)
    assert (again.output, again.seq, again.replayed) == (first.output, first.seq, True)
    client.close()


def test_a_leaving_kernel_serves_on_while_a_client_is_in_the_middle_of_something(active_home):
    kernel = Kernel.open(active_home)
    with Client(Home.open(active_home)) as client, ThreadPoolExecutor(2) as pool:
        busy = threading.Event()
        real = kernel._operations.units

        def slow(context):
            busy.set()
            release.wait(20)
            return real(context)

        release = threading.Event()
        kernel._operations.units = slow
        first = pool.submit(client.units)
        busy.wait(20)
        closing = pool.submit(kernel.close)
        with Client(Home.open(active_home)) as other:
            assert other.home().root == str(active_home)
        release.set()
        assert [entry.ref.id for entry in first.result(20)] == [entry.ref.id for entry in first.result()]
        closing.result(20)
