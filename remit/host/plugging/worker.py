"""A thread of a plugin's own, on which its hooks run one at a time, each under a deadline.

Python cannot stop a thread. So whoever waits stops waiting: the hook that hangs keeps its thread, its plugin gets no
other until it comes back, and nobody else notices. A plugin holds at most one stuck thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

__all__ = ["Busy", "Hung", "Worker"]


class Hung(Exception):  # noqa: N818 - says what happened; it never leaves the room
    """The hook did not end within its deadline."""


class Busy(Exception):  # noqa: N818 - as above
    """Another hook of the plugin is still at work or stuck: this one did not begin."""


class _Job:
    __slots__ = ("abandoned", "arguments", "began", "done", "error", "function", "result")

    def __init__(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self.function = function
        self.arguments = arguments
        self.done = threading.Lock()
        self.done.acquire()
        self.began = False
        self.abandoned = False
        self.result: Any = None
        self.error: BaseException | None = None


class Worker:
    """Runs a plugin's hooks. The thread starts with the first and does not keep the process from ending."""

    def __init__(self, plugin: str) -> None:
        self._plugin = plugin
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._stuck: _Job | None = None
        self._starting = threading.Lock()
        self.raised: BaseException | None = None
        """What a hook raised last."""

    def run(self, function: Callable[..., Any], arguments: tuple[Any, ...], deadline_s: float) -> Any:
        """``function(*arguments)`` on the plugin's thread; whatever it raises, ``SystemExit`` included, is raised here.

        A hook that leads back to its own plugin runs where it is.

        :raises Hung: if it does not end in time
        :raises Busy: if the thread was taken until then
        """
        if self._thread is not None and threading.get_ident() == self._thread.ident:
            return function(*arguments)
        if self._stuck is not None:
            raise Busy
        self._start()
        job = _Job(function, arguments)
        self._jobs.put(job)
        try:
            ended = job.done.acquire(timeout=deadline_s)
        except BaseException:  # the operator interrupts the waiting
            job.abandoned = True
            raise
        if not ended:
            job.abandoned = True
            if not job.began:
                raise Busy
            self._stuck = job
            if job.done.locked():
                raise Hung
            self._stuck = None  # it ended just now
        if job.error is not None:
            raise job.error
        return job.result

    def close(self) -> None:
        """Let the thread end when it is done with what it has."""
        self._jobs.put(None)

    def _start(self) -> None:
        if self._thread is None:
            with self._starting:
                if self._thread is None:
                    thread = threading.Thread(target=self._work, name=f"remit-plugin-{self._plugin}", daemon=True)
                    thread.start()
                    self._thread = thread

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            if job.abandoned:
                continue
            job.began = True
            try:
                job.result = job.function(*job.arguments)
            except BaseException as error:  # noqa: BLE001 - it is raised where somebody waits for it
                job.error = self.raised = error
            job.done.release()
            if self._stuck is job:
                self._stuck = None
