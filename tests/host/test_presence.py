"""Who is inside a kernel: nobody comes in after it closed, and who closes it waits for everybody inside."""

from __future__ import annotations

import threading

import pytest

from remit.errors import JournalClosed
from remit.host.presence import Presence

THREADS = 8


def test_nobody_is_inside_once_it_is_closed_and_nobody_waits_for_ever():
    for _ in range(20):
        presence, inside, found = Presence(), [], []
        started = threading.Barrier(THREADS + 1)

        def work(presence=presence, inside=inside, started=started):
            started.wait()
            try:
                while True:
                    with presence:
                        inside.append(1)
                        inside.pop()
            except JournalClosed:
                return

        threads = [threading.Thread(target=work) for _ in range(THREADS)]
        for one in threads:
            one.start()
        started.wait()
        presence.close(lambda: None)
        found.append(len(inside))
        for one in threads:
            one.join(30)
        assert (found, inside, [one for one in threads if one.is_alive()]) == ([0], [], [])


def test_who_closes_from_inside_does_not_wait_for_itself():
    presence = Presence()
    with presence, presence:
        presence.close(lambda: None)
        with pytest.raises(JournalClosed), presence:
            raise AssertionError("it is closed")


def test_who_closes_wakes_those_inside_and_waits_until_they_are_out():
    presence, entered, woken, left = Presence(), threading.Event(), threading.Event(), []

    def work():
        with presence:
            entered.set()
            woken.wait(30)
            left.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    entered.wait(30)
    presence.close(woken.set)
    assert left == [True]
    thread.join(30)
