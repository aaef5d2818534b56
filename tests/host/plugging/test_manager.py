"""The plugin manager: whose fault it was, in which hook, and that nobody else suffers."""

from __future__ import annotations

import inspect
import signal
import sys
import threading
import types
from importlib import metadata

import pytest

from remit.errors import AdapterMissing, PluginBlocked, PluginFailed, PluginUnknown, PolicyInvalid
from remit.host.plugging import Failure, Plugins
from remit.kernel import hookspecs
from remit.kernel.hookspecs import hookimpl

HOOKS = {name: spec for name, spec in vars(hookspecs).items() if name.startswith("remit_")}


def _plugin(**implementations):
    """A plugin with these hooks."""
    namespace = types.SimpleNamespace()
    for name, function in implementations.items():
        arguments = ", ".join(inspect.signature(HOOKS[name]).parameters)
        source = f"def {name}({arguments}): return _answer()"
        scope = {"_answer": function}
        exec(source, scope)  # pluggy looks at argument names, so each hook needs its own
        setattr(namespace, name, hookimpl(scope[name]))
    return namespace


def _raise():
    raise ZeroDivisionError("mine")


def _arguments(hook):
    return dict.fromkeys(inspect.signature(HOOKS[hook]).parameters)


@pytest.fixture
def builtin(monkeypatch):
    """Registers a plugin object as a built-in module."""

    def add(name, **implementations):
        module = types.ModuleType(name)
        for hook, function in vars(_plugin(**implementations)).items():
            setattr(module, hook, function)
        monkeypatch.setitem(sys.modules, name, module)
        return name

    return add


@pytest.fixture
def entry_points(monkeypatch):
    """Pretends that distributions offer these: name -> what loading it does."""

    class Point:
        def __init__(self, name, load):
            self.name = name
            self.load = load

    def offer(**loads):
        points = [Point(name, load) for name, load in loads.items()]
        monkeypatch.setattr(metadata, "entry_points", lambda group: points if group == "remit.plugins" else [])

    return offer


@pytest.mark.parametrize("hook", sorted(HOOKS))
def test_a_plugin_that_raises_is_named_and_the_others_still_run(hook):
    plugins = Plugins(())
    plugins.register(_plugin(**{hook: lambda: "first"}), "first")
    plugins.register(_plugin(**{hook: _raise}), "broken")
    plugins.register(_plugin(**{hook: lambda: "last"}), "last")
    assert sorted(plugins.call(hook, **_arguments(hook))) == ["first", "last"]
    assert plugins.failures == [Failure("broken", hook, "ZeroDivisionError: mine")]
    assert plugins.first(hook, **_arguments(hook)) == "last"


@pytest.mark.parametrize("error", [SystemExit, MemoryError, RecursionError])
def test_even_a_plugin_that_wants_to_end_the_process_is_only_recorded(error):
    def leave():
        raise error("bye")

    plugins = Plugins(())
    plugins.register(_plugin(remit_startup=leave), "rude")
    assert plugins.call("remit_startup", kernel=None) == []
    assert [failure.plugin for failure in plugins.failures] == ["rude"]


def test_the_operators_interrupt_is_not_a_plugins_fault():
    plugins = Plugins(())
    plugins.register(
        _plugin(remit_startup=lambda: signal.raise_signal(signal.SIGINT) or threading.Event().wait(5)), "slow"
    )
    with pytest.raises(KeyboardInterrupt):
        plugins.call("remit_startup", kernel=None)
    assert plugins.failures == []


def test_what_a_signals_handler_raises_while_a_hook_runs_is_not_a_plugins_fault():
    class AlarmError(Exception):
        pass

    def ring(*_):
        raise AlarmError

    plugins = Plugins(())
    plugins.register(
        _plugin(remit_startup=lambda: signal.raise_signal(signal.SIGUSR1) or threading.Event().wait(5)), "slow"
    )
    before = signal.signal(signal.SIGUSR1, ring)
    try:
        with pytest.raises(AlarmError):
            plugins.call("remit_startup", kernel=None)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert plugins.failures == []


def test_a_plugin_that_pretends_to_be_the_operator_is_named():
    def interrupt():
        raise KeyboardInterrupt

    plugins = Plugins(())
    plugins.register(_plugin(remit_startup=interrupt), "sly")
    assert plugins.call("remit_startup", kernel=None) == []
    assert [failure.plugin for failure in plugins.failures] == ["sly"]


def test_a_builtin_that_fails_is_an_error(builtin):
    plugins = Plugins([builtin("sim_builtin", remit_startup=_raise)])
    with pytest.raises(PluginFailed) as caught:
        plugins.call("remit_startup", kernel=None)
    assert caught.value.details == {"plugin": "sim_builtin", "hook": "remit_startup"}
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_builtin_that_refuses_in_our_own_words_is_heard_as_it_is(builtin):
    def refuse():
        raise PolicyInvalid("bad policy")

    plugins = Plugins([builtin("sim_builtin", remit_authority=refuse)])
    with pytest.raises(PolicyInvalid):
        plugins.first("remit_authority", **_arguments("remit_authority"))


def test_nobody_answering_is_an_error_and_none_is_no_answer():
    plugins = Plugins(())
    plugins.register(_plugin(remit_runner=lambda: None), "shy")
    with pytest.raises(AdapterMissing, match="remit_runner"):
        plugins.first("remit_runner", home=None, abi="component", authority=None)
    assert plugins.call("remit_runner", home=None, abi="component", authority=None) == []


def test_a_failing_adapter_leaves_the_next_one_to_answer(builtin):
    plugins = Plugins([builtin("sim_builtin", remit_runner=lambda: "ours")])
    plugins.register(_plugin(remit_runner=_raise), "broken")
    assert plugins.first("remit_runner", home=None, abi="component", authority=None) == "ours"
    assert [failure.plugin for failure in plugins.failures] == ["broken"]


def _fail_to_import():
    raise ImportError("no such module")


def _leave():
    raise SystemExit(3)


def test_an_entry_point_that_fails_to_load_is_recorded_and_the_rest_are_there(entry_points):
    entry_points(
        good=lambda: _plugin(remit_startup=lambda: "good"),
        missing=_fail_to_import,
        rude=_leave,
        better=lambda: _plugin(remit_startup=lambda: "better"),
    )
    plugins = Plugins(())
    assert plugins.names() == ["better", "good"]
    assert sorted(plugins.call("remit_startup", kernel=None)) == ["better", "good"]
    assert [(failure.plugin, failure.hook) for failure in plugins.failures] == [("missing", "load"), ("rude", "load")]
    assert "no such module" in plugins.failures[0].error


def _unknown_hook():
    plugin = types.SimpleNamespace(remit_nonsense=hookimpl(lambda: None))
    plugin.remit_startup = _plugin(remit_startup=lambda: "half").remit_startup
    return plugin


def _wants_the_moon(kernel, moon):
    return [kernel, moon]


def _wrong_arguments():
    return types.SimpleNamespace(remit_startup=hookimpl(_wants_the_moon))


class _LeavesWhenLookedAt:
    def __dir__(self):
        raise SystemExit(3)


@pytest.mark.parametrize("load", [_unknown_hook, _wrong_arguments, _LeavesWhenLookedAt])
def test_a_plugin_that_does_not_fit_is_left_out_whole_and_blames_nobody_else(entry_points, load):
    entry_points(odd=load, good=lambda: _plugin(remit_startup=lambda: "good"))
    plugins = Plugins(())
    assert plugins.names() == ["good"]
    assert plugins.call("remit_startup", kernel=None) == ["good"]
    assert [(failure.plugin, failure.hook) for failure in plugins.failures] == [("odd", "load")]


def test_an_entry_point_cannot_take_the_place_of_a_builtin(builtin, entry_points):
    name = builtin("sim_builtin", remit_startup=lambda: "ours")
    entry_points(**{name: lambda: _plugin(remit_startup=lambda: "theirs"), "twin": lambda: sys.modules[name]})
    plugins = Plugins([name])
    assert plugins.call("remit_startup", kernel=None) == ["ours"]
    assert [failure.plugin for failure in plugins.failures] == [name, "twin"]


def test_a_disabled_plugin_is_not_even_loaded(entry_points):
    loaded = []
    entry_points(off=lambda: loaded.append(1))
    assert Plugins((), ["off"]).names() == []
    assert loaded == []


# ---- plugins that hang ----


@pytest.mark.parametrize("hook", sorted(HOOKS))
def test_a_plugin_that_hangs_is_named_once_and_the_others_still_run(hook, stuck):
    plugins = Plugins((), deadline_s=0.05)
    plugins.register(_plugin(**{hook: lambda: "first"}), "first")
    plugins.register(_plugin(**{hook: stuck.wait}), "hanging")
    plugins.register(_plugin(**{hook: lambda: "last"}), "last")
    for _ in range(3):
        assert sorted(plugins.call(hook, **_arguments(hook))) == ["first", "last"]
    assert [(failure.plugin, failure.hook) for failure in plugins.failures] == [("hanging", hook)]
    assert "did not end in time" in plugins.failures[0].error


def test_a_plugin_that_comes_back_gets_hooks_again(stuck):
    back = threading.Event()

    def slow():
        stuck.wait()
        back.set()
        return "here"

    plugins = Plugins((), deadline_s=0.2)
    plugins.register(_plugin(remit_startup=slow), "slow")
    assert plugins.call("remit_startup", kernel=None) == []
    stuck.set()
    assert back.wait(5)
    answers = []
    for _ in range(100):  # its thread has yet to put the old job away
        answers = answers or plugins.call("remit_startup", kernel=None)
    assert answers == ["here"]
    assert len(plugins.failures) == 1


def test_an_entry_point_that_hangs_while_it_loads_is_left_out(entry_points, stuck):
    entry_points(hanging=stuck.wait, good=lambda: _plugin(remit_startup=lambda: "good"))
    plugins = Plugins((), deadline_s=0.05)
    assert plugins.call("remit_startup", kernel=None) == ["good"]
    assert [(failure.plugin, failure.hook) for failure in plugins.failures] == [("hanging", "load")]


def test_a_hook_that_leads_back_to_its_own_plugin_does_not_wait_for_itself():
    plugins = Plugins((), deadline_s=5)
    plugins.register(
        _plugin(
            remit_startup=lambda: plugins.call("remit_gc_roots", home=None),
            remit_gc_roots=lambda: "root",
        ),
        "round",
    )
    assert plugins.call("remit_startup", kernel=None) == [["root"]]
    assert plugins.failures == []


# ---- what plugins offer ----


def test_an_answer_of_the_wrong_kind_is_its_plugins_fault_and_left_out_whole():
    plugins = Plugins(())
    plugins.register(_plugin(remit_gc_roots=lambda: ["good"]), "good")
    plugins.register(_plugin(remit_gc_roots=lambda: ["half", 1]), "half")
    plugins.register(_plugin(remit_gc_roots=lambda: 7), "odd")
    plugins.register(_plugin(remit_gc_roots=lambda: None), "shy")
    assert plugins.offers("remit_gc_roots", str, home=None) == [("good", "good")]
    assert sorted(failure.plugin for failure in plugins.failures) == ["half", "odd"]


# ---- too many failures, and the operator's word ----


def test_a_plugin_that_fails_too_often_gets_no_more_hooks_and_a_finding_says_so():
    calls = []

    def fail():
        calls.append(1)
        raise ZeroDivisionError("mine")

    plugins = Plugins((), most_failures=3)
    plugins.register(_plugin(remit_startup=fail), "broken")
    told = []
    plugins.tell(told.append)
    for _ in range(10):
        plugins.call("remit_startup", kernel=None)
    assert len(calls) == 3
    assert [failure.disabled for failure in told] == [False, False, True]
    [finding] = plugins.findings()
    assert (finding.id, finding.severity) == ("plugin.disabled", "warning")
    assert "broken" in finding.message
    assert "remit plugin enable broken" in finding.remedy
    plugins.switch("broken", on=True, by="ada")
    plugins.call("remit_startup", kernel=None)
    assert len(calls) == 4


def test_failures_before_somebody_listened_are_told_too(entry_points):
    entry_points(missing=_fail_to_import)
    plugins = Plugins(())
    told = []
    plugins.tell(told.append)
    assert [failure.plugin for failure in told] == ["missing"]


@pytest.mark.parametrize("blocked", ["off", "other, off", "*"])
def test_the_environment_blocks_by_name_and_wins_over_enabling(entry_points, monkeypatch, blocked):
    loaded = []
    entry_points(off=lambda: loaded.append(1))
    monkeypatch.setenv("REMIT_PLUGINS_DISABLE", blocked)
    plugins = Plugins(())
    plugins.register(_plugin(remit_startup=lambda: "on"), "off-too" if blocked != "*" else "any")
    assert loaded == []
    with pytest.raises(PluginBlocked):
        plugins.switch("off", on=True, by="ada")
    [status] = [one for one in plugins.status() if one.name == "off"]
    assert (status.state, status.hooks) == ("off", [])
    assert "REMIT_PLUGINS_DISABLE" in status.reason


def test_status_tells_hooks_origin_and_failures_of_every_plugin(builtin, entry_points):
    entry_points(good=lambda: _plugin(remit_startup=lambda: "good"), missing=_fail_to_import, off=_leave)
    plugins = Plugins([builtin("sim_builtin", remit_startup=lambda: "ours")], ["off"])
    plugins.call("remit_startup", kernel=None)
    by_name = {status.name: status for status in plugins.status()}
    assert {name: status.state for name, status in by_name.items()} == {
        "sim_builtin": "active",
        "good": "active",
        "missing": "broken",
        "off": "off",
    }
    assert by_name["good"].hooks == ["remit_startup"]
    assert by_name["good"].spent_ms > 0
    assert by_name["sim_builtin"].origin == "built in"
    assert [failure.hook for failure in by_name["missing"].failures] == ["load"]


@pytest.mark.parametrize("name", ["nobody", "sim_builtin"])
def test_only_third_parties_can_be_switched_off(builtin, name):
    plugins = Plugins([builtin("sim_builtin", remit_startup=lambda: "ours")])
    with pytest.raises(PluginUnknown):
        plugins.switch(name, on=False, by="ada")
