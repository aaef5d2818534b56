"""A thread of a plugin's own, on which its hooks run one at a time, each under a deadline.

Python cannot stop a thread. So whoever waits stops waiting: the hook that hangs keeps its thread, its plugin gets no
other until it comes back, and nobody else notices. A plugin holds at most one stuck thread.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from remit.host.plugging.bell import Bell, bell

__all__ = ["Busy", "Hung", "Raised", "Worker", "in_place"]

_SPARE = 2
"""Bells that are kept for the next hooks: most plugins are asked by one thread at a time."""


class Raised(Exception):  # noqa: N818 - says what happened; it never leaves the room
    """The hook raised. What comes out of a worker by itself was raised at who waited: by a signal's handler."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error
        """What; ``SystemExit`` and ``KeyboardInterrupt`` are no more than others."""


class Hung(Exception):  # noqa: N818 - as above
    """The hook did not end within its deadline."""


class Busy(Exception):  # noqa: N818 - as above
    """Another hook of the plugin is still at work or stuck: this one did not begin."""


class _Job:
    __slots__ = ("abandoned", "arguments", "began", "ended", "error", "function", "result", "waiting")

    def __init__(self, function: Callable[..., Any], arguments: tuple[Any, ...], waiting: Bell) -> None:
        self.function = function
        self.arguments = arguments
        self.waiting = waiting
        self.began = self.ended = self.abandoned = False
        self.result: Any = None
        self.error: BaseException | None = None


class Worker:
    """Runs a plugin's hooks. The thread starts with the first and does not keep the process from ending."""

    def __init__(self, plugin: str) -> None:
        self._plugin = plugin
        self._jobs: deque[_Job | None] = deque()
        self._work: Bell | None = None
        self._spare: list[Bell] = []
        self._thread: int | None = None
        self._stuck: _Job | None = None
        self._starting = threading.Lock()

    def run(self, function: Callable[..., Any], arguments: tuple[Any, ...], deadline_s: float) -> Any:
        """``function(*arguments)`` on the plugin's thread.

        A hook that leads back to its own plugin runs where it is.

        :raises Raised: if it raised
        :raises Hung: if it does not end in time
        :raises Busy: if the thread was taken until then
        """
        if threading.get_ident() == self._thread:
            return in_place(function, arguments)
        if self._stuck is not None:
            raise Busy
        work = self._work or self._start()
        try:
            waiting = self._spare.pop()
        except IndexError:
            waiting = bell()
        job = _Job(function, arguments, waiting)
        self._jobs.append(job)
        work.release()
        try:
            ended = waiting.acquire(timeout=deadline_s)
        except BaseException:  # the operator interrupts the waiting
            job.abandoned = True
            raise
        if ended:
            # It rang, and will not again. The bell of an abandoned job may ring yet, and nobody else may get it.
            if len(self._spare) < _SPARE:
                self._spare.append(waiting)
        else:
            job.abandoned = True
            if not job.began:
                with suppress(ValueError):  # the thread has taken it just now, and will look whether it is wanted
                    self._jobs.remove(job)
                raise Busy
            self._stuck = job
            if not job.ended:
                raise Hung
            self._stuck = None  # it ended just now
        if job.error is not None:
            raise Raised(job.error) from job.error
        return job.result

    def close(self) -> None:
        """Let the thread end when it is done with what it has."""
        self._jobs.append(None)
        if self._work is not None:
            self._work.release()

    def _start(self) -> Bell:
        with self._starting:
            if self._work is None:
                work = bell()
                thread = threading.Thread(
                    target=self._run, args=(work,), name=f"remit-plugin-{self._plugin}", daemon=True
                )
                thread.start()
                self._thread = thread.ident
                self._work = work
            return self._work

    def _run(self, work: Bell) -> None:
        while True:
            work.acquire()
            try:
                job = self._jobs.popleft()
            except IndexError:  # whoever rang has given up; and a copy of this process, made by fork, has the pipe too
                continue
            if job is None:
                return
            if job.abandoned:
                continue
            job.began = True
            try:
                job.result = job.function(*job.arguments)
            except BaseException as error:  # noqa: BLE001 - it is raised where somebody waits for it
                job.error = error
            job.ended = True
            job.waiting.release()
            if self._stuck is job:
                self._stuck = None


def in_place(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """The same on this thread. The operator's interrupt may arrive here too, and is let through.

    :raises Raised: if it raised
    """
    try:
        return function(*arguments)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise Raised(error) from error
