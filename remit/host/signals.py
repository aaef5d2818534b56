"""Signals while a guest runs on the main thread: handlers run at once, what they raise waits until the guest stopped.

Python runs signal handlers on the main thread, between any two of its instructions, and so also inside the callback of
a guest's host call; an exception that is raised there crashes the process. Under ``Kernel.open(signals="manage")``
every Python handler is wrapped before a call: the wrapper keeps what the handler raises and has the call cancelled. A
handler that does not raise changes nothing. Handlers that somebody sets while a call runs are not wrapped before the
next one.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from types import FrameType

__all__ = ["ManagedSignals"]

_NUMBERS = tuple(signal.valid_signals())


class _Wrapper:
    """A handler around another."""

    def __init__(self, owner: ManagedSignals, handler: Callable[[int, FrameType | None], object]) -> None:
        self.owner = owner
        self.handler = handler

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if not self.owner.inside:
            self.handler(number, frame)
            return
        try:
            self.handler(number, frame)
        except BaseException as error:  # noqa: BLE001 - raised again where it can travel
            self.owner.keep(error)


class ManagedSignals:
    """Keeps the process's signal handlers wrapped, from the main thread."""

    def __init__(self) -> None:
        self.inside = 0
        """How many calls run on the main thread, one within the other."""
        self._raised: list[BaseException] = []
        self._cancels: list[Callable[[], None]] = []
        self._wanted: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        # A handler must take no lock that the code it interrupts may hold: another thread does the cancelling.
        self._thread = threading.Thread(target=self._work, name="remit-signals", daemon=True)
        self._thread.start()

    def keep(self, error: BaseException) -> None:
        """Have the running calls cancelled, and raise this when the outermost is over."""
        self._raised.append(error)
        for cancel in self._cancels:
            self._wanted.put(cancel)

    @contextmanager
    def around(self, cancel: Callable[[], None]) -> Iterator[None]:
        """Within this context, on the main thread, no handler raises.

        :param cancel: has the call that runs in it end soon
        :raises BaseException: what the first handler raised meanwhile, when the context ends
        """
        self._wrap()
        self._cancels.append(cancel)
        self.inside += 1
        try:
            yield
        finally:
            self._cancels.pop()
            self.inside -= 1
            if not self.inside and self._raised:
                first, self._raised = self._raised[0], []
                raise first

    def _wrap(self) -> None:
        for number in _NUMBERS:
            handler = signal.getsignal(number)
            if callable(handler) and not (isinstance(handler, _Wrapper) and handler.owner is self):
                signal.signal(number, _Wrapper(self, handler))

    def _work(self) -> None:
        while (cancel := self._wanted.get()) is not None:
            cancel()

    def close(self) -> None:
        """Put back every handler that is still wrapped here."""
        if threading.current_thread() is threading.main_thread():
            for number in _NUMBERS:
                handler = signal.getsignal(number)
                if isinstance(handler, _Wrapper) and handler.owner is self:
                    signal.signal(number, handler.handler)
        self._wanted.put(None)
        self._thread.join()
