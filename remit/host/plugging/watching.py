"""Plugins that watch: middleware around calls, observers of committed records. Nobody watches: nothing is paid."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from remit.errors import Denied
from remit.host.offers import Invocation
from remit.host.plugging.manager import Plugins
from remit.journal import Journal, Record
from remit.kernel.dispatch import Around
from remit.kernel.model import Action, Caller
from remit.kernel.outcome import Outcome
from remit.schemas import redact

__all__ = ["Observers", "around_calls"]

_BATCH = 256
_TURN_S = 0.5


def around_calls(plugins: Plugins) -> Around | None:
    """The middleware of these plugins as the dispatcher takes it, or ``None`` if there is none."""
    refusing, ended = plugins.implements("remit_before_call"), plugins.implements("remit_after_call")
    if not refusing and not ended:
        return None

    def around(action: Action, value: Any, caller: Caller) -> Callable[[Outcome | None, Exception | None], None]:
        shown = value if action.input is None else redact(action.input.schema, value)
        unit = action.program.unit
        call = Invocation(action.name, unit.id, unit.digest, caller, shown)
        for plugin, reason in plugins.answers("remit_before_call", str, call=call):
            raise Denied(f"plugin {plugin} refused {action.name}: {reason[:500]}", plugin=plugin)

        def end(outcome: Outcome | None, error: Exception | None) -> None:
            plugins.call("remit_after_call", call=call, outcome=outcome, error=error)

        return end

    return around


class Observers:
    """Feeds each observing plugin the records that are committed from now on, in order, at its own pace."""

    def __init__(self, plugins: Plugins, journal: Journal) -> None:
        self._plugins = plugins
        self._journal = journal
        self._closing = False
        self._stop = threading.Event()
        after = journal.head.seq
        self._threads = [
            threading.Thread(target=self._feed, args=(name, after), name=f"remit-observer-{name}", daemon=True)
            for name in plugins.implements("remit_event")
        ]
        for thread in self._threads:
            thread.start()

    def _feed(self, plugin: str, after: int) -> None:
        observe = self._plugins.hook_of(plugin, "remit_event")
        while not self._closing:
            if not self._journal.wait(after, _TURN_S):
                continue
            records = list(self._journal.read(after, limit=_BATCH))
            if records:
                after = records[-1].seq
                self._deliver(plugin, observe, records)

    def _deliver(self, plugin: str, observe: Callable[[Record], Any], records: Sequence[Record]) -> None:
        """A batch at a time, since changing threads costs more than a hook; what fails is skipped, the rest follows."""
        pending = deque(records)

        def feed() -> None:
            while pending and not self._closing:
                observe(pending.popleft())

        while pending and not self._closing and self._plugins.is_on(plugin):
            left = len(pending)
            self._plugins.run(plugin, "remit_event", feed)
            if len(pending) == left:  # its thread is stuck: it will go on by itself when it is back
                self._stop.wait(_TURN_S)

    def close(self) -> None:
        """Stop feeding; a thread that waits for a plugin that is stuck is left to its deadline."""
        self._closing = True
        self._stop.set()
        self._journal.wake()
        for thread in self._threads:
            thread.join(_TURN_S)
