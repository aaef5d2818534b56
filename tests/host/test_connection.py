"""Several processes on one home: one kernel, clients that notice when it goes, and nothing lost or done twice."""

from __future__ import annotations

import os
import threading
from collections import Counter

import pytest

from remit.errors import (
    ActionUnknown,
    ConnectionLost,
    EventInvalid,
    GuestTrapped,
    JournalClosed,
    KernelUnreachable,
    ProtocolError,
    UnitUnknown,
)
from remit.host import Client, Home, Kernel, connect, verify_journal
from remit.host.wire.client import NotPerformed

JOIN = """
import os, sys
from remit.host import connect
with connect(sys.argv[1]) as connection:
    print(connection.call("acme/echo:echo", os.getpid()), flush=True)
    connection.emit("race.joined", os.getpid())
    print("kernel" if connection.is_kernel else "client", flush=True)
    sys.stdin.readline()
"""


def test_of_processes_that_start_at_once_one_is_the_kernel_and_all_are_served(active_home, program):
    runners = [program(JOIN, active_home) for _ in range(6)]
    assert [int(one.line()) for one in runners] == [one.pid for one in runners]
    roles = [one.line() for one in runners]
    assert Counter(roles) == {"kernel": 1, "client": 5}
    kernel = runners[roles.index("kernel")]
    for one in runners:
        if one is not kernel:
            assert one.end() == 0
    assert kernel.end() == 0
    with Kernel.open(active_home) as after:
        joined = [record["event"]["data"] for record in after.events(prefixes=["race."])]
        assert sorted(joined) == sorted(one.pid for one in runners)
    assert verify_journal(active_home).records > 12


def test_a_client_is_the_same_to_its_caller_as_the_kernel(kernel, active_home):
    client = Client(Home.open(active_home))
    assert client.home() == kernel.home()
    assert client.units() == kernel.units()
    assert client.history() == kernel.history()
    assert client.actions() == kernel.actions()
    assert client.leases() == kernel.leases()
    assert client.documents() == kernel.documents() == ["assistant"]
    assert client.document("assistant") == kernel.document("assistant")
    assert client.models() == kernel.models()
    assert client.findings() == kernel.findings() == []
    assert client.call("acme/echo:echo", {"é": [1, None]}) == {"é": [1, None]}
    assert client.unit("acme/echo") == kernel.unit("acme/echo")
    assert client.diff(0, 1) == kernel.diff(0, 1)
    assert client.plan() == kernel.plan()
    assert client.events() == kernel.events()
    assert client.cache() == kernel.cache()
    for model in kernel.models():
        assert client.state(model) == kernel.state(model)
    client.close()


@pytest.mark.parametrize(
    ("ask", "error"),
    [
        (lambda facade: facade.call("acme/none:none"), ActionUnknown),
        (lambda facade: facade.unit("acme/none"), UnitUnknown),
        (lambda facade: facade.call("acme/counter:spoil"), GuestTrapped),
    ],
)
def test_an_error_crosses_the_socket_whole(kernel, active_home, ask, error):
    client = Client(Home.open(active_home))
    with pytest.raises(error) as here:
        ask(kernel)
    with pytest.raises(error) as there:
        ask(client)
    assert there.value.as_dict() == here.value.as_dict()
    client.close()


def test_a_client_sees_progress(kernel, active_home, unit):
    kernel.clear_cache()
    client = Client(Home.open(active_home))
    seen = []
    client.install(str(unit("grow")), allow_unsigned=True, progress=lambda stage, share: seen.append((stage, share)))
    assert seen
    assert all(isinstance(stage, str) and 0 <= share <= 1 for stage, share in seen)
    client.close()


def test_a_client_sees_events_as_they_happen(kernel, active_home):
    client = Client(Home.open(active_home))
    stream = client.follow(kernel.home().head, prefixes=["news."])
    seen = []
    thread = threading.Thread(target=lambda: seen.extend(next(stream) for _ in range(3)))
    thread.start()
    for n in range(3):
        kernel.emit("other.thing", n)
        client.emit("news.flash", n)
    thread.join(30)
    assert [record["event"]["data"] for record in seen] == [0, 1, 2]
    client.close()


# ---- the kernel goes ----


def _spin(connection, errors):
    try:
        connection.call("acme/loop:spin", {})
    except (ConnectionLost, JournalClosed) as error:
        errors.append(error)


def test_a_killed_kernel_is_lost_to_who_waited_for_a_change_and_replaced_for_the_rest(patient_home, other_kernel):
    one = other_kernel(patient_home)
    connection = connect(patient_home)
    assert not connection.is_kernel
    before = connection.home()
    errors = []
    thread = threading.Thread(target=_spin, args=(connection, errors))
    thread.start()
    one.until("running")
    one.kill()
    thread.join(30)
    assert [type(error) for error in errors] == [ConnectionLost]
    after = connection.home()
    assert connection.is_kernel
    assert (after.id, after.pid) == (before.id, os.getpid())
    assert connection.call("acme/echo:echo", 1) == 1
    assert [record["event"]["type"] for record in connection.events(before.head, prefixes=["action."])] == [
        "action.completed"
    ]
    connection.close()
    verify_journal(patient_home)


def test_a_client_waiting_for_a_read_goes_on_with_the_next_kernel(active_home, other_kernel):
    one = other_kernel(active_home)
    connection = connect(active_home)
    head = connection.home().head
    found = []
    thread = threading.Thread(target=lambda: found.extend(connection.events(head, prefixes=["late."], wait_ms=20_000)))
    thread.start()
    other = connect(active_home)
    other.home()
    one.kill()
    while not found and thread.is_alive():
        other.emit("late.news", 1)
        thread.join(0.2)
    thread.join(30)
    assert found[0]["event"]["type"] == "late.news"
    other.close()
    connection.close()


def test_a_bare_client_says_whether_the_kernel_had_begun(patient_home, other_kernel):
    one = other_kernel(patient_home)
    client = Client(Home.open(patient_home))
    errors = []
    thread = threading.Thread(target=_spin, args=(client, errors))
    thread.start()
    one.until("running")
    one.kill()
    thread.join(30)
    with pytest.raises(NotPerformed):
        client.home()
    assert type(errors[0]) is ConnectionLost
    client.close()


def test_a_kernel_that_closes_while_clients_send_loses_nothing_and_does_nothing_twice(active_home, other_kernel):
    one = other_kernel(active_home)
    sent, failed = [], []
    halfway = threading.Event()

    def send(name):
        with connect(active_home) as connection:
            for n in range(60):
                try:
                    connection.emit("load.sent", [name, n])
                    sent.append([name, n])
                except Exception as error:  # noqa: BLE001 - any failure at all fails the test
                    failed.append(repr(error))
                if n == 20:
                    halfway.set()
            done.wait(60)

    done = threading.Barrier(5, timeout=60)
    threads = [threading.Thread(target=send, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    assert halfway.wait(60)
    one.tell()
    one.until("closed")
    done.wait(60)
    for thread in threads:
        thread.join(60)
    assert failed == []
    with Kernel.open(active_home) as kernel:
        records = kernel.events(prefixes=["load."])
        assert sorted(record["event"]["data"] for record in records) == sorted(sent)
        assert len(sent) == 240
        assert all(record["event"]["source"].startswith(f"//{kernel.home().id}/client/") for record in records)
    verify_journal(active_home)


def test_a_client_that_waits_for_news_does_not_keep_the_kernel_from_closing(active_home, monkeypatch):
    monkeypatch.setattr("remit.host.operations.observation._LONGEST_WAIT_MS", 3_600_000)
    kernel = Kernel.open(active_home)
    client = Client(Home.open(active_home))
    head = kernel.home().head
    waiting, found = threading.Event(), []
    wait = kernel._rooms.journal.wait

    def told(seq, timeout):
        if threading.current_thread().name.startswith("remit-request"):  # others wait for records as well
            waiting.set()
        return wait(seq, timeout)

    monkeypatch.setattr(kernel._rooms.journal, "wait", told)
    thread = threading.Thread(target=lambda: found.append(client.events(head, wait_ms=3_600_000)))
    thread.start()
    assert waiting.wait(30)
    kernel.close()
    thread.join(30)
    assert found == [[]]
    client.close()


def test_a_closed_connection_stays_closed(active_home, other_kernel):
    one = other_kernel(active_home)
    connection = connect(active_home)
    connection.close()
    one.tell()
    one.until("closed")
    with pytest.raises(ConnectionLost, match="closed"):
        connection.home()
    Kernel.open(active_home).close()


@pytest.mark.usefixtures("kernel")
def test_a_closed_client_stays_closed(active_home):
    client = Client(Home.open(active_home))
    client.close()
    client.close()
    with pytest.raises(ConnectionLost, match="closed"):
        client.home()


@pytest.mark.parametrize("data", ["\ud800", {"a": ["\udfff"]}])
def test_data_that_json_cannot_hold_is_refused_at_once_by_client_and_kernel(active_home, kernel, data):
    with connect(active_home) as connection:
        assert not connection.is_kernel
        with pytest.raises(ProtocolError):
            connection.emit("a.b", data)
        assert connection.call("acme/echo:echo", 1) == 1
    with pytest.raises(EventInvalid):
        kernel.emit("a.b", data)


def test_a_holder_that_does_not_answer_is_named(active_home, monkeypatch):
    monkeypatch.setattr("remit.host.connection._ATTEMPTS", 3)
    with Kernel.open(active_home, program="mute", serve=False), pytest.raises(KernelUnreachable, match=r"\(mute\)"):
        connect(active_home)


def test_a_client_that_goes_stops_what_it_was_waiting_for(patient_home):
    with Kernel.open(patient_home) as kernel:
        client = Client(Home.open(patient_home))
        head = kernel.home().head
        errors = []
        thread = threading.Thread(target=_spin, args=(client, errors))
        running = threading.Event()
        _tell_when_running(kernel, running)
        thread.start()
        assert running.wait(30)
        client.close()
        thread.join(30)
        found = kernel.events(head, prefixes=["action.failed"], wait_ms=30_000)
        assert [record["event"]["data"]["code"] for record in found] == ["RM-5019"]


def _tell_when_running(kernel, running):
    runner = kernel._rooms.runner
    run = runner.run

    def told(*arguments, **named):
        running.set()
        return run(*arguments, **named)

    runner.run = told
