"""The kernel in this process: interrupts, cancelling, closing, and what a start leaves in the journal."""

from __future__ import annotations

import asyncio
import signal
import threading

import pytest

from remit.errors import (
    CallCancelled,
    DeadlineExceeded,
    EventInvalid,
    JournalClosed,
    JournalCorrupt,
    PayloadMissing,
    RemitError,
    UsageError,
)
from remit.host import Client, Home, Kernel, read_journal, verify_journal
from remit.host.plugging import manager
from remit.journal import Journal


@pytest.fixture
def patient(patient_home):
    with Kernel.open(patient_home) as kernel:
        yield kernel


@pytest.fixture
def running(patient):
    """Set when a guest starts."""
    started = threading.Event()
    runner = patient._rooms.runner
    run = runner.run

    def told(*arguments, **named):
        started.set()
        return run(*arguments, **named)

    runner.run = told
    return started


def _codes(kernel, head):
    return [record["event"]["data"].get("code") for record in kernel.events(head, prefixes=["action."])]


def test_an_interrupt_stops_the_guest_and_the_kernel_goes_on(patient, running):
    head = patient.home().head
    main = threading.main_thread().ident

    def interrupt():
        running.wait(30)
        signal.pthread_kill(main, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        patient.call("acme/loop:spin", {})
    thread.join()
    assert _codes(patient, head) == [CallCancelled.code]
    assert patient.call("acme/echo:echo", 1) == 1


def test_a_handler_that_raises_stops_the_guest_too(patient, running):
    class Alarm(Exception):  # noqa: N818 - a signal's name
        pass

    def ring(*_):
        raise Alarm

    before = signal.signal(signal.SIGUSR1, ring)
    head = patient.home().head
    main = threading.main_thread().ident
    thread = threading.Thread(target=lambda: running.wait(30) and signal.pthread_kill(main, signal.SIGUSR1))
    try:
        thread.start()
        with pytest.raises(Alarm):
            patient.call("acme/loop:spin", {})
    finally:
        thread.join()
        signal.signal(signal.SIGUSR1, before)
    assert _codes(patient, head) == [CallCancelled.code]


def test_cancelling_a_task_stops_its_guest(patient, running):
    head = patient.home().head

    async def main():
        task = asyncio.create_task(patient.acall("acme/loop:spin", {}))
        await asyncio.to_thread(running.wait, 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await patient.acall("acme/echo:echo", {"a": 1})

    assert asyncio.run(main()) == {"a": 1}
    assert _codes(patient, head) == [CallCancelled.code, None]


def test_cancelling_a_task_of_another_process_stops_its_guest_too(patient, running):
    head = patient.home().head

    async def main():
        with Client(Home.open(patient.home().root)) as client:
            task = asyncio.create_task(client.acall("acme/loop:spin", {}))
            await asyncio.to_thread(running.wait, 30)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return await client.acall("acme/echo:echo", {"a": 1})

    assert asyncio.run(main()) == {"a": 1}
    while len(codes := _codes(patient, head)) < 2:  # the guest ends after its client went
        patient.events(patient.home().head, wait_ms=1_000)
    assert set(codes) == {CallCancelled.code, None}


def test_tasks_run_side_by_side(kernel):
    async def main():
        return await asyncio.gather(*(kernel.acall("acme/echo:echo", n) for n in range(40)))

    assert asyncio.run(main()) == list(range(40))


def test_an_error_of_a_task_is_the_same_error(kernel):
    async def main():
        await kernel.acall("acme/none:none")

    with pytest.raises(Exception, match="acme/none"):
        asyncio.run(main())


def test_threads_share_a_kernel(kernel):
    results = []

    def work(name):
        results.extend(kernel.call("acme/echo:echo", [name, n]) == [name, n] for n in range(20))

    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert results == [True] * 160


def test_a_closed_kernel_refuses_and_its_home_opens_again(active_home):
    kernel = Kernel.open(active_home)
    kernel.close()
    kernel.close()
    with pytest.raises(JournalClosed):
        kernel.call("acme/echo:echo", 1)
    with pytest.raises(JournalClosed):
        asyncio.run(kernel.acall("acme/echo:echo", 1))
    assert not (active_home / ".remit" / "kernel.sock").exists()
    with Kernel.open(active_home) as again:
        assert again.call("acme/echo:echo", 1) == 1


def test_closing_under_callers_gives_each_an_answer_or_a_refusal(active_home):
    kernel = Kernel.open(active_home)
    answered, refused, other = [], [], []
    gate = threading.Barrier(5, timeout=30)

    def work():
        gate.wait()
        while True:
            try:
                answered.append(kernel.call_text("acme/echo:echo", "1").seq)
            except JournalClosed:
                refused.append(1)
                return
            except Exception as error:  # noqa: BLE001 - any other failure fails the test
                other.append(repr(error))
                return

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    gate.wait()
    head = kernel.home().head
    kernel.events(head + 20, wait_ms=2_000)
    kernel.close()
    for thread in threads:
        thread.join(60)
    assert other == []
    assert len(refused) == 4
    journal = read_journal(active_home)
    kept = {record.seq for record in journal.read(prefixes=("action.completed",))}
    journal.close()
    assert set(answered) <= kept
    assert len(answered) == len(set(answered))


def test_closing_lets_a_call_on_another_thread_come_to_its_own_end(active_home):
    kernel = Kernel.open(active_home)
    started, errors = threading.Event(), []
    runner = kernel._rooms.runner
    run = runner.run

    def told(*arguments, **named):
        started.set()
        return run(*arguments, **named)

    def call():
        try:
            kernel.call("acme/loop:spin", {})
        except RemitError as error:
            errors.append(type(error))

    runner.run = told
    thread = threading.Thread(target=call)
    thread.start()
    assert started.wait(30)
    kernel.close()
    thread.join(30)
    assert errors == [DeadlineExceeded]
    journal = read_journal(active_home)
    assert journal.last(1)[0].event.data["code"] == DeadlineExceeded.code
    journal.close()


def test_a_home_is_created_once_however_often_it_is_opened(home):
    for _ in range(3):
        Kernel.open(home).close()
    journal = read_journal(home)
    types = [record.event.type for record in journal.read()]
    journal.close()
    assert types[0] == "home.created"
    assert types.count("home.created") == 1
    assert types.count("policy.published") == 1


def test_a_damaged_journal_keeps_the_kernel_shut_and_leaves_no_lock(active_home):
    path = active_home / ".remit" / "journal.db"
    content = path.read_bytes()
    path.write_bytes(b"not a database" * 1_000)
    with pytest.raises(JournalCorrupt):
        Kernel.open(active_home)
    path.write_bytes(content)
    with Kernel.open(active_home) as kernel:
        assert kernel.call("acme/echo:echo", 1) == 1


def test_a_payload_that_was_erased_under_a_model_does_not_keep_the_home_locked(active_home, monkeypatch):
    kernel = Kernel.open(active_home)

    def missing(*_):
        raise PayloadMissing("erased")

    with monkeypatch.context() as patch:
        patch.setattr(kernel._rooms.folds, "save", missing)
        with pytest.raises(PayloadMissing):
            kernel.close()
    with Kernel.open(active_home) as again:
        assert again.call("acme/echo:echo", 1) == 1
    verify_journal(active_home)


def test_a_plugin_that_fails_to_load_is_a_finding_and_an_event(home, monkeypatch):
    class Point:
        name = "broken"

        def load(self):
            raise ImportError("no such module")

    monkeypatch.setattr(manager.metadata, "entry_points", lambda **_: [Point()])
    with Kernel.open(home) as kernel:
        (finding,) = kernel.findings()
        assert "broken" in finding.message
        assert "no such module" in finding.message
        while not (records := kernel.events(prefixes=["plugin."])):  # nobody waits until it is written
            kernel.events(kernel.home().head, wait_ms=1_000)
        (record,) = records
        assert record["event"]["data"]["plugin"] == "broken"


@pytest.mark.parametrize("at", [-1, 10**6, 10**30])
def test_a_state_as_of_a_record_that_is_not_there_is_a_usage_error(kernel, at):
    with pytest.raises(UsageError):
        kernel.state("generations", at=at)


def test_every_model_answers_for_every_moment(kernel):
    head = kernel.home().head
    for model in kernel.models():
        states = [kernel.state(model, at=seq) for seq in range(head + 1)]
        assert states[-1] == kernel.state(model)


def test_events_are_paged_filtered_and_counted_from_the_end(kernel):
    for n in range(10):
        kernel.emit("page.turned", n)
    numbers = [record["event"]["data"] for record in kernel.events(prefixes=["page."], limit=4)]
    assert numbers == [0, 1, 2, 3]
    assert [record["event"]["data"] for record in kernel.events(prefixes=["page."], last=3)] == [7, 8, 9]
    assert kernel.events(kernel.home().head) == []


def test_opening_under_another_clock_stamps_its_time(home):
    class Clock:
        def now_ms(self):
            return 0

        def time_ns(self):
            return 0

        def monotonic_ns(self):
            return 0

    with Kernel.open(home, clock=Clock()) as kernel:
        assert kernel.emit("time.told")["event"]["time"] == "1970-01-01T00:00:00.000Z"


def test_a_journal_object_of_a_home_reads_beside_its_kernel(kernel, active_home):
    reader = read_journal(active_home)
    assert isinstance(reader, Journal)
    kernel.emit("while.open")
    assert verify_journal(active_home).records == kernel.home().head
    reader.close()


def test_an_event_of_a_client_is_bounded(kernel):
    with pytest.raises(EventInvalid, match="1 MiB"):
        kernel.emit("ticket.created", "x" * (2 << 20))
