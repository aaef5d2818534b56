"""The plugin manager: whose fault it was, in which hook, and that nobody else suffers."""

from __future__ import annotations

import inspect
import sys
import types
from importlib import metadata

import pytest

from remit.errors import AdapterMissing, PluginFailed, PolicyInvalid
from remit.kernel import hookspecs
from remit.kernel.hookspecs import hookimpl
from remit.kernel.plugins import Failure, Plugins

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
    def interrupt():
        raise KeyboardInterrupt

    plugins = Plugins(())
    plugins.register(_plugin(remit_startup=interrupt), "slow")
    with pytest.raises(KeyboardInterrupt):
        plugins.call("remit_startup", kernel=None)
    assert plugins.failures == []


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
        plugins.first("remit_runner", home=None, abi="component")
    assert plugins.call("remit_runner", home=None, abi="component") == []


def test_a_failing_adapter_leaves_the_next_one_to_answer(builtin):
    plugins = Plugins([builtin("sim_builtin", remit_runner=lambda: "ours")])
    plugins.register(_plugin(remit_runner=_raise), "broken")
    assert plugins.first("remit_runner", home=None, abi="component") == "ours"
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


@pytest.mark.parametrize("load", [_unknown_hook, _wrong_arguments])
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
