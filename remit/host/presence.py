"""Who is inside an operation of a kernel: nobody comes in once it closes, and who closes it waits for those who are."""

from __future__ import annotations

import threading
from collections.abc import Callable

from remit.errors import JournalClosed

__all__ = ["Presence"]


class Presence:
    """A ``with`` block is an operation. The threads inside, by their ids; one may be inside several times."""

    def __init__(self) -> None:
        # A signal's handler may close the kernel on the thread that is just coming in.
        self._lock = threading.RLock()
        self._gone = threading.Condition(self._lock)
        self._inside: list[int] = []
        self._closed = False

    def __enter__(self) -> None:
        """:raises JournalClosed: if the kernel is closed"""
        with self._lock:
            if self._closed:
                raise JournalClosed("this kernel is closed")
            self._inside.append(threading.get_ident())

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside.remove(threading.get_ident())
            if self._closed:
                self._gone.notify_all()

    def close(self, wake: Callable[[], None]) -> None:
        """Let nobody in any more, ``wake`` those who wait inside, and wait until they are out."""
        me = threading.get_ident()
        with self._lock:
            self._closed = True
            wake()
            # Whoever closes from inside an operation of its own must not wait for itself.
            self._gone.wait_for(lambda: all(one == me for one in self._inside))
