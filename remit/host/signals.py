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

# What signal.getsignal wraps, which makes enums: too slow for a look at all of them at every call. No types exist.
from _signal import getsignal  # type: ignore[import-not-found]
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from types import FrameType
from typing import Any, Generic, TypeVar

__all__ = ["ManagedSignals"]

T = TypeVar("T")
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


class _Guarded(Generic[T]):
    """A coroutine whose every step is a section without raising handlers; between them the loop is as it ever was."""

    def __init__(self, owner: ManagedSignals, work: Coroutine[Any, Any, T], cancel: Callable[[], None]) -> None:
        self._owner = owner
        self._work = work
        self._cancel = cancel

    def _leave(self, raised: BaseException | None) -> BaseException | None:
        kept = self._owner.leave()
        return raised or kept

    def __await__(self) -> Generator[Any, Any, T]:
        steps = self._work.__await__()
        step: Callable[[Any], Any] = steps.send
        given: Any = None
        raised: BaseException | None = None
        while True:
            self._owner.enter(self._cancel)
            try:
                waited = step(given)
            except BaseException as error:
                if (raised := self._leave(raised)) is not None:
                    raise raised from None
                if isinstance(error, StopIteration):
                    return error.value  # type: ignore[no-any-return] # what the coroutine returned
                raise
            raised = self._leave(raised)  # where a handler did raise, the coroutine is being cancelled, and ends soon
            try:
                given = yield waited
                step = steps.send
            except BaseException as error:  # noqa: BLE001 - it is for the coroutine to answer
                step, given = steps.throw, error


class ManagedSignals:
    """Keeps the process's signal handlers wrapped, from the main thread."""

    def __init__(self) -> None:
        self.inside = 0
        """How many calls run on the main thread, one within the other."""
        self._handlers: list[Any] = []
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
        self.enter(cancel)
        try:
            yield
        finally:
            if (kept := self.leave()) is not None:
                raise kept

    def guarded(self, work: Coroutine[Any, Any, T], cancel: Callable[[], None]) -> Awaitable[T]:
        """Within each step of a coroutine, on the main thread's event loop, no handler raises.

        :param cancel: has what runs in it end soon
        """
        return _Guarded(self, work, cancel)

    def enter(self, cancel: Callable[[], None]) -> None:
        """From now on no handler raises; ``cancel`` is called when one would."""
        self._wrap()
        self._cancels.append(cancel)
        self.inside += 1

    def leave(self) -> BaseException | None:
        """The end of :meth:`enter`: what the first handler would have raised, once nothing is inside any more."""
        self._cancels.pop()
        self.inside -= 1
        if self.inside or not self._raised:
            return None
        first, self._raised = self._raised[0], []
        return first

    def _wrap(self) -> None:
        if self._handlers == (found := list(map(getsignal, _NUMBERS))):
            return
        for number, handler in zip(_NUMBERS, found, strict=True):
            if callable(handler) and not (isinstance(handler, _Wrapper) and handler.owner is self):
                signal.signal(number, _Wrapper(self, handler))
        self._handlers = list(map(getsignal, _NUMBERS))

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
