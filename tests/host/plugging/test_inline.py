"""Middleware that runs where it is called: the same faults are the plugin's, and one that is late is the last."""

from __future__ import annotations

import asyncio
import threading
import types

import pytest

from remit.errors import Denied
from remit.host import Kernel
from remit.host.plugging import Plugins
from remit.kernel.hookspecs import hookimpl
from remit.testing import VirtualClock

_A_SECOND_MS = 1_000
"""How long middleware may take."""


def _plugin(ask):
    def remit_before_call(call):
        return ask(call)

    return types.SimpleNamespace(remit_before_call=hookimpl(remit_before_call))


def _plugins(ask, clock=None):
    made = Plugins((), inline=["here"], clock=clock or VirtualClock())
    made.register(_plugin(ask), "here")
    return made


def _thread(_call):
    return threading.current_thread().name


def test_middleware_of_a_plugin_that_is_named_runs_where_it_is_called():
    assert _plugins(_thread).call("remit_before_call", call=None) == [threading.current_thread().name]


def test_its_other_hooks_have_the_plugins_thread():
    plugins = Plugins((), inline=["here"])
    plugins.register(types.SimpleNamespace(remit_gc_roots=hookimpl(lambda: _thread(None))), "here")
    assert plugins.call("remit_gc_roots", home=None) == ["remit-plugin-here"]


@pytest.mark.parametrize("error", [ZeroDivisionError, SystemExit, MemoryError, GeneratorExit])
def test_whatever_it_raises_is_its_own_fault(error):
    def leave(_call):
        raise error("mine")

    plugins = _plugins(leave)
    assert plugins.call("remit_before_call", call=None) == []
    assert [(one.plugin, one.error) for one in plugins.failures] == [("here", f"{error.__name__}: mine")]


def test_the_operators_interrupt_is_not_its_fault():
    def interrupted(_call):
        raise KeyboardInterrupt

    plugins = _plugins(interrupted)
    with pytest.raises(KeyboardInterrupt):
        plugins.call("remit_before_call", call=None)
    assert plugins.failures == []


def test_one_that_is_late_is_named_and_runs_on_its_own_thread_from_then_on():
    clock = VirtualClock()

    def late_once(call):
        if call == "late":
            clock.advance(_A_SECOND_MS + 1)
        return _thread(call)

    plugins = _plugins(late_once, clock)
    assert plugins.call("remit_before_call", call="late") == []
    assert plugins.call("remit_before_call", call="soon") == ["remit-plugin-here"]
    assert [one.hook for one in plugins.failures] == ["remit_before_call"]
    assert [one.inline for one in plugins.status()] == [False]


def test_one_that_is_stuck_costs_its_caller_alone_and_the_next_one_names_it(stuck):
    inside, clock = threading.Event(), VirtualClock()

    def hang_once(call):
        if call == "hang":
            inside.set()
            stuck.wait()
        return _thread(call)

    plugins = _plugins(hang_once, clock)
    lost = threading.Thread(target=plugins.call, args=("remit_before_call",), kwargs={"call": "hang"})
    lost.start()
    assert inside.wait(5)
    here = [threading.current_thread().name]
    assert plugins.call("remit_before_call", call="in time") == here
    clock.advance(_A_SECOND_MS + 1)
    assert plugins.call("remit_before_call", call="finds it") == []
    assert [one.plugin for one in plugins.failures] == ["here"]
    assert plugins.call("remit_before_call", call="after") == ["remit-plugin-here"]
    stuck.set()
    lost.join()


def test_a_hook_that_leads_back_to_its_own_plugin_goes_on():
    def again(call):
        return plugins.call("remit_before_call", call="inner")[0] if call == "outer" else "answered"

    plugins = _plugins(again)
    assert plugins.call("remit_before_call", call="outer") == ["answered"]


def test_many_threads_are_answered_at_once():
    together = threading.Barrier(4)

    def meet(call):
        together.wait(5)
        return call

    plugins = _plugins(meet)
    answers = []
    callers = [
        threading.Thread(target=lambda one=one: answers.extend(plugins.call("remit_before_call", call=one)))
        for one in range(4)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert sorted(answers) == [0, 1, 2, 3]


def test_remit_toml_names_the_plugins_and_the_list_says_so(active_home):
    with (active_home / "remit.toml").open("a") as config:
        config.write('[plugin]\ninline = ["guard"]\n')
    threads = []
    guard = _plugin(lambda call: threads.append(_thread(call)) or "not today")
    with Kernel.open(active_home, plugins={"guard": guard}) as kernel:
        with pytest.raises(Denied, match="not today"):
            kernel.call("acme/echo:echo", 7)
        assert {one.name for one in kernel.plugin_list() if one.inline} == {"guard"}
    assert not any(name.startswith("remit-plugin") for name in threads)


def test_one_that_is_stuck_under_a_servers_loop_leaves_the_loop_to_the_others(active_home, stuck):
    with (active_home / "remit.toml").open("a") as config:
        config.write('[plugin]\ninline = ["guard"]\ndeadline = "50ms"\n')
    inside = threading.Event()

    def hang(call):
        if call.value == "hang":
            inside.set()
            stuck.wait()

    async def serve(kernel):
        lost = asyncio.create_task(kernel.acall("acme/echo:echo", "hang"))
        assert await asyncio.to_thread(inside.wait, 5)
        while not kernel.plugins.failures:
            assert await kernel.acall("acme/echo:echo", 7) == 7
        stuck.set()
        return await lost

    with Kernel.open(active_home, plugins={"guard": _plugin(hang)}, signals="manage") as kernel:
        assert asyncio.run(serve(kernel)) == "hang"
        assert {one.plugin for one in kernel.plugins.failures} == {"guard"}
