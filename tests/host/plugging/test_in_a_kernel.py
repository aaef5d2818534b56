"""Plugins in a real kernel: what they offer is served, and nothing that they do ends it."""

from __future__ import annotations

import inspect
import sys
import threading
import types

import pytest

from remit.errors import ActionUnknown, DeadlineExceeded, Denied, InputInvalid, PlanBlocked, PluginUnknown, UnitFailed
from remit.host import Kernel, verify_journal
from remit.host.compose import BUILTINS
from remit.host.offers import Service
from remit.kernel import hookspecs
from remit.kernel.hookspecs import hookimpl
from remit.units import Finding

HOOKS = {name: spec for name, spec in vars(hookspecs).items() if name.startswith("remit_")}
NUMBER = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}


class Plugin:
    """A plugin whose hooks are given as functions."""

    def __init__(self, **hooks):
        for name, function in hooks.items():
            setattr(self, name, hookimpl(function))


def everywhere(act):
    """A plugin that does this in every hook there is."""
    plugin = types.SimpleNamespace()
    for name, spec in HOOKS.items():
        scope = {"act": act}
        exec(f"def {name}({', '.join(inspect.signature(spec).parameters)}): return act()", scope)
        setattr(plugin, name, hookimpl(scope[name]))
    return plugin


@pytest.fixture
def quick(active_home):
    """A home whose plugins may take 50 ms."""
    path = active_home / "remit.toml"
    path.write_text(path.read_text() + '\n[plugin]\ndeadline = "50ms"\n')
    return active_home


def _raise():
    raise ZeroDivisionError("mine")


def _endless():
    while True:
        yield None


HOSTILE = {
    "raises": lambda _stuck: _raise(),
    "exits": lambda _stuck: sys.exit(3),
    "hangs": lambda stuck: stuck.wait(),
    "pretends": lambda _stuck: object(),
    "recurses": lambda _stuck: sys.setrecursionlimit and HOSTILE["recurses"](None),
}


@pytest.mark.parametrize("how", HOSTILE)
def test_whatever_a_plugin_does_in_every_hook_the_kernel_serves_on_and_names_it(quick, stuck, how):
    bad = everywhere(lambda: HOSTILE[how](stuck))
    with Kernel.open(quick, plugins={"bad": bad}) as kernel:
        for number in range(3):
            assert kernel.call("acme/echo:echo", number) == number
        plan = kernel.plan(remove=["acme/echo"])
        kernel.apply(plan)
        with pytest.raises(ActionUnknown):
            kernel.call("acme/echo:echo", 1)
        for hook, spec in HOOKS.items():
            arguments = dict.fromkeys(inspect.signature(spec).parameters)
            if not any(hook in status.hooks for status in kernel.plugin_list() if status.name in BUILTINS):
                kernel.plugins.call(hook, **arguments)
        assert any("bad" in finding.message for finding in kernel.findings())
        [status] = [status for status in kernel.plugin_list() if status.name == "bad"]
        assert status.failures
    kinds = [failure.plugin for failure in status.failures]
    assert set(kinds) == {"bad"}
    verify_journal(quick)
    with Kernel.open(quick) as kernel:
        failed = kernel.events(prefixes=["plugin.failed"])
        assert {record["event"]["subject"] for record in failed} == {"bad"}


# ---- services ----


def _double(value, caller):
    assert caller.principal == "local"
    return {"n": 2 * value["n"]}


def test_a_service_is_called_validated_and_journalled_like_an_action(active_home):
    service = Service(name="plug/math:double", call=_double, input=NUMBER, output=NUMBER, title="Double")
    plugin = Plugin(remit_services=lambda: [service])
    with Kernel.open(active_home, plugins={"math": plugin}) as kernel:
        assert kernel.call("plug/math:double", {"n": 21}) == {"n": 42}
        with pytest.raises(InputInvalid):
            kernel.call("plug/math:double", {"n": "x"})
        assert "plug/math:double" in [action["name"] for action in kernel.actions()]
        [record] = kernel.events(prefixes=["action.completed"], last=1)
        assert record["event"]["subject"] == "plug/math:double"
        assert kernel.call("acme/echo:echo", 1) == 1


def test_what_a_service_raises_is_the_calls_failure_and_not_the_plugins(active_home):
    plugin = Plugin(remit_services=lambda: [Service(name="plug/a:leave", call=lambda _value, _caller: sys.exit(1))])
    with Kernel.open(active_home, plugins={"rude": plugin}) as kernel:
        with pytest.raises(UnitFailed, match="SystemExit"):
            kernel.call("plug/a:leave")
        assert kernel.findings() == []


def test_a_service_that_hangs_costs_its_caller_the_deadline_and_is_named(active_home, stuck):
    hanging = Service(name="plug/a:wait", call=lambda _value, _caller: stuck.wait(), deadline_ms=50)
    with Kernel.open(active_home, plugins={"slow": Plugin(remit_services=lambda: [hanging])}) as kernel:
        with pytest.raises(DeadlineExceeded):
            kernel.call("plug/a:wait")
        assert kernel.call("acme/echo:echo", 1) == 1
        assert ["slow" in finding.message for finding in kernel.findings()] == [True]


@pytest.mark.parametrize("name", ["nonsense", "a/b", "a:b", "/b:c", "a/b:c@1", ""])
def test_a_service_with_no_proper_name_is_left_out(active_home, name):
    plugin = Plugin(remit_services=lambda: [Service(name=name, call=_double)])
    with Kernel.open(active_home, plugins={"odd": plugin}) as kernel:
        assert [failure.hook for failure in kernel.plugins.failures] == ["remit_services"]
        assert kernel.call("acme/echo:echo", 1) == 1


# ---- middleware, observers, findings ----


def test_middleware_can_refuse_and_sees_how_a_call_ends(active_home):
    seen = []
    plugin = Plugin(
        remit_before_call=lambda call: "not today" if call.value == "secret" else None,
        remit_after_call=lambda call, outcome, error: seen.append(
            (call.action, outcome and outcome.output, bool(error))
        ),
    )
    with Kernel.open(active_home, plugins={"guard": plugin}) as kernel:
        assert kernel.call("acme/echo:echo", 7) == 7
        with pytest.raises(Denied, match=r"plugin guard refused .* not today"):
            kernel.call("acme/echo:echo", "secret")
        [record] = kernel.events(prefixes=["action."], last=1)
        assert record["event"]["type"] == "action.failed"
    assert seen == [("acme/echo:echo", 7, False)]


def test_an_observer_sees_what_is_committed_in_order_and_the_one_that_fails_costs_nobody_else(active_home):
    seen, done = [], threading.Event()

    def observe(record):
        if record.event.type == "demo.ended":
            done.set()
        seen.append((record.seq, record.event.type))

    def fail():
        raise ZeroDivisionError("mine")

    plugins = {"good": Plugin(remit_event=observe), "bad": Plugin(remit_event=fail)}
    with Kernel.open(active_home, plugins=plugins) as kernel:
        for number in range(300):
            kernel.emit("demo.said", number)
        kernel.emit("demo.ended")
        assert done.wait(20)
    numbers = [seq for seq, kind in seen if kind == "demo.said"]
    assert numbers == sorted(numbers)
    assert len(numbers) == 300


def test_a_blocking_finding_of_a_plugin_keeps_a_plan_from_being_applied(active_home):
    finding = Finding("blocking", "freeze", "", "nothing changes on a Friday")
    plugin = Plugin(remit_plan_findings=lambda: [finding])
    with Kernel.open(active_home, plugins={"freeze": plugin}) as kernel:
        plan = kernel.plan(remove=["acme/echo"])
        assert finding in plan.findings
        with pytest.raises(PlanBlocked, match="Friday"):
            kernel.apply(plan)


# ---- switching ----


def test_a_disabled_plugin_gets_no_hooks_now_nor_after_a_restart_until_it_is_enabled(active_home):
    seen = []
    plugin = Plugin(remit_after_call=lambda call: seen.append(call.value))
    with Kernel.open(active_home, plugins={"watch": plugin}) as kernel:
        kernel.call("acme/echo:echo", 1)
        status = kernel.switch_plugin("watch", on=False)
        assert (status.state, status.reason) == ("off", "local disabled it")
        kernel.call("acme/echo:echo", 2)
    with Kernel.open(active_home, plugins={"watch": plugin}) as kernel:
        kernel.call("acme/echo:echo", 3)
        kernel.switch_plugin("watch", on=True)
        kernel.call("acme/echo:echo", 4)
        with pytest.raises(PluginUnknown):
            kernel.switch_plugin("nobody", on=True)
    assert seen == [1, 4]


def test_a_plugin_that_failed_too_often_stays_off_after_a_restart_and_a_finding_says_how_to_bring_it_back(active_home):
    plugin = Plugin(remit_after_call=_raise)
    with Kernel.open(active_home, plugins={"broken": plugin}) as kernel:
        for number in range(7):
            kernel.call("acme/echo:echo", number)
        assert len(kernel.plugins.failures) == 5
    with Kernel.open(active_home, plugins={"broken": plugin}) as kernel:
        kernel.call("acme/echo:echo", 1)
        assert kernel.plugins.failures == []
        [finding] = kernel.findings()
        assert finding.remedy == "run 'remit plugin enable broken'"
