"""The change of threads between who asks and a plugin: every answer reaches who asked for it, and nobody else."""

from __future__ import annotations

import errno
import gc
import os
import threading
import types
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from remit.errors import PluginFailed
from remit.host.plugging import Plugins
from remit.kernel.hookspecs import hookimpl

_THREADS = 8
_TURNS = 200
_WHILE_S = 0.001


def _ask(record):
    return record


@pytest.fixture
def plugins():
    """One plugin, whose hook gives back what it is asked with."""
    made = Plugins((), most_failures=1_000_000)
    made.register(types.SimpleNamespace(remit_event=hookimpl(_ask)), "echo")
    yield made
    made.close()


def _open_descriptors():
    return sum(1 for _ in Path("/dev/fd").iterdir())


def _together(work, threads=_THREADS):
    """``work(number)`` on several threads at once; what any of them raised is raised."""
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work, range(threads)):
            pass


@pytest.fixture
def no_descriptors(monkeypatch):
    def refuse():
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(os, "pipe", refuse)


def _everybody_gets_their_own(plugins):
    def ask(number):
        for turn in range(_TURNS):
            assert plugins.call("remit_event", record=(number, turn)) == [(number, turn)]

    _together(ask)
    assert plugins.failures == []


def test_many_threads_that_ask_one_plugin_at_once_get_their_own_answers(plugins):
    _everybody_gets_their_own(plugins)


@pytest.mark.usefixtures("no_descriptors")
def test_a_process_that_has_no_descriptor_left_asks_its_plugins_all_the_same(plugins):
    _everybody_gets_their_own(plugins)


@pytest.mark.usefixtures("no_descriptors")
def test_a_plugin_that_hangs_is_named_though_no_descriptor_is_left(plugins):
    release = threading.Event()
    with pytest.raises(PluginFailed, match="did not end in time"):
        plugins.ask("echo", "waiting", release.wait, kind=bool, deadline_s=0.01)
    release.set()


def _after_a_while(answer):
    threading.Event().wait(_WHILE_S)
    return answer


@pytest.mark.parametrize("threads", [1, _THREADS])
def test_who_gives_up_about_when_the_answer_comes_gets_it_or_nothing_and_disturbs_nobody(plugins, threads):
    answered = threading.Event()

    def ask(number):
        for turn in range(_TURNS):
            patience_s = 10 if number % 2 else _WHILE_S * (1 + turn % 3)
            try:
                got = plugins.ask("echo", "work", _after_a_while, (number, turn), kind=tuple, deadline_s=patience_s)
            except PluginFailed:  # it gave up, or found the thread taken by one that did
                threading.Event().wait(_WHILE_S)
                continue
            assert got == (number, turn)
            answered.set()

    _together(ask, threads)
    assert answered.is_set()
    assert plugins.call("remit_event", record="still there") == ["still there"]


def test_an_answer_that_comes_too_late_wakes_nobody_who_asks_later(plugins):
    release, late = threading.Event(), []

    def hang():
        release.wait()
        late.append(True)
        return "late"

    with pytest.raises(PluginFailed, match="did not end in time"):
        plugins.ask("echo", "work", hang, kind=str, deadline_s=0.01)
    release.set()
    answer = None
    while answer is None:
        with suppress(PluginFailed):  # the thread has yet to come back
            answer = plugins.ask("echo", "work", _after_a_while, "mine", kind=str)
    assert (answer, late) == ("mine", [True])
    assert [plugins.ask("echo", "work", lambda n=n: str(n), kind=str) for n in range(5)] == list("01234")


lists_descriptors = pytest.mark.skipif(not Path("/dev/fd").is_dir(), reason="the system does not list descriptors")


@lists_descriptors
def test_who_gives_up_before_its_turn_leaves_no_descriptor_behind(plugins):
    began, release = threading.Event(), threading.Event()

    def hold():
        began.set()
        return release.wait()

    with ThreadPoolExecutor(1) as pool:
        holding = pool.submit(plugins.ask, "echo", "work", hold, kind=bool)
        began.wait()
        before = _open_descriptors()
        for _ in range(20):
            with pytest.raises(PluginFailed, match="did not begin"):
                plugins.ask("echo", "work", _ask, 1, kind=int, deadline_s=_WHILE_S)
        assert _open_descriptors() <= before + 2
        release.set()
        assert holding.result() is True
    assert plugins.ask("echo", "work", _ask, 1, kind=int) == 1


@lists_descriptors
def test_plugins_that_are_gone_leave_no_descriptor_behind():
    def use_and_drop():
        made = Plugins(())
        made.register(types.SimpleNamespace(remit_event=hookimpl(_ask)), "echo")
        worked = []
        made.call("remit_event", record=0)
        made.run("echo", "remit_event", lambda: worked.append(threading.current_thread()))
        made.close()
        worked.pop().join()

    use_and_drop()
    gc.collect()
    before = _open_descriptors()
    for _ in range(10):
        use_and_drop()
    gc.collect()
    assert _open_descriptors() <= before
