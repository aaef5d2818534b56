"""Simulators of the kernel's ports: policy is a set, the catalog a dict, guests are Python functions."""
# ruff: noqa: ARG002 - a port passes more than a simulator looks at

from __future__ import annotations

import asyncio
import inspect
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from remit.errors import ActionUnknown, CallCancelled, GrantUnknown, GuestTrapped, LeaseDenied, LeaseExhausted
from remit.journal import Journal
from remit.kernel.dispatch import Dispatcher
from remit.kernel.hostcall import Ok, Refused
from remit.kernel.model import (
    Action,
    Amounts,
    Budget,
    Caller,
    Capability,
    Decision,
    EntityRef,
    Exported,
    Grant,
    GrantStatus,
    GuestOutcome,
    Limits,
    Program,
    UnitRef,
)
from remit.kernel.ports import HostCalls, Progress, no_progress
from remit.kernel.scope import Scope
from remit.schemas import Validator
from tests.journal.simulators import SimClock, SimIds, journal_folder


class Trap(Exception):  # noqa: N818 - what a guest does, not an error of ours
    """Raised by a simulated guest; the runner turns it into what it was told to."""


@dataclass
class Guest:
    """What a simulated guest sees: the door, in words."""

    door: HostCalls
    action: str
    input: Any
    deadline_ms: int

    def host(self, interface: str, function: str, *arguments: Any) -> Any:
        """One host call; its answer as it is."""
        answer = self.door(interface, function, arguments)
        if self.door.abort is not None:
            raise self.door.abort
        return answer

    def ask(self, interface: str, function: str, *arguments: Any) -> Any:
        """One host call that must not be refused; its value."""
        answer = self.host(interface, function, *arguments)
        assert isinstance(answer, Ok), answer
        return answer.value

    def get(self, key: str) -> Any:
        return self.ask("state", "get", key)

    def put(self, key: str, value: str, expected: int | None = None) -> Any:
        return self.host("state", "put", key, value, expected)

    def emit(self, topic: str, data: Any = None) -> Any:
        return self.host("events", "emit", topic, "application/json", json.dumps(data))

    def call(self, action: str, value: Any = None) -> Any:
        return self.host("actions", "call", action, json.dumps(value))


Body = Callable[[Guest], Any]


class SimRunner:
    """Runs Python functions as guests. ``calls`` counts runs by artifact; a guest may wait on :meth:`cancelled`."""

    def __init__(self) -> None:
        self.bodies: dict[str, Body] = {}
        self.calls: dict[str, int] = {}
        self.prepared: list[str] = []
        self._cancelled: dict[HostCalls, threading.Event] = {}
        self._lock = threading.Lock()

    def interfaces(self, component: bytes) -> tuple[frozenset[str], frozenset[str]]:
        raise NotImplementedError

    def functions(self, component: bytes) -> Mapping[str, Exported]:
        raise NotImplementedError

    def prepare(
        self, artifact: str, load: Callable[[], bytes], progress: Progress = no_progress, *,
        metered: bool = False, native: str = "",
    ) -> None:  # fmt: skip
        self.prepared.append(artifact)

    def cancelled(self, door: HostCalls) -> threading.Event:
        """Set once the call behind this door was cancelled."""
        with self._lock:
            return self._cancelled.setdefault(door, threading.Event())

    def run(
        self, program: Program, export: str, arguments: tuple[Any, ...], host: HostCalls, deadline_ms: int
    ) -> GuestOutcome:
        return self._outcome(self._result(program, export, arguments, host, deadline_ms), host)

    def _result(
        self, program: Program, export: str, arguments: tuple[Any, ...], host: HostCalls, deadline_ms: int
    ) -> Any:
        with self._lock:
            self.calls[program.artifact] = self.calls.get(program.artifact, 0) + 1
        if self.cancelled(host).is_set():
            raise CallCancelled("cancelled before it began")
        action, text = (arguments[0], arguments[1]) if export == "provider.call" else ("", arguments[0])
        return self.bodies[program.artifact](Guest(host, action, json.loads(text), deadline_ms))

    def _outcome(self, result: Any, host: HostCalls) -> GuestOutcome:
        if self.cancelled(host).is_set():
            raise CallCancelled("cancelled")
        return result if isinstance(result, GuestOutcome) else GuestOutcome("ok", json.dumps(result))

    async def arun(
        self, program: Program, export: str, arguments: tuple[Any, ...], host: HostCalls, deadline_ms: int
    ) -> GuestOutcome:
        """As :meth:`run`; a guest may answer with an awaitable."""
        await asyncio.sleep(0)
        return self._outcome(await self._awaited(self._result(program, export, arguments, host, deadline_ms)), host)

    @staticmethod
    async def _awaited(result: Any) -> Any:
        return await result if inspect.isawaitable(result) else result

    def cancel(self, host: HostCalls) -> None:
        self.cancelled(host).set()

    def entries(self) -> Sequence[Any]:
        return []

    def clear(self) -> int:
        return 0

    def close(self) -> None:
        return


class SimHold:
    """What was set aside, and what became of it."""

    def __init__(self, amounts: Amounts) -> None:
        self.amounts = amounts
        self.used: Amounts | None = None

    def settle(self, used: Amounts) -> None:
        assert self.used is None
        self.used = used


class SimAuthority:
    """Everything is allowed but what is in ``refused`` (principal, action) or not in ``granted`` (unit, capability)."""

    digest = "sha256:" + "0" * 64

    def __init__(self) -> None:
        self.refused: set[tuple[str, str]] = set()
        self.granted: set[tuple[str, str, str]] = set()
        self.exhausted: set[tuple[str, str, str]] = set()
        self.budget: Budget | None = None
        self.left = Amounts(host_us=1 << 40, fuel=1 << 40)
        self.holds: list[SimHold] = []

    def authorize(
        self, principal: str, action: str, resource: EntityRef, context: Mapping[str, Any] | None = None
    ) -> Decision:
        if (principal, resource.id) in self.refused or (principal, action) in self.refused:
            return Decision("deny", ("sim.no",), "the simulator says no")
        return Decision("allow", ("sim.yes",))

    def review(self, unit: UnitRef, capability: Capability) -> Decision:
        return Decision("allow")

    def inline(self, unit: UnitRef) -> bool:
        return True

    def activate(self, units: Sequence[UnitRef], grants: Sequence[Grant]) -> None:
        return

    def use(
        self, unit: UnitRef, action: str, resource: str, method: str = "", calls: int = 1, nbytes: int = 0
    ) -> Grant:
        wanted = (unit.id, action, resource)
        if wanted in self.exhausted:
            raise LeaseExhausted(f"{resource} is used up")
        if wanted not in self.granted:
            raise LeaseDenied(f"{unit.id} may not {action} {resource}", policies=["sim.no"])
        return Grant(f"grant:{action}:{resource}", unit, Capability(action, resource, budget=self.budget))

    def hold(self, grant: Grant, least: Amounts, most: Amounts) -> SimHold:
        if least.host_us > self.left.host_us or least.fuel > self.left.fuel:
            raise LeaseExhausted(f"{grant.id} is used up")
        held = Amounts(host_us=min(most.host_us, self.left.host_us), fuel=min(most.fuel, self.left.fuel))
        self.holds.append(SimHold(held))
        return self.holds[-1]

    def revoke(self, grant_id: str) -> None:
        raise GrantUnknown(grant_id)

    def grants(self) -> Sequence[GrantStatus]:
        return []


class SimCatalog:
    """Actions by name."""

    def __init__(self) -> None:
        self.generation = 1
        self.by_name: dict[str, Action] = {}

    def resolve(self, reference: str) -> Action:
        try:
            return self.by_name[reference]
        except KeyError:
            raise ActionUnknown(f"there is no action {reference!r}") from None

    def actions(self) -> Sequence[Action]:
        return list(self.by_name.values())


class Interface:
    """Functions under the names of the WIT."""

    def __init__(self, **functions: Callable[..., Ok | Refused]) -> None:
        self.functions = dict(functions)


def _get(scope: Scope, key: str) -> Ok:
    return Ok(scope.effects.get(key))


def _put(scope: Scope, key: str, value: str, expected: int | None) -> Ok:
    return Ok(scope.effects.put(key, value, expected))


def _delete(scope: Scope, key: str) -> Ok:
    return Ok(scope.effects.delete(key))


def _list(scope: Scope, prefix: str, after: str, limit: int) -> Ok:
    return Ok(scope.effects.list(prefix, after, limit))


def _emit(scope: Scope, topic: str, content_type: str, data: str) -> Ok:
    return Ok(scope.effects.emit(topic, content_type, data))


def _fetch(scope: Scope, url: str) -> Ok | Refused:
    grant = scope.require("net:http", url, nbytes=len(url))
    return grant if isinstance(grant, Refused) else Ok("fetched")


def _call(scope: Scope, action: str, argument: str) -> Ok | Refused:
    assert scope.call_action is not None
    budget = getattr(scope.authority, "budget", None)
    capability = Capability("action:call", action, budget=budget)
    return scope.call_action(scope, Grant("grant:call", scope.program.unit, capability), action, argument)


def _write(scope: Scope, message: str) -> Ok:
    scope.log.append({"level": "info", "message": message, "fields": ""})
    return Ok()


def _break(_scope: Scope) -> Ok:
    raise ZeroDivisionError("a bug in the host")


def _interrupt(_scope: Scope) -> Ok:
    raise KeyboardInterrupt


INTERFACES: Mapping[str, Interface] = {
    "state": Interface(get=_get, put=_put, delete=_delete, list=_list),
    "events": Interface(emit=_emit),
    "http": Interface(fetch=_fetch),
    "actions": Interface(call=_call),
    "log": Interface(write=_write),
    "fault": Interface(**{"break": _break, "interrupt": _interrupt}),
}


@dataclass
class World:
    """A dispatcher among simulators, on a real journal."""

    folder: Path
    clock: SimClock = field(default_factory=SimClock)
    authority: SimAuthority = field(default_factory=SimAuthority)
    catalog: SimCatalog = field(default_factory=SimCatalog)
    runner: SimRunner = field(default_factory=SimRunner)

    def __post_init__(self) -> None:
        journal_folder(self.folder)
        self._opened = 0
        self.open()

    def open(self) -> None:
        """Open the journal, as a start does."""
        self._opened += 1
        ids = SimIds(f"ID{self._opened}X")
        self.journal = Journal(self.folder, self.clock, ids)
        self.dispatcher = Dispatcher(
            home_id=self.journal.home_id,
            journal=self.journal,
            catalog=self.catalog,
            authority=self.authority,
            runner=self.runner,
            interfaces=INTERFACES,
            clock=self.clock,
            ids=ids,
        )

    def reopen(self) -> None:
        """Stop and start again."""
        self.journal.close()
        self.open()

    def offer(
        self,
        name: str,
        body: Body,
        *,
        input: Any = None,  # noqa: A002 - the word of the manifest
        output: Any = None,
        limits: Limits | None = None,
    ) -> Action:
        """Make an action callable; its unit's digest and its artifact are named after it."""
        unit_id = name.partition(":")[0]
        program = Program(
            unit=UnitRef(unit_id, "1.0.0", f"sha256:unit-{unit_id}", "tool", "signed"),
            artifact=f"sha256:code-{name}",
            world="tool",
            limits=limits or Limits(),
            interfaces=frozenset(INTERFACES),
        )
        action = Action(
            name=name,
            program=program,
            input=None if input is None else Validator(input),
            output=None if output is None else Validator(output),
            parameters="{}",
        )
        self.runner.bodies[program.artifact] = body
        self.catalog.by_name[name] = action
        return action

    def call(self, name: str, value: Any = None, **caller: Any) -> Any:
        """Call an action and give the whole outcome."""
        return self.dispatcher.call(name, json.dumps(value).encode(), Caller(**caller))

    def ran(self, name: str) -> int:
        """How often an action's guest ran."""
        return self.runner.calls.get(f"sha256:code-{name}", 0)

    def events(self, *prefixes: str) -> list[Any]:
        """The events of these topics."""
        return [record.event for record in self.journal.read(prefixes=prefixes or ("",))]


def trap(_guest):
    """The body of a guest that traps."""
    raise GuestTrapped("unreachable")


def rows(world):
    """What the units' state is, as it is stored."""
    return world.journal.execute(
        "SELECT namespace, unit, branch, key, version, seq, value FROM unit_state ORDER BY seq, key"
    )
