"""A bell: what one thread rings to wake another that waits for it, under a deadline.

It is a semaphore made of a pipe, and costs half of what one made of a lock does where two threads take turns. Who
releases a lock still holds the interpreter: the other thread wakes only to wait for that, and is woken a second time,
often on another processor. A write gives the interpreter up; and as a writer to a pipe is likely to wait next, Linux
runs the reader on the same processor.
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable
from typing import Protocol

__all__ = ["Bell", "bell"]

_LONGEST_MS = 2**31 - 1
"""What ``poll`` takes: 24 days."""


class Bell(Protocol):
    """A semaphore that begins at nought."""

    def release(self) -> object:
        """Let one more through; never waits."""
        ...

    def acquire(self, *, timeout: float | None = None) -> bool:
        """Wait for that, ``timeout`` seconds at most; whether it came."""
        ...


def bell() -> Bell:
    """A new one."""
    try:
        return _Pipe()
    except OSError:  # no descriptor is left: that is no fault of a plugin's, and no reason to do without a guard
        return threading.Semaphore(0)


class _Pipe:
    def __init__(self) -> None:
        self._reads, self._writes = os.pipe()
        self._poll = select.poll()
        self._poll.register(self._reads, select.POLLIN)

    def release(self) -> None:
        os.write(self._writes, b"!")

    def acquire(self, *, timeout: float | None = None) -> bool:
        if timeout is not None and not self._poll.poll(min(timeout * 1_000, _LONGEST_MS)):
            return False
        os.read(self._reads, 1)
        return True

    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        # Not before nobody has it any more: a late byte would go to whatever file got the number since.
        if hasattr(self, "_writes"):
            close(self._reads)
            close(self._writes)
