"""Hooks that run where they are called: no change of threads, and no bound that outlives a wait in C.

For plugins that the operator trusts to answer at once. What can be kept of the bound is kept: a hook that ends late, or
is found stuck by the next caller, is the last of its plugin's that runs here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final

from remit.host.plugging.worker import in_place
from remit.journal import Clock

__all__ = ["INLINE", "Inline", "Late"]

INLINE: Final = frozenset({"remit_before_call", "remit_after_call"})
"""The hooks that may run here: those that each call waits for."""
_NS_PER_S: Final = 1_000_000_000


class Late(Exception):  # noqa: N818 - says what happened; it never leaves the room
    """The hook took longer than its deadline, or another of its plugin's is doing so at this moment."""


class Inline:
    """Runs one plugin's hooks on their callers' threads, several at once if they come so."""

    __slots__ = ("_at_work", "_now_ns", "lost")

    def __init__(self, clock: Clock) -> None:
        self._now_ns = clock.monotonic_ns
        self._at_work: dict[int, int] = {}
        """When the hook began that a thread is in, by thread."""
        self.lost = False
        """Whether one was late: the plugin's hooks belong on its own thread now."""

    def run(self, function: Callable[..., Any], arguments: tuple[Any, ...], deadline_s: float) -> Any:
        """``function(*arguments)`` here. A hook that leads back to its own plugin goes on.

        :raises Raised: if it raised
        :raises Late: if it took too long, or one on another thread has not ended in time
        """
        thread, at_work, now_ns = threading.get_ident(), self._at_work, self._now_ns
        began_ns, deadline_ns = now_ns(), deadline_s * _NS_PER_S
        if at_work:
            if thread in at_work:
                return in_place(function, arguments)
            if began_ns - min(at_work.values()) > deadline_ns:
                self.lost = True
                raise Late
        at_work[thread] = began_ns
        try:
            result = in_place(function, arguments)
        finally:
            del at_work[thread]
            if late := now_ns() - began_ns > deadline_ns:
                self.lost = True
        if late:
            raise Late
        return result
