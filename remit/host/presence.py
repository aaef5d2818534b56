"""Who is inside an operation of a kernel: nobody comes in once it closes, and who closes it waits for those who are."""

from __future__ import annotations

import threading
from collections.abc import Callable

from remit.errors import JournalClosed

__all__ = ["Presence"]


class Presence:
    """A ``with`` block is an operation. The threads inside, by their ids; one may be inside several times.

    Coming and going take no lock: with one, twenty busy threads queue for it, and each turn of theirs costs more than
    what they come for. A list's ``append`` and ``remove`` of a number are single steps of the interpreter.
    """

    def __init__(self) -> None:
        # A signal's handler may close the kernel on a thread that is just about to tell that it is out.
        self._gone = threading.Condition(threading.RLock())
        self._inside: list[int] = []
        self._closed = False

    def __enter__(self) -> None:
        """:raises JournalClosed: if the kernel is closed"""
        me = threading.get_ident()
        try:
            self._inside.append(me)
            # Inside first, then the look; who closes says so first, then looks who is inside: one sees the other.
            if self._closed:
                raise JournalClosed("this kernel is closed")  # noqa: TRY301 - what a signal's handler raises likewise
        except BaseException:
            self._leave(me)
            raise

    def __exit__(self, *_: object) -> None:
        self._leave(threading.get_ident())

    def _leave(self, me: int) -> None:
        self._inside.remove(me)
        if self._closed:
            with self._gone:
                self._gone.notify_all()

    def close(self, wake: Callable[[], None]) -> None:
        """Let nobody in any more, ``wake`` those who wait inside, and wait until they are out."""
        me = threading.get_ident()
        with self._gone:
            self._closed = True
            wake()
            # Whoever closes from inside an operation of its own must not wait for itself.
            self._gone.wait_for(lambda: all(one == me for one in tuple(self._inside)))
