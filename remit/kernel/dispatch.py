"""A call, from reference to outcome: resolve, validate, authorise, run, validate, commit. One path for every caller.

What a unit did is buffered in its call and committed in one transaction with the outcome; a trap, error or deadline
discards it. Nothing here knows Cedar, wasmtime or manifests: those come through the ports.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import partial
from typing import Any, Literal

import msgspec

from remit.errors import (
    CallCancelled,
    DeadlineExceeded,
    Denied,
    HopsExceeded,
    HostFault,
    JournalClosed,
    LeaseDenied,
    LeaseExhausted,
    RemitError,
)
from remit.journal.branches import table_of
from remit.journal.effects import Effects
from remit.journal.event import unit_source
from remit.journal.log import Journal
from remit.journal.receipt import Receipt
from remit.journal.rehearsalstate import RehearsalState
from remit.kernel.hostcall import CancelToken, Door, Ok, Recorders, Refused
from remit.kernel.model import Action, Amounts, Caller, EntityRef, Grant, GuestOutcome, Program
from remit.kernel.outcome import Ending, Outcome, Recording, Started
from remit.kernel.ports import Authority, Catalog, Clock, Hold, Ids, Runner
from remit.kernel.scope import HostInterface, Scope
from remit.kernel.values import decode_input, decode_output, encode_input

__all__ = ["Around", "CancelToken", "Dispatcher", "Durability", "Outcome", "Run", "Steps"]

Durability = Literal["committed", "queued"]
Ended = Callable[[Outcome | None, Exception | None], None]
Around = Callable[[Action, Any, Caller], Ended]
"""Middleware: called before a call runs, may refuse by raising ``Denied``, gives what is called when it ended."""
Fuelled = Callable[[int | None], None]
"""Told what a call may use of fuel before its guest runs, and what it used after; ``None`` where it is not metered."""
Run = tuple[Program, str, tuple[Any, ...], Door, int]
"""What a guest is run with: the arguments of :meth:`remit.kernel.ports.Runner.run`."""
Steps = Generator[Run | Receipt | Callable[[], Any], Any, Outcome]
"""A call that gives whatever it has to wait for and is sent what came of it: a guest, what the journal has not written
yet, work that may block."""
_PURE = frozenset({"log", "parameters"})
_BUFFERED = _PURE | {"clock", "random", "state", "events"}
"""Interfaces whose effects stay in the scope until a call commits."""
_LIGHT = 48 << 10
"""Bytes of input and output that are journalled in microseconds: larger ones are files of their own."""


def _unfuelled(_fuel: int | None) -> None:
    """The fuel of a call that nobody pays for."""


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
        self, reference: str, payload: bytes, caller: Caller, *,
        durability: Durability = "committed", token: CancelToken | None = None,
    ) -> Outcome:  # fmt: skip
        """Call an action with a JSON text and give its outcome.

        :raises ActionUnknown: if the active generation does not offer it
        :raises InputInvalid: if the input does not follow the action's schema
        :raises Denied: if policy does not let the caller invoke it
        :raises UnitRejected: if the unit rejected the input (and ``UnitFailed``, ``UnitRetry`` likewise)
        :raises SandboxError: if the unit trapped or reached a limit; its effects are discarded
        """
        return self._drive(self.steps(reference, payload, caller, durability, token or self.token()))

    def steps(
        self, reference: str, payload: bytes, caller: Caller, durability: Durability, token: CancelToken
    ) -> Steps:
        """:meth:`call`, for who drives it elsewhere than on a thread that may wait: see :meth:`may_block`."""
        catalog = self.catalog
        action, caller = self._armed(catalog.resolve(reference), reference, caller)
        value = decode_input(action, payload)
        decision = self._authority.authorize(caller.principal, "action:invoke", EntityRef("Action", action.name))
        if not decision.allowed:
            error = Denied(
                f"{caller.principal} may not invoke {action.name}: {decision.verdict}",
                policies=list(decision.policies),
                reason=decision.reason,
            )
            yield self._recording.denied(action, caller, error, catalog.generation)
            raise error
        return (yield from self._perform(action, value, caller, catalog.generation, durability, token))

    def may_block(self, caller: Caller) -> bool:
        """Whether the steps of this caller's calls block: a key waits for an earlier call, middleware for a plugin."""
        return self._around is not None or bool(caller.idempotency_key)

    def _drive(self, steps: Steps) -> Outcome:
        """Take a call through its steps on this thread."""
        go: Callable[[Any], Any] = steps.send
        given: Any = None
        while True:
            try:
                step = go(given)
            except StopIteration as end:
                outcome: Outcome = end.value
                return outcome
            try:
                if isinstance(step, tuple):
                    given = self._runner.run(*step)
                else:
                    given = self._journal.durable(step) if isinstance(step, Receipt) else step()
                go = steps.send
            except BaseException as error:  # noqa: BLE001 - the call answers it: it has to be journalled
                go, given = steps.throw, error

    def react(self, reaction: Action, event: Any, caller: Caller, ending: Ending, token: CancelToken) -> Outcome:
        """Deliver an event, as the WIT has it, to a unit's handler; ``ending`` is committed with what came of it.

        :raises LeaseDenied: if the unit may not hear of the topic now (and ``LeaseExhausted`` likewise)
        :raises CallError, SandboxError: as :meth:`call`
        """
        generation = self.catalog.generation
        reaction, caller = self._armed(reaction, "", caller)
        return self._drive(self._perform(reaction, event, caller, generation, "committed", token, ending=ending))

    def evaluate(self, program: Program, export: str, arguments: tuple[Any, ...], parameters: str) -> GuestOutcome:
        """Run a pure export (a transform) outside any call: no authority, no effects kept, nothing journalled."""
        return self._outside(program, export, arguments, parameters, _PURE, self._authority, RehearsalState())

    def rehearse(
        self, program: Program, parameters: str, authority: Authority
    ) -> Callable[[str, tuple[Any, ...]], GuestOutcome]:
        """Calls of exports as :meth:`evaluate` makes them, with what a call buffers; nothing of it leads outside.

        Each finds the state that those before it left; the first finds none, and nothing is left behind the last.
        """
        state = RehearsalState()
        return lambda export, arguments: self._outside(
            program, export, arguments, parameters, _BUFFERED, authority, state
        )

    def _outside(
        self, program: Program, export: str, arguments: tuple[Any, ...], parameters: str, names: frozenset[str],
        authority: Authority, state: RehearsalState,
    ) -> GuestOutcome:  # fmt: skip
        self._prepare(program)
        source = unit_source(self._home_id, program.unit.id, program.unit.digest)
        effects = Effects(state, source, program.limits, self._ids)
        scope = self._scope(program, Caller(), parameters, _Nested(self, self.token(), ""), lambda _scope: effects)
        scope.authority = authority
        served = {name: interface for name, interface in self._interfaces.items() if name in names}
        door = Door(self._ids.new(), scope, served)
        answer = self._runner.run(program, export, arguments, door, program.limits.deadline_ms)
        if answer.tag == "ok":
            state.take(effects.writes)
        return answer

    # ---- the steps ----

    def _armed(self, action: Action, reference: str, caller: Caller) -> tuple[Action, Caller]:
        """The arm for the caller's episode, where the unit is on trial; who has no episode begins one."""
        if action.arms is None:
            return action, caller
        caller = caller if caller.correlation else msgspec.structs.replace(caller, correlation=self._ids.new())
        return action.arms(reference, caller), caller

    def _perform(
        self, action: Action, value: Any, caller: Caller, generation: int, durability: Durability, token: CancelToken,
        secrets: dict[str, str] | None = None, fuelled: Fuelled = _unfuelled, ending: Ending = lambda _error: (),
    ) -> Steps:  # fmt: skip
        with self._recording.once(action, value, caller) as earlier:
            if earlier is not None:
                return earlier
            if action.program.artifact not in self._prepared:
                yield partial(self._prepare, action.program)
            record = self._recording.start(action, value, caller, generation, ending)
            nested = _Nested(self, token, record.id)
            effects = partial(self._effects, action.branch)
            scope = self._scope(action.program, caller, action.parameters, nested, effects)
            scope.record = partial(self._recording.outside, record)
            scope.cancelled = lambda: token.cancelled
            scope.secrets = {} if secrets is None else secrets  # what a callee was given, its caller may hear of
            ended: Ended = _unwatched
            outcome: Outcome | None = None
            try:
                _check_chain(action, caller)
                _check_hearing(action, scope)
                if self._around is not None:
                    ended = self._around(action, value, caller)
                run = self._enter(action, value, scope, token)
                try:
                    fuelled(action.program.limits.fuel)  # a guest that is stopped does not tell what it used
                    answer = yield run
                    fuelled(answer.fuel)
                finally:
                    token.leave(run[3])
                leave = partial(self._leave, record, answer, scope, durability)
                light = scope.recorder is None and len(answer.text) + len(record.input) <= _LIGHT
                outcome, receipt = leave() if light else (yield leave)
                if receipt is not None:
                    outcome = msgspec.structs.replace(outcome, seq=(yield receipt)[0].seq)
            except Exception as error:
                said = _said(error, action, scope)
                receipt = self._recording.failed(record, scope, said, durability)
                ended(None, said)
                with suppress(JournalClosed):
                    if receipt is not None:
                        yield receipt
                if said is error:
                    raise
                raise said from error
            except BaseException as error:  # a handler of a signal raised, or the task was cancelled: wait for nothing
                said = CallCancelled(f"the call was ended by {type(error).__name__}")
                if outcome is None:
                    self._recording.failed(record, scope, said, durability)
                ended(outcome, said if outcome is None else None)
                raise
            ended(outcome, None)
            return outcome

    def _enter(self, action: Action, value: Any, scope: Scope, token: CancelToken) -> Run:
        export, arguments = encode_input(action, value)
        scope.recorder = self._recorders and self._recorders(scope, export, arguments)
        door = Door("" if scope.recorder is None else self._ids.new(), scope, self._interfaces, scope.recorder)
        token.enter(door)
        return action.program, export, arguments, door, scope.remaining_ms

    def _leave(
        self, record: Started, answer: GuestOutcome, scope: Scope, durability: Durability
    ) -> tuple[Outcome, Receipt | None]:
        """Queue what the guest answered and did for the journal, or refuse the answer."""
        if scope.recorder is not None:
            scope.recorder.outcome = answer
        output = decode_output(record.action, answer, scope)
        return self._recording.completed(record, scope, output, durability)

    def _effects(self, branch: str, scope: Scope) -> Effects:
        unit = scope.program.unit
        table = table_of(self._journal, scope.caller.namespace, unit.id, branch)
        return Effects(table, unit_source(self._home_id, unit.id, unit.digest), scope.limits, self._ids)

    def _scope(
        self, program: Program, caller: Caller, parameters: str, nested: _Nested, effects: Callable[[Scope], Effects]
    ) -> Scope:
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
            effects=effects,
            clock=self._clock,
            ids=self._ids,
            deadline_ns=self._clock.monotonic_ns() + granted * 1_000_000,
            call_action=nested,
        )

    def _prepare(self, program: Program) -> None:
        # Compiling is not on the caller's clock, and happens once: an apply did it, unless the cache was emptied since.
        if program.artifact not in self._prepared:
            load, fuel = partial(self._journal.blobs.get, program.artifact), program.limits.fuel
            self._runner.prepare(program.artifact, load, metered=fuel is not None, native=program.native)
            self._prepared.add(program.artifact)


class _Nested:
    """``actions.call`` of a guest: the callee acts under its own grants; deadline, hops and chain are attenuated."""

    def __init__(self, dispatcher: Dispatcher, token: CancelToken, cause: str) -> None:
        self._dispatcher = dispatcher
        self._token = token
        self._cause = cause

    def __call__(self, scope: Scope, grant: Grant, reference: str, payload: str) -> Ok | Refused:
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
            action, caller = dispatcher._armed(catalog.resolve(reference), reference, caller)  # noqa: SLF001 - see below
            value = decode_input(action, payload.encode())
            fuel = _hold_fuel(scope, grant, action)
            if isinstance(fuel, Refused):
                return fuel
            with fuel as fuelled:
                steps = dispatcher._perform(  # noqa: SLF001 - this class is a part of the dispatcher
                    action, value, caller, catalog.generation, "committed", self._token, scope.secrets, fuelled
                )
                outcome = dispatcher._drive(steps)  # noqa: SLF001 - this class is a part of the dispatcher
        except RemitError as error:
            return Refused(_REFUSALS.get(error.code, "unavailable"), str(error))
        return Ok(msgspec.json.encode(outcome.output).decode())


def _hold_fuel(scope: Scope, grant: Grant, action: Action) -> AbstractContextManager[Fuelled] | Refused:
    """Set aside what a callee may use, where the caller's grant has a budget of fuel; settle it when the call ends."""
    budget = grant.capability.budget
    if budget is None or budget.fuel is None:
        return nullcontext(_unfuelled)
    limit = action.program.limits.fuel
    if limit is None:
        return Refused("denied", f"the grant has a budget of fuel, and {action.program.unit.id} is not metered")
    hold = scope.hold(grant, Amounts(fuel=limit), Amounts(fuel=limit))
    return hold if isinstance(hold, Refused) else _held_fuel(scope, grant, hold)


@contextmanager
def _held_fuel(scope: Scope, grant: Grant, hold: Hold) -> Iterator[Fuelled]:
    told: list[int | None] = [0]  # nothing ran yet
    try:
        yield told.append
    finally:
        scope.settle(grant, hold, Amounts(fuel=told[-1] or 0))


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


def _said(error: Exception, action: Action, scope: Scope) -> RemitError:
    """What the caller and the journal hear of an error."""
    if not isinstance(error, RemitError):
        return HostFault(f"the runner failed in {action.name}: {type(error).__name__}")
    error.message, error.details = scope.masked(error.message), scope.masked(error.details)
    return error


def _check_chain(action: Action, caller: Caller) -> None:
    if caller.hops < 0:
        raise HopsExceeded(f"the chain of calls is too long at {action.name}")
    if action.program.unit.digest in caller.chain:
        raise HopsExceeded(f"{action.program.unit.id} is in the chain of calls already")


def _check_hearing(action: Action, scope: Scope) -> None:
    if action.topic:
        answer = scope.require("events:subscribe", action.topic)
        if isinstance(answer, Refused):
            raise (LeaseExhausted if answer.code == "exhausted" else LeaseDenied)(answer.message)
