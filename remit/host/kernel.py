"""The kernel of a home in this process: holds the lock, composes the rooms, serves the socket, performs operations."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal, TypeVar, get_type_hints

import msgspec

from remit.errors import JournalClosed, ProtocolError
from remit.host.compose import Rooms, compose
from remit.host.facade.emitted import Emitted
from remit.host.facade.facade import Facade
from remit.host.home.home import Home
from remit.host.looping import LoopRunner, drive
from remit.host.operations.emitting import emit_soon, said_alone
from remit.host.operations.operations import INVOCABLE, READS, Context, Operations
from remit.host.plugging import Observers, Plugins
from remit.host.presence import Presence
from remit.host.signals import ManagedSignals
from remit.host.wire.server import Server
from remit.journal import Clock, Ids, Progress, no_progress
from remit.kernel.dispatch import CancelToken, Outcome
from remit.kernel.model import Caller, EntityRef, GuestOutcome
from remit.sandbox.running.aside import aside
from remit.schemas.config import Config

__all__ = ["Kernel"]

T = TypeVar("T")
_GUEST_THREADS = 32
_LOCAL = Caller()
_LINGER_S = 30


class Kernel(Facade):
    """The façade of a home whose kernel is this process. Make one with :meth:`open`; close it, or use ``with``."""

    def __init__(self, rooms: Rooms, resources: ExitStack, signals: ManagedSignals | None = None) -> None:
        self._rooms = rooms
        self._signals = signals
        self._resources = resources
        self._operations = Operations(rooms)
        self._loop_runner = rooms.runner if isinstance(rooms.runner, LoopRunner) else None
        # Python runs signal handlers on the main thread, and one that raises inside a guest's host call would crash the
        # process: so what the main thread asks for runs on these.
        self._pool = ThreadPoolExecutor(_GUEST_THREADS, thread_name_prefix="remit-guest")
        self._closed = False
        self._closing = threading.Lock()
        self._server: Server | None = None
        self._present = Presence()

    @classmethod
    def open(
        cls,
        root: Path | str,
        *,
        program: str | None = None,
        serve: bool = True,
        signals: Literal["leave", "manage"] = "leave",
        clock: Clock | None = None,
        ids: Ids | None = None,
        plugins: Mapping[str, object] | None = None,
    ) -> Kernel:
        """Become the kernel of a home.

        :param program: what the lock names as its holder
        :param serve: whether other processes may use the home through this one
        :param signals: ``"manage"`` wraps the process's signal handlers, so that what the main thread asks for runs on
            it, without another thread between; ``"leave"`` leaves them alone
        :param plugins: plugin objects of the embedding program, by name; they are treated as any third party's
        :raises HomeMissing: if there is no home
        :raises HomeBusy: if another process is its kernel: ``remit.connect`` uses that one
        :raises PolicyInvalid: if a policy file is wrong
        :raises JournalError: if the journal cannot be trusted
        """
        home = Home.open(root, clock=clock, ids=ids)
        name = program or Path(sys.argv[0] or "python").name
        with ExitStack() as resources:
            resources.enter_context(home.locked(name))
            rooms = compose(home, name, plugins)
            resources.callback(rooms.close)
            resources.callback(Observers(rooms.plugins, rooms.journal).close)
            managed = ManagedSignals() if signals == "manage" else None
            if managed is not None:
                resources.callback(managed.close)
            kernel = cls(rooms, resources, managed)
            resources.callback(kernel._pool.shutdown)
            if serve:
                kernel._server = Server(home.private / "kernel.sock", kernel._serve, rooms.dispatcher.token)
                resources.callback(kernel._server.close)
            rooms.reactions.start()
            rooms.scheduler.start()
            rooms.canary.start()
            rooms.plugins.call("remit_startup", kernel=kernel)
            kernel._resources = resources.pop_all()
        return kernel

    @property
    def plugins(self) -> Plugins:
        """The plugins of this process's kernel, for what asks them at its own time: commands, HTTP, dashboards."""
        return self._rooms.plugins

    @property
    def config(self) -> Config:
        """``remit.toml`` as it was read last."""
        return self._rooms.home.config

    # ---- performing ----

    def perform(
        self, operation: str, arguments: Mapping[str, Any], result: type[T], *, caller: Caller, progress: Progress
    ) -> T:
        """Perform one operation, on this thread or, from the main thread, on one of ours.

        :raises JournalClosed: if the kernel is closed
        """
        del result  # the operation's own annotation says it
        token = self._rooms.dispatcher.token()
        context = Context(caller, progress, token)
        method: Callable[..., T] = self._method(operation, caller)
        if threading.current_thread() is not threading.main_thread():
            with self._present:
                return method(context, **arguments)
        if self._signals is not None:
            with self._signals.around(token.cancel), self._present:
                return method(context, **arguments)
        future = self._start(lambda: method(context, **arguments))
        try:
            return future.result()
        except BaseException:
            # Ctrl-C, or another handler that raised: the guest stops, then the handler's error goes on.
            if not future.done():
                token.cancel()
                future.exception()
            raise

    def _start(self, work: Callable[[], T]) -> Future[T]:
        with self._or_closed():
            return self._pool.submit(work)

    @contextmanager
    def _or_closed(self) -> Iterator[None]:
        if self._closed:
            raise JournalClosed("this kernel is closed")
        try:
            yield
        except RuntimeError as error:  # the pool has shut down: another thread closed the kernel
            raise JournalClosed("this kernel is closed") from error

    def _method(self, operation: str, caller: Caller) -> Callable[..., Any]:
        # Names come from outside: only what the façade offers is an operation.
        method: Callable[..., Any] | None = None
        if operation.isidentifier() and not operation.startswith("_"):
            method = getattr(self._operations, operation, None)
        if method is None:
            raise ProtocolError(f"there is no operation {operation[:100]!r}")
        if operation in READS - INVOCABLE:
            self._rooms.lifecycle.authorize(caller, "home:read", EntityRef("Home", self._rooms.home.id))
        return method

    async def acall_text(
        self,
        action: str,
        text: str,
        *,
        durability: Literal["committed", "queued"] = "committed",
        caller: Caller = _LOCAL,
    ) -> Outcome:
        """See the façade. The guest runs on the loop itself, a millisecond at a time, wherever nothing has to block.

        No handler of a signal may raise in the midst of a guest: on the main thread that is so under
        ``signals="manage"``, and otherwise the guest gets a thread.
        """
        dispatcher, runner = self._rooms.dispatcher, self._loop_runner
        token = dispatcher.token()
        on_main = threading.current_thread() is threading.main_thread()
        raising = on_main and self._signals is None
        if raising or runner is None or dispatcher.may_block(caller):
            call = partial(self._operations.call, Context(caller, no_progress, token), action, text, durability)
            with self._or_closed():
                return await aside(call, pool=self._pool, cancel=token.cancel)
        with self._present:
            turn = drive(dispatcher.steps(action, text.encode(), caller, durability, token), runner)
            return await (self._signals.guarded(turn, token.cancel) if on_main and self._signals else turn)

    def emit_soon(
        self, topic: str, data: Any = None, *, reply_to: str = "", priority: int = 0, caller: Caller = _LOCAL
    ) -> Emitted:
        """See the façade."""
        if caller.idempotency_key:  # what it gives depends on what is written
            return super().emit_soon(topic, data, reply_to=reply_to, priority=priority, caller=caller)
        rooms = self._rooms
        with self._present:
            draft = said_alone(rooms, caller, topic, data, reply_to, priority)
            return emit_soon(rooms.journal, draft, caller.namespace)

    def rehearse(self, action: str, text: str, **limits: int) -> GuestOutcome:
        """What an action answers where nothing of the call is kept or leads outside: for measuring it.

        :param limits: instead of the unit's own, by their names in :class:`remit.kernel.model.Limits`
        :raises ActionUnknown: if the active generation does not offer it
        :raises SandboxError: if the unit traps or reaches a limit
        """
        rooms = self._rooms
        known = rooms.dispatcher.catalog.resolve(action)
        bounds = msgspec.structs.replace(known.program.limits, **limits)
        program = msgspec.structs.replace(known.program, limits=bounds)
        export = known.export or "provider.call"
        arguments = (text,) if known.export else (known.name.rpartition(":")[2], text)
        call = rooms.dispatcher.rehearse(program, known.parameters, rooms.authority)
        return self._start(lambda: call(export, arguments)).result()

    def _serve(
        self, operation: str, arguments: dict[str, Any], caller: Caller, progress: Progress, token: CancelToken
    ) -> Any:
        method = self._method(operation, caller)
        return method(Context(caller, progress, token), **_typed(operation, arguments))

    def close(self) -> None:
        """Finish what runs, close the socket, the journal and the lock. Idempotent."""
        with self._closing:
            if self._closed:
                return
            if self._server is not None:
                self._server.linger(_LINGER_S)
            self._closed = True
            self._present.close(self._wake)
            self._resources.close()

    def _wake(self) -> None:
        self._rooms.journal.wake()
        self._rooms.listeners.close()


@cache
def _parameters(operation: str) -> dict[str, Any]:
    hints = get_type_hints(getattr(Operations, operation))
    hints.pop("return", None)
    return {name: kind for name, kind in hints.items() if kind is not Context}


def _typed(operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Arguments from the wire as the operation's own types.

    :raises ProtocolError: if one is missing, unknown or of another type
    """
    parameters = _parameters(operation)
    if set(arguments) != set(parameters):
        raise ProtocolError(f"{operation} takes {', '.join(parameters) or 'no arguments'}")
    try:
        return {name: msgspec.convert(arguments[name], kind) for name, kind in parameters.items()}
    except msgspec.ValidationError as error:
        raise ProtocolError(f"an argument of {operation} is malformed: {error}") from error
