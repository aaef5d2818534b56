"""What a plugin does beside its hooks, read models and sources of units: its faults stay its own there too."""

from __future__ import annotations

import sys
import types

import pytest

from remit.errors import ActionUnknown, BundleInvalid, PluginFailed, RemitError, SourceUnknown
from remit.host import Kernel, verify_journal
from remit.kernel.hookspecs import hookimpl
from remit.kernel.model import Release
from remit.registry import pack

MANIFEST = b"""schema = "unit/v1"
id = "acme/tone"
version = "1.0.0"
kind = "config"
[[patch]]
target = "assistant"
value = { tone = "warm" }
"""


class Count:
    """A read model that counts records."""

    name, version, topics = "count", 1, ("",)

    def init(self):
        return 0

    def apply(self, state, records, data):
        del data
        return state + len(records)

    def snapshot(self, state):
        return str(state).encode()

    def restore(self, data):
        return int(data)

    def view(self, state):
        return {"count": state}


class Source:
    """A source of one unit."""

    def accepts(self, reference):
        return reference.startswith("mine:")

    def fetch(self, reference, progress=None):
        progress("reading", 0.5)
        return pack({"unit.toml": MANIFEST}, origin=reference, local=True)


@pytest.fixture
def quick(active_home):
    """A home whose plugins may take 50 ms."""
    path = active_home / "remit.toml"
    path.write_text(path.read_text() + '\n[plugin]\ndeadline = "50ms"\n')
    return active_home


def plugin(**hooks):
    return types.SimpleNamespace(**{name: hookimpl(function) for name, function in hooks.items()})


def models(fold):
    return plugin(remit_read_models=lambda: [fold])


def sources(fetch=None):
    source = Source()
    if fetch is not None:
        source.fetch = fetch
    return plugin(remit_bundle_sources=lambda: [source])


def wrongs(stuck):
    """What can go wrong in a function of a plugin's."""

    def refuse():
        raise ActionUnknown("an error of ours, from them")

    def fail():
        raise ZeroDivisionError

    return {"raises": fail, "exits": lambda: sys.exit(3), "hangs": stuck.wait, "refuses": refuse}


def test_a_read_model_counts_on_after_a_restart(quick):
    with Kernel.open(quick, plugins={"count": models(Count())}) as kernel:
        before = kernel.state("count")["count"]
        kernel.emit("a.b")
        assert kernel.state("count")["count"] == before + 1
        assert kernel.state("count", at=1) == {"count": 1}
    with Kernel.open(quick, plugins={"count": models(Count())}) as kernel:
        assert kernel.state("count")["count"] == kernel.home().head


@pytest.mark.parametrize("how", ["raises", "exits", "hangs", "refuses"])
@pytest.mark.parametrize("where", ["init", "apply", "snapshot", "view"])
def test_a_read_model_that_fails_is_broken_alone_and_whole_after_the_next_start(quick, stuck, where, how):
    bad = Count()
    wrong = wrongs(stuck)[how]
    setattr(bad, where, lambda *_: wrong())
    with Kernel.open(quick, plugins={"bad": models(bad)}) as kernel:
        kernel.emit("a.b")
        if where != "snapshot":
            with pytest.raises(PluginFailed, match="bad"):
                kernel.state("count")
        assert kernel.call("acme/echo:echo", 1) == 1
        assert "plugins" in kernel.models()
    stuck.set()
    verify_journal(quick)
    with Kernel.open(quick, plugins={"bad": models(Count())}) as kernel:
        assert kernel.state("count")["count"] == kernel.home().head


def test_a_model_that_hides_its_name_is_left_out(quick):
    class Odd(Count):
        version = "newest"

    with Kernel.open(quick, plugins={"odd": models(Odd())}) as kernel:
        assert "count" not in kernel.models()
        assert ["odd" in finding.message for finding in kernel.findings()] == [True]


def test_a_plugins_source_is_asked_and_its_refusal_is_an_answer(quick):
    told = []
    with Kernel.open(quick, plugins={"mine": sources()}) as kernel:
        unit = kernel.install("mine:x", allow_unsigned=True, progress=lambda stage, _share: told.append(stage))
        assert (unit.ref.id, unit.origin) == ("acme/tone", "mine:x")
        assert "reading" in told
        with pytest.raises(SourceUnknown):
            kernel.install("other:x")

    def refuse(reference, progress):
        del progress
        raise BundleInvalid(f"{reference} is nothing")

    with Kernel.open(quick, plugins={"mine": sources(refuse)}) as kernel:
        with pytest.raises(BundleInvalid, match="mine:x is nothing"):
            kernel.install("mine:x")
        assert kernel.findings() == []


@pytest.mark.parametrize("how", ["raises", "exits", "hangs", "gives nothing"])
def test_a_source_that_fails_is_named_and_the_kernel_serves_on(quick, stuck, how, monkeypatch):
    monkeypatch.setattr("remit.host.operations.supplies._FETCH_S", 0.05)
    wrong = (wrongs(stuck) | {"gives nothing": lambda: None})[how]
    with Kernel.open(quick, plugins={"bad": sources(lambda *_: wrong())}) as kernel:
        with pytest.raises(PluginFailed, match=r"bad failed in source\.fetch"):
            kernel.install("mine:x")
        assert kernel.call("acme/echo:echo", 1) == 1
        assert ["bad" in finding.message for finding in kernel.findings()] == [True]


WANTED = '\n[[unit]]\nid = "acme/tone"\nversion = "*"\n'


def test_a_plugins_source_says_which_versions_there_are(quick):
    digest = Source().fetch("mine:tone", lambda *_: None).digest
    source = Source()
    source.releases = lambda: lambda unit: [Release(unit, "1.0.0", digest, "mine:tone")] if "tone" in unit else None
    with (quick / "remit.toml").open("a") as config:
        config.write(WANTED)
    with Kernel.open(quick, plugins={"mine": plugin(remit_bundle_sources=lambda: [source])}) as kernel:
        kernel.sync(allow_unsigned=True)
        assert "acme/tone" in [entry.ref.id for entry in kernel.units()]


@pytest.mark.parametrize("how", ["raises", "exits", "hangs", "gives nonsense"])
def test_a_source_that_cannot_say_its_versions_is_out_of_reach_and_named(quick, stuck, how):
    wrong = (wrongs(stuck) | {"gives nonsense": lambda: [7]})[how]
    source = Source()
    source.releases = lambda: lambda _unit: wrong()
    with (quick / "remit.toml").open("a") as config:
        config.write(WANTED)
    with Kernel.open(quick, plugins={"bad": plugin(remit_bundle_sources=lambda: [source])}) as kernel:
        with pytest.raises(RemitError, match="acme/tone"):
            kernel.sync(allow_unsigned=True)
        assert kernel.call("acme/echo:echo", 1) == 1
        assert ["bad" in finding.message for finding in kernel.findings()] == [True]
