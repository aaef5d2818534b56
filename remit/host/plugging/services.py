"""Services of plugins as actions of the catalog: resolved, validated, authorised and journalled like a unit's.

A service runs on a thread of its own, outside the sandbox: it is its plugin's code. What it raises is the call's
outcome; a service that hangs is its plugin's failure, and the caller gets the deadline.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

import msgspec

from remit.errors import DeadlineExceeded, RemitError, UnitRejected, UnitRetry
from remit.host.looping import LoopRunner
from remit.host.offers import Service
from remit.host.plugging.manager import Plugins
from remit.host.plugging.worker import Busy, Hung, Raised, Worker
from remit.journal import Progress, digest_of, no_progress
from remit.kernel.hostcall import Door
from remit.kernel.model import Action, Caller, GuestOutcome, Limits, Program, UnitRef
from remit.kernel.ports import Catalog, HostCalls, Runner
from remit.sandbox.running.aside import aside
from remit.schemas import Validator

__all__ = ["ServedCatalog", "Services", "ServingRunner"]

_THREADS = 16


class Services:
    """The services of one kernel's plugins, by name."""

    def __init__(self, plugins: Plugins, offered: Sequence[tuple[str, Service]]) -> None:
        self.actions: dict[str, Action] = {}
        self._plugins = plugins
        self._calls: dict[str, tuple[str, Service]] = {}
        self._idle: SimpleQueue[Worker] = SimpleQueue()
        for plugin, service in offered:
            try:
                action = _action(plugin, service, self.actions)
            except (RemitError, ValueError) as error:
                plugins.fail(plugin, "remit_services", error)
                continue
            self.actions[action.name] = action
            self._calls[action.program.artifact] = plugin, service
        for number in range(_THREADS if self.actions else 0):
            self._idle.put(Worker(f"service-{number}"))

    def serves(self, artifact: str) -> bool:
        """Whether an artifact's name is a service's."""
        return artifact in self._calls

    def run(self, program: Program, text: str, caller: Caller, deadline_ms: int) -> GuestOutcome:
        """Perform a service with a JSON text.

        :raises DeadlineExceeded: if it does not end in time, or no thread was free until then
        :raises RemitError: if that is the service's answer
        """
        plugin, service = self._calls[program.artifact]
        late = DeadlineExceeded(f"{service.name} did not end within {deadline_ms} ms")
        try:
            worker = self._idle.get(timeout=deadline_ms / 1_000)
        except Empty:
            raise late from None
        try:
            output = worker.run(_perform, (service, text, caller), deadline_ms / 1_000)
        except Hung as error:
            if not service.outside:
                self._plugins.fail(plugin, f"service {service.name}", TimeoutError("did not end in time"))
            raise late from error
        except Busy as error:
            raise late from error
        except Raised as raised:
            return _refusal(raised.error)
        finally:
            self._idle.put(worker)  # one that is stuck refuses until it is back
        return GuestOutcome("ok", output)

    def close(self) -> None:
        """Let the threads end."""
        while True:
            try:
                self._idle.get_nowait().close()
            except Empty:
                return


def _refusal(error: BaseException) -> GuestOutcome:
    """What a service's caller hears, and nobody else: even ``SystemExit`` is no more than that."""
    if isinstance(error, UnitRejected):
        return GuestOutcome("rejected", error.message)
    if isinstance(error, UnitRetry):
        return GuestOutcome("retry", error.message, after_ms=int(error.details.get("after_ms", 0)))
    if isinstance(error, RemitError):  # an answer, with a code that its caller is to have
        raise error
    return GuestOutcome("failed", f"{type(error).__name__}: {error}")


def _perform(service: Service, text: str, caller: Caller) -> str:
    return msgspec.json.encode(service.call(msgspec.json.decode(text), caller)).decode()


def _action(plugin: str, service: Service, taken: Container[str]) -> Action:
    unit, colon, name = service.name.partition(":")
    publisher, slash, rest = unit.partition("/")
    if not (colon and slash and publisher and rest and name) or "@" in service.name:
        raise ValueError(f"{service.name!r} is not of the form publisher/name:action")
    if service.name in taken:
        raise ValueError(f"another plugin serves {service.name}")
    artifact = f"service:{service.name}"
    digest = digest_of("\n".join(filter(None, (plugin, service.name, service.definition))).encode())
    ref = UnitRef(unit, "0.0.0", digest, "tool", "local")
    limits = msgspec.structs.replace(Limits(), deadline_ms=service.deadline_ms)
    return Action(
        name=service.name,
        program=Program(ref, artifact, "tool", limits, frozenset()),
        input=None if service.input is None else Validator(service.input),
        output=None if service.output is None else Validator(service.output),
        parameters="{}",
        idempotent=service.idempotent,
        title=service.title,
    )


class ServedCatalog:
    """A catalog with the services before it: no unit can take a service's name."""

    def __init__(self, units: Catalog, services: Mapping[str, Action]) -> None:
        self._units = units
        self._services = services

    @property
    def generation(self) -> int:
        """The number of the active generation."""
        return self._units.generation

    def resolve(self, reference: str) -> Action:
        """The action behind a reference.

        :raises ActionUnknown: if neither a plugin nor an active unit offers it
        """
        return self._services.get(reference) or self._units.resolve(reference)

    def actions(self) -> Sequence[Action]:
        """Every callable action, the services first."""
        return [*self._services.values(), *self._units.actions()]


class ServingRunner:
    """A runner that leaves services to their plugins, and everything else to the runner behind it."""

    def __init__(self, units: Runner, services: Services) -> None:
        self._units = units
        self._looping = units if isinstance(units, LoopRunner) else None
        self._services = services
        self.interfaces = units.interfaces
        self.functions = units.functions
        self.cancel = units.cancel
        self.entries = units.entries
        self.clear = units.clear

    def prepare(
        self, artifact: str, load: Callable[[], bytes], progress: Progress = no_progress, *,
        metered: bool = False, native: str = "",
    ) -> None:  # fmt: skip
        """See :class:`remit.kernel.ports.Runner`. A service needs no preparation."""
        if not self._services.serves(artifact):
            self._units.prepare(artifact, load, progress, metered=metered, native=native)

    def run(
        self, program: Program, export: str, arguments: tuple[Any, ...], host: HostCalls, deadline_ms: int
    ) -> GuestOutcome:
        """See :class:`remit.kernel.ports.Runner`."""
        if self._services.serves(program.artifact):
            caller = host.caller if isinstance(host, Door) else Caller()
            return self._services.run(program, arguments[1], caller, deadline_ms)
        return self._units.run(program, export, arguments, host, deadline_ms)

    async def arun(
        self, program: Program, export: str, arguments: tuple[Any, ...], host: HostCalls, deadline_ms: int
    ) -> GuestOutcome:
        """See :class:`remit.host.looping.LoopRunner`: what cannot wait on a loop has a thread wait."""
        if self._looping is not None and not self._services.serves(program.artifact):
            return await self._looping.arun(program, export, arguments, host, deadline_ms)
        run = partial(self.run, program, export, arguments, host, deadline_ms)
        return await aside(run, cancel=partial(self.cancel, host))

    def close(self) -> None:
        """Release everything."""
        self._services.close()
        self._units.close()
