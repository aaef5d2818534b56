"""A call, from reference to outcome: resolve, validate, authorise, run, validate, commit. One path for every caller.

What a unit did is buffered in its call and committed in one transaction with the outcome; a trap, error or deadline
discards it. Nothing here knows Cedar, wasmtime or manifests: those come through the ports.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import partial
from typing import Any, Literal

import msgspec

from remit.errors import (
    CallCancelled,
    DeadlineExceeded,
    Denied,
    HopsExceeded,
    HostFault,
    RemitError,
)
from remit.journal.event import Record, unit_source
from remit.journal.log import Journal
from remit.journal.unitstate import StateTable
from remit.kernel.aside import aside
from remit.kernel.effects import Effects
from remit.kernel.hostcall import Door, Ok, Recorders, Refused
from remit.kernel.model import Action, Caller, EntityRef, GuestOutcome, Program
from remit.kernel.outcome import Outcome, Pending, Recording, Started
from remit.kernel.ports import Authority, Catalog, Clock, Ids, LoopRunner, Runner
from remit.kernel.scope import HostInterface, Scope
from remit.kernel.values import decode_input, decode_output

__all__ = ["Around", "CancelToken", "Dispatcher", "Durability", "Outcome"]

Durability = Literal["committed", "queued"]
Ended = Callable[[Outcome | None, Exception | None], None]
Around = Callable[[Action, Any, Caller], Ended]
"""Middleware: called before a call runs, may refuse by raising ``Denied``, gives what is called when it ended."""


_LIGHT = 48 << 10


class CancelToken:
    """Lets another thread stop a call, nested ones included."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._doors: list[Door] = []
        self._cancelled = False
        self._lock = threading.Lock()

    @property
    def cancelled(self) -> bool:
        """Whether somebody asked to stop."""
        return self._cancelled

    def cancel(self) -> None:
        """Stop whatever runs under this token, now and later."""
        with self._lock:
            self._cancelled = True
            doors = list(self._doors)
        for door in doors:
            self._runner.cancel(door)

    def enter(self, door: Door) -> None:
        """A guest starts with this door."""
        with self._lock:
            self._doors.append(door)
            cancelled = self._cancelled
        if cancelled:
            self._runner.cancel(door)


class Dispatcher:
    """Dispatches calls to the actions of a catalog. ``catalog`` is swapped when a generation becomes active."""

    def __init__(
        self,
        *,
        home_id: str,
        journal: Journal,
        catalog: Catalog,
        authority: Authority,
        runner: Runner,
        interfaces: Mapping[str, HostInterface],
        clock: Clock,
        ids: Ids,
        recorders: Recorders | None = None,
        around: Around | None = None,
    ) -> None:
        self.catalog = catalog
        self._home_id = home_id
        self._journal = journal
        self._authority = authority
        self._runner = runner
        self._arun = runner.arun if isinstance(runner, LoopRunner) else None
        self._interfaces = interfaces
        self._clock = clock
        self._ids = ids
        self._recorders = recorders
        self._around = around
        self._recording = Recording(journal, clock, ids)
        self._prepared: set[str] = set()

    def token(self) -> CancelToken:
        """A token for one call."""
        return CancelToken(self._runner)

    def call(
        self,
        reference: str,
        payload: bytes,
        caller: Caller,
        *,
        durability: Durability = "committed",
        token: CancelToken | None = None,
    ) -> Outcome:
        """Call an action with a JSON text and give its outcome.

        :raises ActionUnknown: if the active generation does not offer it
        :raises InputInvalid: if the input does not follow the action's schema
        :raises Denied: if policy does not let the caller invoke it
        :raises UnitRejected: if the unit rejected the input (and ``UnitFailed``, ``UnitRetry`` likewise)
        :raises SandboxError: if the unit trapped or reached a limit; its effects are discarded
        """
        catalog = self.catalog
        action = catalog.resolve(reference)
        value = decode_input(action, payload)
        if (denied := self._decide(action, caller)) is not None:
            self._journal.durable(self._recording.denied(action, caller, denied, catalog.generation))
            raise denied
        return self._perform(action, value, caller, catalog.generation, durability, token or self.token())

    def may_block(self, caller: Caller) -> bool:
        """Whether :meth:`acall` of this caller would have to wait for a thread: then call on one.

        A repeated key waits for the call that has it, middleware for its plugin.
        """
        return self._arun is None or self._around is not None or bool(caller.idempotency_key)

    async def acall(
        self,
        reference: str,
        payload: bytes,
        caller: Caller,
        durability: Durability,
        token: CancelToken,
    ) -> Outcome:
        """As :meth:`call`, on the running event loop; only where :meth:`may_block` says no.

        :raises asyncio.CancelledError: if the task is cancelled: the guest is gone, and the journal says so
        """
        assert self._arun is not None
        catalog = self.catalog
        action = catalog.resolve(reference)
        value = decode_input(action, payload)
        if (denied := self._decide(action, caller)) is not None:
            await _done(self._recording.denied(action, caller, denied, catalog.generation))
            raise denied
        if action.program.artifact not in self._prepared:
            await aside(partial(self._prepare, action.program))
        turn = self._begin(action, value, caller, catalog.generation, token, {})
        try:
            answer = await self._arun(*self._enter(turn, value))
            leave = partial(self._leave, turn, answer, durability)
            pending = leave() if _is_light(turn, answer) else await aside(leave)
            await _done(pending.future)
            outcome = self._recording.settled(pending)
        except BaseException as error:
            fault, future = self._fail(turn, error, durability)
            if isinstance(error, Exception):  # else somebody wants this task to end: what is queued will be written
                await _done(future)
            if fault is None:
                raise
            raise fault from error
        turn.ended(outcome, None)
        return outcome

    def evaluate(self, program: Program, export: str, arguments: tuple[Any, ...], parameters: str) -> GuestOutcome:
        """Run a pure export (a transform) outside any call: no authority, no effects kept, nothing journalled."""
        self._prepare(program)
        scope = self._scope(program, Caller(), parameters, _Nested(self, self.token(), ""))
        pure = {name: self._interfaces[name] for name in ("log", "parameters") if name in self._interfaces}
        door = Door(self._ids.new(), scope, pure)
        return self._runner.run(program, export, arguments, door, program.limits.deadline_ms)

    # ---- the steps ----

    def _decide(self, action: Action, caller: Caller) -> Denied | None:
        decision = self._authority.authorize(caller.principal, "action:invoke", EntityRef("Action", action.name))
        if decision.allowed:
            return None
        return Denied(
            f"{caller.principal} may not invoke {action.name}: {decision.verdict}",
            policies=list(decision.policies),
            reason=decision.reason,
        )

    def _perform(
        self, action: Action, value: Any, caller: Caller, generation: int, durability: Durability, token: CancelToken,
        secrets: dict[str, str] | None = None,
    ) -> Outcome:  # fmt: skip
        with self._recording.once(action, value, caller) as earlier:
            if earlier is not None:
                return earlier
            self._prepare(action.program)
            turn = self._begin(action, value, caller, generation, token, {} if secrets is None else secrets)
            try:
                answer = self._runner.run(*self._enter(turn, value))
                outcome = self._recording.settled(self._leave(turn, answer, durability))
            except BaseException as error:
                fault, future = self._fail(turn, error, durability)
                self._recording.wait(future)
                if fault is None:
                    raise
                raise fault from error
            turn.ended(outcome, None)
            return outcome

    def _begin(
        self, action: Action, value: Any, caller: Caller, generation: int, token: CancelToken, secrets: dict[str, str]
    ) -> _Turn:
        """Note that a call begins; nothing is run and nothing written yet."""
        record = self._recording.start(action, value, caller, generation)
        scope = self._scope(action.program, caller, action.parameters, _Nested(self, token, record.id))
        scope.record = partial(self._recording.outside, record)
        scope.cancelled = lambda: token.cancelled
        scope.secrets = secrets  # what a callee was given, its caller may hear of
        return _Turn(action, record, scope, token)

    def _enter(self, turn: _Turn, value: Any) -> tuple[Program, str, tuple[Any, ...], Door, int]:
        """What the runner is to run, after all that may still refuse it."""
        action, scope = turn.action, turn.scope
        _check_chain(action, scope.caller)
        if self._around is not None:
            turn.ended = self._around(action, value, scope.caller)
        text = msgspec.json.encode(value).decode()
        export = action.export or "provider.call"
        arguments = (text,) if action.export else (action.name.rpartition(":")[2], text)
        scope.recorder = self._recorders and self._recorders(scope, export, arguments)
        door = Door(self._ids.new(), scope, self._interfaces, scope.recorder)
        turn.token.enter(door)
        return action.program, export, arguments, door, scope.remaining_ms

    def _leave(self, turn: _Turn, answer: GuestOutcome, durability: Durability) -> Pending:
        """Commit what the guest answered and did, or have it refused."""
        if turn.scope.recorder is not None:
            turn.scope.recorder.outcome = answer
        output = decode_output(turn.action, answer, turn.scope)
        turn.pending = self._recording.completed(turn.record, turn.scope, output, durability)
        return turn.pending

    def _fail(
        self, turn: _Turn, error: BaseException, durability: Durability
    ) -> tuple[HostFault | None, Future[list[Record]] | None]:
        """Journal that a call did not succeed.

        Gives what the caller hears in place of the error, where that is a fault of ours, and what it may wait for.
        """
        scope = turn.scope
        fault = None
        if turn.pending is not None and not isinstance(error, Exception):  # it was over, and the journal will say so
            turn.ended(turn.pending.outcome, None)
            return None, None
        if isinstance(error, RemitError):
            error.message, error.details = scope.masked(error.message), scope.masked(error.details)
            said: RemitError = error
        elif isinstance(error, Exception):
            said = fault = HostFault(f"the runner failed in {turn.action.name}: {type(error).__name__}")
        else:  # a handler of a signal raised, or the task was cancelled: that goes on as it is
            said = CallCancelled(f"the call was ended by {type(error).__name__}")
        future = self._recording.failed(turn.record, scope, said, durability)
        turn.ended(None, said)
        return fault, future

    def _scope(self, program: Program, caller: Caller, parameters: str, nested: _Nested) -> Scope:
        unit = program.unit
        granted = program.limits.deadline_ms
        if caller.deadline_ms is not None:
            if caller.deadline_ms <= 0:
                raise DeadlineExceeded("the deadline had passed before the call began", remedy="grant more time")
            granted = min(granted, caller.deadline_ms)
        return Scope(
            program=program,
            caller=caller,
            parameters=parameters,
            authority=self._authority,
            effects=Effects(
                StateTable(self._journal, caller.namespace, unit.id),
                unit_source(self._home_id, unit.id, unit.digest),
                program.limits,
                self._ids,
            ),
            clock=self._clock,
            ids=self._ids,
            deadline_ns=self._clock.monotonic_ns() + granted * 1_000_000,
            call_action=nested,
        )

    def _prepare(self, program: Program) -> None:
        # Compiling is not on the caller's clock, and happens once: an apply did it, unless the cache was emptied since.
        if program.artifact not in self._prepared:
            metered = program.limits.fuel is not None
            self._runner.prepare(program.artifact, lambda: self._journal.blobs.get(program.artifact), metered=metered)
            self._prepared.add(program.artifact)


class _Turn:
    """A call between its beginning and its end."""

    __slots__ = ("action", "ended", "pending", "record", "scope", "token")

    def __init__(self, action: Action, record: Started, scope: Scope, token: CancelToken) -> None:
        self.action = action
        self.record = record
        self.scope = scope
        self.token = token
        self.ended: Ended = _unwatched
        self.pending: Pending | None = None
        """Its outcome, once that is queued."""


def _is_light(turn: _Turn, answer: GuestOutcome) -> bool:
    """Whether settling it takes an event loop's time for microseconds: larger payloads are files of their own."""
    return turn.scope.recorder is None and len(answer.text) + len(turn.record.input) <= _LIGHT


async def _done(future: Future[list[Record]] | None) -> None:
    """Wait on the loop until a future is done, whatever became of it."""
    if future is not None and not future.done():
        await asyncio.wait([asyncio.wrap_future(future)])


class _Nested:
    """``actions.call`` of a guest: the callee acts under its own grants; deadline, hops and chain are attenuated."""

    def __init__(self, dispatcher: Dispatcher, token: CancelToken, cause: str) -> None:
        self._dispatcher = dispatcher
        self._token = token
        self._cause = cause

    def __call__(self, scope: Scope, reference: str, payload: str) -> Ok | Refused:
        caller = msgspec.structs.replace(
            scope.caller,
            correlation=scope.caller.correlation or self._cause,
            causation=self._cause,
            deadline_ms=scope.remaining_ms,
            idempotency_key="",
            hops=scope.caller.hops - 1,
            chain=(*scope.caller.chain, scope.program.unit.digest),
        )
        dispatcher = self._dispatcher
        try:
            catalog = dispatcher.catalog
            action = catalog.resolve(reference)
            value = decode_input(action, payload.encode())
            outcome = dispatcher._perform(  # noqa: SLF001 - this class is a part of the dispatcher
                action, value, caller, catalog.generation, "committed", self._token, scope.secrets
            )
        except RemitError as error:
            return Refused(_REFUSALS.get(error.code, "unavailable"), str(error))
        return Ok(msgspec.json.encode(outcome.output).decode())


_REFUSALS: Mapping[str, Any] = {
    "RM-7001": "not-found",
    "RM-7002": "invalid",
    "RM-7004": "invalid",
    "RM-7008": "denied",
    "RM-7009": "conflict",
    "RM-5011": "timed-out",
}


def _unwatched(_outcome: Outcome | None, _error: Exception | None) -> None:
    """The end of a call that no middleware saw begin."""


def _check_chain(action: Action, caller: Caller) -> None:
    if caller.hops < 0:
        raise HopsExceeded(f"the chain of calls is too long at {action.name}")
    if action.program.unit.digest in caller.chain:
        raise HopsExceeded(f"{action.program.unit.id} is in the chain of calls already")
