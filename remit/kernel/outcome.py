"""Outcomes: what the journal says of a call, the commit of its effects, and calls that are done only once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any, Literal

import apsw
import msgspec

from remit.errors import IdempotencyConflict, JournalClosed, RemitError
from remit.journal import branches, unitstate
from remit.journal.blobs import digest_of
from remit.journal.event import Draft, Record, encode_json
from remit.journal.log import Journal
from remit.journal.once import Key, Turns, find, remember
from remit.journal.receipt import Receipt
from remit.kernel.model import Action, Caller
from remit.kernel.ports import Clock, Ids
from remit.kernel.scope import Scope

if TYPE_CHECKING:
    from remit.schemas import Validator

__all__ = ["Ending", "Outcome", "Recording", "Started"]

Ending = Callable[[RemitError | None], Sequence[Draft]]
"""What else is to be said when a call ended, well or with an error: committed with the outcome, or not at all."""


class Outcome(msgspec.Struct, frozen=True):
    """What a call gave."""

    action: str
    unit: str
    digest: str
    output: Any
    seq: int
    """The outcome's record; 0 while it is queued."""
    events: int
    """Events that the unit emitted."""
    duration_us: int
    replayed: bool = False
    """Whether this is the outcome of an earlier call with the same idempotency key."""


class Started(msgspec.Struct, frozen=True):
    """A call that has begun: the id of its outcome's event, and what the outcome will say."""

    id: str
    action: Action
    caller: Caller
    generation: int
    began_ns: int
    input: bytes
    ending: Ending = lambda _error: ()


_ANY_TIME: AbstractContextManager[None] = nullcontext()
"""The turn of a call that may happen at any time, and any number of times."""


class Recording:
    """Writes outcomes. ``once`` makes calls with an idempotency key happen one at a time and one time only."""

    def __init__(self, journal: Journal, clock: Clock, ids: Ids) -> None:
        self._journal = journal
        self._clock = clock
        self._ids = ids
        self._turns = Turns()

    # ---- idempotency ----

    def once(self, action: Action, value: Any, caller: Caller) -> AbstractContextManager[Outcome | None]:
        """Give the outcome of an earlier call of this project, principal, action and key, or ``None`` to perform it.

        :raises IdempotencyConflict: if that call had another input
        """
        return self._turn(action, value, caller) if caller.idempotency_key else _ANY_TIME

    @contextmanager
    def _turn(self, action: Action, value: Any, caller: Caller) -> Iterator[Outcome | None]:
        key = _key(action, caller)
        with self._turns.of(key):
            yield self._earlier(key, _journalled(action.input, value))

    def _earlier(self, key: Key, payload: bytes) -> Outcome | None:
        record = find(self._journal, key)
        if record is None:
            return None
        data = self._journal.data(record)
        if data["input"] != digest_of(payload):
            raise IdempotencyConflict(f"the idempotency key {key.key!r} was used with another input")
        return Outcome(
            action=key.action,
            unit=data["unit"],
            digest=data["digest"],
            output=msgspec.json.decode(self._journal.payload(data["output"])),
            seq=record.seq,
            events=data["events"],
            duration_us=data["duration_us"],
            replayed=True,
        )

    # ---- outcomes ----

    def start(self, action: Action, value: Any, caller: Caller, generation: int, ending: Ending) -> Started:
        """Note the beginning of a call; nothing is written yet."""
        given, began_ns = _journalled(action.input, value), self._clock.monotonic_ns()
        return Started(self._ids.new(), action, caller, generation, began_ns, given, ending)

    def completed(
        self, started: Started, scope: Scope, output: Any, durability: Literal["committed", "queued"]
    ) -> tuple[Outcome, Receipt | None]:
        """Queue the outcome with every buffered effect, for one transaction; a receipt, where it is to be waited for.

        The receipt fails with ``StateConflict`` if a key that the call wrote moved meanwhile: nothing is committed.
        """
        result = _journalled(started.action.output, scope.masked(output))
        effects = scope.touched
        writes, events = ([], []) if effects is None else (effects.writes, effects.events)
        data = self._data(started, scope)
        data["events"] = len(events)
        kept = {"input": started.input, "output": result}
        if writes:
            kept["writes"] = encode_json(writes)
        payloads = _attach(scope, data, kept)
        said = [*events, *scope.notes, *started.ending(None)]
        drafts = self._drafts("action.completed", started, data, said)
        future = self._write(started, drafts, payloads, writes, durability)
        unit = started.action.program.unit
        outcome = Outcome(started.action.name, unit.id, unit.digest, output, 0, data["events"], data["duration_us"])
        return outcome, future

    def failed(
        self, started: Started, scope: Scope, error: RemitError, durability: Literal["committed", "queued"]
    ) -> Receipt | None:
        """Journal that the call failed, with its denials; its effects are gone. The receipt as :meth:`completed`'s."""
        data = self._data(started, scope) | {"code": error.code, "message": error.message[:2_000]}
        payloads = _attach(scope, data, {"input": started.input})
        drafts = self._drafts("action.failed", started, data, [*scope.notes, *started.ending(error)])
        with suppress(JournalClosed):
            # The kernel may close under the call: the caller gets the error that matters, the call left nothing.
            return self._write(started, drafts, payloads, [], durability)
        return None

    def outside(self, started: Started, draft: Draft, durable: bool) -> None:
        """Journal at once what a running call does outside; see :attr:`remit.kernel.scope.Scope.record`."""
        future = self._journal.submit(
            [self._within(draft, started)], namespace=started.caller.namespace, generation=started.generation
        )
        if durable:
            self._journal.durable(future)

    def denied(self, action: Action, caller: Caller, error: RemitError, generation: int) -> Receipt:
        """Journal that policy kept a caller from an action; the receipt says when that is durable."""
        data = _who(action, caller) | {"code": error.code, "policies": error.details.get("policies", [])}
        draft = Draft(type="action.denied", subject=action.name, data=data, correlation=caller.correlation)
        return self._journal.submit([draft], namespace=caller.namespace, generation=generation)

    def _data(self, started: Started, scope: Scope) -> dict[str, Any]:
        data = _who(started.action, started.caller)
        data["at_ms"] = self._clock.now_ms()
        data["duration_us"] = (self._clock.monotonic_ns() - started.began_ns) // 1_000
        if scope.charges:
            data["charges"] = msgspec.to_builtins(scope.charges)
        if started.caller.idempotency_key:
            data["key"] = started.caller.idempotency_key
        return data

    def _drafts(self, kind: str, started: Started, data: dict[str, Any], said: Sequence[Draft]) -> list[Draft]:
        """The outcome, and what was said in the call, which it causes."""
        caller = started.caller
        outcome = Draft(
            type=kind, id=started.id, subject=started.action.name, data=data, traceparent=caller.traceparent,
            correlation=caller.correlation or started.id, causation=caller.causation,
        )  # fmt: skip
        return [outcome, *[self._within(draft, started) for draft in said]]

    @staticmethod
    def _within(draft: Draft, started: Started) -> Draft:
        caller = started.caller
        return msgspec.structs.replace(
            draft,
            correlation=caller.correlation or started.id,
            causation=started.id,
            traceparent=caller.traceparent,
            hops=max(0, caller.hops) if draft.source else draft.hops,
        )

    def _write(
        self, started: Started, drafts: Sequence[Draft], payloads: Mapping[str, bytes],
        writes: Sequence[unitstate.Write], durability: Literal["committed", "queued"],
    ) -> Receipt | None:  # fmt: skip
        """Queue the records; a receipt, where somebody has to wait for it."""
        caller, unit, branch = started.caller, started.action.program.unit.id, started.action.branch
        # What a branch held counts for nothing once its trial is over, even where it was only read.
        stateful = branch and "state" in started.action.program.interfaces and drafts[0].type == "action.completed"
        guarded = bool(writes or stateful)
        keeps_tables = bool(writes or caller.idempotency_key)
        # What may still be refused, or must be found by the next call, is waited for.
        if durability == "queued" and not (keeps_tables or guarded):
            self._journal.post(drafts, namespace=caller.namespace, payloads=payloads, generation=started.generation)
            return None

        def guard(connection: apsw.Connection) -> None:
            branches.unmoved(connection, caller.namespace, unit, branch, writes)

        def project(connection: apsw.Connection, records: Sequence[Record]) -> None:
            unitstate.project(connection, records[0], unit, writes, branch)
            if caller.idempotency_key and drafts[0].type == "action.completed":
                remember(connection, _key(started.action, caller), records[0].seq)

        return self._journal.submit(
            drafts,
            namespace=caller.namespace,
            payloads=payloads,
            guard=guard if guarded else None,
            project=project if keeps_tables else None,
            generation=started.generation,
        )


def _who(action: Action, caller: Caller) -> dict[str, Any]:
    unit = action.program.unit
    who = {"action": action.name, "unit": unit.id, "digest": unit.digest, "principal": caller.principal}
    if action.trial:
        who |= {"trial": action.trial, "arm": "trial" if action.branch else "base"}
    return who


def _key(action: Action, caller: Caller) -> Key:
    return Key(caller.namespace, caller.principal, action.name, caller.idempotency_key)


def _journalled(validator: Validator | None, value: Any) -> bytes:
    """A value as the journal may hold it: what its schema marks as sensitive is masked."""
    return encode_json(value if validator is None else validator.redacted(value))


def _attach(scope: Scope, data: dict[str, Any], kept: dict[str, bytes]) -> dict[str, bytes]:
    """The payloads of an outcome by digest, its log and transcript among them; ``data`` points at each by its name."""
    if scope.log:
        kept["log"] = encode_json(scope.log)
    if scope.recorder is not None:
        kept["transcript"] = scope.recorder.transcript()
    payloads: dict[str, bytes] = {}
    for name, payload in kept.items():
        data[name] = digest = digest_of(payload)
        payloads[digest] = payload
    return payloads
