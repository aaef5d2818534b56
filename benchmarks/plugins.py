"""What isolating plugins costs beside plain pluggy, which neither bounds nor attributes anything."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

import pluggy

from benchmarks.measure import Benchmark, Figure, interleaved
from remit.host.plugging import Plugins
from remit.kernel import hookspecs

__all__ = ["BENCHMARKS"]

_BATCH = 256
_OBSERVERS = 5


def _observer() -> SimpleNamespace:
    def remit_event(record: Any) -> None:
        """Look at a record and do nothing."""

    return SimpleNamespace(remit_event=hookspecs.hookimpl(remit_event))


def _guard() -> SimpleNamespace:
    def remit_before_call(call: Any) -> None:
        """Look at a call and let it be."""

    return SimpleNamespace(remit_before_call=hookspecs.hookimpl(remit_before_call))


def _observing(resources: ExitStack) -> Figure:
    """A batch of records to five observers: per record, as the kernel feeds them and as pluggy calls them."""
    plain = pluggy.PluginManager(hookspecs.PROJECT)
    plain.add_hookspecs(hookspecs)
    ours = Plugins(())
    resources.callback(ours.close)
    for number in range(_OBSERVERS):
        plain.register(_observer())
        ours.register(_observer(), f"observer-{number}")
    names = ours.implements("remit_event")
    hooks = {name: ours.hook_of(name, "remit_event") for name in names}
    records = [object()] * _BATCH

    def feed(observe: Any) -> None:
        for record in records:
            observe(record)

    def fed() -> None:
        for name in names:
            ours.run(name, "remit_event", feed, hooks[name])

    def called() -> None:
        for record in records:
            plain.hook.remit_event(record=record)

    found = interleaved({"remit": fed, "pluggy": called}, rounds=100, each=4)
    return Figure(found["remit"] / _BATCH, "us", {"pluggy": found["pluggy"] / _BATCH}, runs=100)


def _middleware(resources: ExitStack) -> Figure:
    """One hook of one plugin, asked and answered: a change of threads there and back."""
    found = interleaved(_guarded(resources) | {"queue and lock": _taken_turns(resources)})
    return Figure(found.pop("remit"), "us", found, runs=200)


def _inline(resources: ExitStack) -> Figure:
    """The same of a plugin that the operator has run where it is called."""
    found = interleaved(_guarded(resources, inline=["guard"]))
    return Figure(found.pop("remit"), "us", found, runs=200)


def _guarded(resources: ExitStack, **options: Any) -> dict[str, Callable[[], object]]:
    """One guard of each call, asked by us and by pluggy's own manager."""
    plain = pluggy.PluginManager(hookspecs.PROJECT)
    plain.add_hookspecs(hookspecs)
    ours = Plugins((), **options)
    resources.callback(ours.close)
    plain.register(_guard())
    ours.register(_guard(), "guard")
    call = object()
    return {
        "remit": lambda: ours.call("remit_before_call", call=call),
        "pluggy": lambda: plain.hook.remit_before_call(call=call),
    }


def _taken_turns(resources: ExitStack) -> Callable[[], object]:
    """The change of threads alone, there and back, as a queue and a lock make it."""
    jobs: SimpleQueue[threading.Lock | None] = SimpleQueue()

    def work() -> None:
        while (job := jobs.get()) is not None:
            job.release()

    threading.Thread(target=work, daemon=True).start()
    resources.callback(jobs.put, None)

    def turn() -> bool:
        done = threading.Lock()
        done.acquire()
        jobs.put(done)
        return done.acquire(timeout=1)

    return turn


BENCHMARKS = (
    Benchmark(
        "plugins.observe",
        "one record to five observers, each plugin bounded and attributed",
        "at most 1.5 times plain pluggy",
        "a batch of 256 records to each plugin's thread, against `hook.remit_event` on pluggy's manager",
        _observing,
        {"pluggy": 1 / 1.5},
    ),
    Benchmark(
        "plugins.hook",
        "one hook of one plugin, with a deadline, there and back",
        "reported: a bound that holds for a hook stuck in C is a change of threads, see decision 0051",
        "`Plugins.call` on a plugin with a thread of its own, against the same hook on pluggy's manager, "
        "and against the change of threads alone as a queue and a lock make it",
        _middleware,
    ),
    Benchmark(
        "plugins.inline",
        "one hook of one plugin that runs where it is called, attributed",
        "at most 1.5 times plain pluggy",
        "`Plugins.call` of middleware whose plugin `[plugin] inline` names, against the same hook on pluggy's manager",
        _inline,
        {"pluggy": 1 / 1.5},
    ),
)
