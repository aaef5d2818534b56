"""A guest as a future on an asyncio loop: it yields at every epoch, waits for host calls, and goes when its task goes.

The guest runs on the loop's own thread, a millisecond at a time, between the loop's other tasks. What goes through the
door does not block the loop: a door that answers with an awaitable is awaited on the loop, although the guest is plain
synchronous code; a blocking door is called on a thread (``threaded``), but for interfaces that answer from memory.
Cancelling the task drops the guest where it stands. A handler of a signal must not raise on the loop's thread while a
guest runs; asyncio's own handler of Ctrl-C does not.
"""

from __future__ import annotations

import asyncio
import ctypes
import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

from remit.kernel.model import GuestOutcome
from remit.sandbox.engines import capi
from remit.sandbox.engines.engine import HUB
from remit.sandbox.guest.call import Call, Served
from remit.sandbox.guest.instance import Instance

__all__ = ["LoopInstance"]

_LOOK_S = 0.02
"""How long a guest may wait for a host call before somebody looks whether it is cancelled or late."""
_QUICK = frozenset({"log", "parameters", "clock", "random", "state", "events"})
"""Interfaces that answer from memory: a thread would cost more than they do."""


class _Tasks:
    """The host calls of one guest, each a task of the loop; implements :class:`remit.sandbox.guest.call.Later`."""

    def __init__(self, *, threaded: bool) -> None:
        self._threaded = threaded
        self.task: asyncio.Task[None] | None = None
        self.quick: Callable[[], None] | None = None
        """A host call that is to be answered at once, but not on the guest's own stack, where it is started: what the
        door leads to (Cedar) wants to know how much of its thread's stack is left."""

    def start(self, call: Call, target: Served, arguments: tuple[Any, ...], results: int) -> None:
        if self._threaded and target.interface in _QUICK:
            self.quick = partial(self._answer, call, target, arguments, results)
        else:
            self.task = asyncio.get_running_loop().create_task(self._perform(call, target, arguments, results))

    def done(self) -> bool:
        return self.quick is None and (self.task is None or self.task.done())

    def _answer(self, call: Call, target: Served, arguments: tuple[Any, ...], results: int) -> None:
        self.quick = self.task = None
        try:
            self._finish(call, target, call.host(target.interface, target.function, arguments), results)
        except BaseException as error:  # noqa: BLE001 - raised by the run, once the guest has stopped
            call.keep(error)

    async def _perform(self, call: Call, target: Served, arguments: tuple[Any, ...], results: int) -> None:
        try:
            ask = partial(call.host, target.interface, target.function, arguments)
            found = await asyncio.get_running_loop().run_in_executor(None, ask) if self._threaded else ask()
            if inspect.isawaitable(found):
                found = await found
            self._finish(call, target, found, results)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - raised by the run, once the guest has stopped
            call.keep(error)

    @staticmethod
    def _finish(call: Call, target: Served, found: Any, results: int) -> None:
        if call.host.abort is None:
            target.give(call, found, results)


class LoopInstance(Instance):
    """An instance whose calls are coroutines; everything else is as in :class:`Instance`."""

    async def arun(self, call: Call, export: str, arguments: tuple[Any, ...], *, threaded: bool) -> GuestOutcome:
        """As :meth:`Instance.run`, on the running loop."""
        found = self._loaded.export(export)
        if found.plain is not None:
            arguments = found.plain.arguments(arguments)
        return self.outcome(found, await self.acall(call, export, arguments, threaded=threaded))

    async def acall(self, call: Call, export: str, arguments: tuple[Any, ...], *, threaded: bool) -> Any:
        """As :meth:`Instance.call`, on the running loop.

        :param threaded: whether the door may block
        :raises asyncio.CancelledError: if the task is cancelled; the instance is poisoned then
        """
        ends = state = self._take()
        tasks = _Tasks(threaded=threaded)
        call.later = tasks
        try:
            entry = self._entries.get(export) or self._enter(export)
            _kept = entry.export.lay(arguments, entry.arguments)
            self._expect(state)
            ends = "poisoned"
            if state == "new":
                await self._drive(call, tasks, self._starting)
            if not entry.found:
                self._prepare(call, entry, "ready")
            await self._drive(call, tasks, lambda error: int(capi.func_call_async(*entry.parameters, error)))
            result = entry.export.take(entry.result, self._output)
            ends = "ready"
            return result
        finally:
            call.later = None
            self._token.append(ends)

    def _starting(self, error: Any) -> int:
        _, _, component = self._loaded.parameters
        linker = self._loaded.loop_linker()
        return int(capi.instantiate_async(linker, self._in_context, component, self._instance, error))

    async def _drive(self, call: Call, tasks: _Tasks, begin: Callable[[Any], int]) -> None:
        """Poll one future of wasmtime's to its end.

        :raises SandboxError: why it did not succeed
        """
        context = self.context
        call.inside = self
        error = ctypes.c_size_t(0)
        if self._metered:
            capi.set_fuel(context, self._limits.fuel or 0)
        capi.set_epoch_deadline(context, 1)
        HUB.enter(context, call)
        future = begin(ctypes.byref(error))
        try:
            while not capi.future_poll(future):
                if tasks.quick is not None:
                    tasks.quick()
                elif tasks.task is None or tasks.task.done():
                    await asyncio.sleep(0)
                else:
                    await asyncio.wait([tasks.task], timeout=_LOOK_S)
                    call.due()
        finally:
            if tasks.task is not None:
                tasks.task.cancel()
            # Dropping the future unwinds a guest that is not done, wherever it stands.
            capi.future_delete(future)
            HUB.leave(context)
        if error.value or call.fault or call.host.abort or call.due():
            raise self._reason(call, error.value)
