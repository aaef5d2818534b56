"""What each operation of the façade does, against the composed rooms. One method an operation, by the same name.

Callers reach these through :class:`remit.host.kernel.Kernel` only, in process or over the home's socket; arguments are
converted to the annotated types there.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Literal

import msgspec

from remit.errors import (
    DocumentUnknown,
    EventInvalid,
    GrantUnknown,
    PayloadMissing,
    UnitUnknown,
    UsageError,
)
from remit.host.governance import Context
from remit.host.plugging import PluginStatus, choice
from remit.host.supplies import Supplies
from remit.host.views import Entry, HomeView, LeaseView, plain
from remit.journal import Draft, Journal, Record, check_topic
from remit.journal.event import client_source, encode_data
from remit.kernel.dispatch import CancelToken, Outcome
from remit.kernel.model import Action, Caller, EntityRef, GrantStatus
from remit.sandbox.egress.gate import EgressPreview, preview
from remit.sandbox.egress.names import Names
from remit.units import Blame, Edits, Finding, Generation, InstalledUnit, Plan, SlotView, blame, diff

__all__ = ["READS", "Context", "Operations"]

READS = frozenset({
    "home", "plan", "units", "unit", "history", "blame", "diff", "document", "documents", "actions", "events", "logged",
    "models", "state", "leases", "cache", "findings", "lease", "why", "consents", "policy_diff", "policy_what_if",
    "plugins", "slots", "sync_check", "upgrade_preview",
})  # fmt: skip
"""Operations that change nothing: asking twice is harmless. All but ``actions`` need ``home:read``."""

_MOST_EVENTS = 10_000
_LONGEST_WAIT_MS = 30_000
_TURN_MS = 250
_MOST_EMITTED = 1 << 20


class Operations(Supplies):
    """The operations of one open home."""

    def home(self, _context: Context) -> HomeView:
        """See the façade, here and below."""
        rooms = self._rooms
        return HomeView(
            id=rooms.home.id,
            root=str(rooms.home.root),
            pid=os.getpid(),
            program=rooms.program,
            generation=rooms.lifecycle.generations.active.number,
            head=rooms.journal.head.seq,
            posture=rooms.home.config.policy.posture,
            plugins=rooms.plugins.names(),
        )

    # ---- units ----

    def install(self, context: Context, reference: str, allow_unsigned: bool) -> InstalledUnit:
        bundle = self._fetch(reference, context.progress)
        return self._rooms.lifecycle.install(
            bundle, context.caller, allow_unsigned=allow_unsigned, progress=context.progress
        )

    def uninstall(self, context: Context, unit: str, version: str) -> InstalledUnit:
        return self._rooms.lifecycle.uninstall(unit, version, context.caller)

    def plan(self, _context: Context, edits: Edits) -> Plan:
        return self._rooms.lifecycle.plan(edits)

    def apply(self, context: Context, plan: Plan, consent: bool, message: str) -> Generation:
        return self._rooms.lifecycle.apply(
            plan, context.caller, consent=consent, message=message, progress=context.progress
        )

    def units(self, _context: Context) -> list[Entry]:
        active = {unit.ref.digest for unit in self._rooms.lifecycle.generations.active.units}
        return [
            Entry(unit.ref, unit.title, unit.origin, unit.ref.digest in active)
            for unit in self._rooms.lifecycle.installed.by_digest.values()
        ]

    def slots(self, _context: Context) -> list[SlotView]:
        return self._rooms.lifecycle.slots()

    def unit(self, _context: Context, unit: str) -> dict[str, Any]:
        lifecycle = self._rooms.lifecycle
        active = lifecycle.generations.active.unit(unit)
        versions = lifecycle.installed.candidates(unit, "*")
        if not versions and active is None:
            raise UnitUnknown(f"{unit} is not installed")
        shown = active.ref if active is not None else versions[0].ref
        grants = [view for view in self._leases() if view.digest == shown.digest]
        return {
            "id": unit,
            "active": plain(active),
            "installed": plain(versions),
            "manifest": plain(lifecycle.library.manifest(shown.digest)),
            "grants": plain(grants),
        }

    def history(self, _context: Context) -> list[Generation]:
        generations = self._rooms.lifecycle.generations.by_number
        return [generations[number] for number in sorted(generations)]

    def diff(self, _context: Context, before: int, after: int) -> dict[str, Any]:
        generations = self._rooms.lifecycle.generations
        old, new = generations.get(before), generations.get(after)
        documents = {
            name: plain(diff(old_documents.get(name, {}), new_documents.get(name, {})))
            for old_documents, new_documents in [(old.effective(), new.effective())]
            for name in sorted({*old_documents, *new_documents})
        }
        return {
            "before": before,
            "after": after,
            "units": {
                "before": [f"{unit.ref.id}@{unit.ref.version}" for unit in old.units],
                "after": [f"{unit.ref.id}@{unit.ref.version}" for unit in new.units],
            },
            "documents": {name: changes for name, changes in documents.items() if changes},
        }

    # ---- documents and calls ----

    def document(self, _context: Context, name: str, generation: int | None) -> Any:
        generations = self._rooms.lifecycle.generations
        chosen = generations.active if generation is None else generations.get(generation)
        if name in chosen.documents:
            return chosen.document(name)
        declared = self._rooms.home.config.documents
        if generation is None and name in declared:
            return declared[name].base
        raise DocumentUnknown(f"there is no document {name[:200]!r}")

    def blame(self, _context: Context, name: str, generation: int | None) -> list[Blame]:
        generations = self._rooms.lifecycle.generations
        chosen = generations.active if generation is None else generations.get(generation)
        if name not in chosen.documents:
            raise DocumentUnknown(f"generation {chosen.number} has no document {name[:200]!r}")
        return blame(name, chosen, generations.by_number.get)

    def documents(self, _context: Context) -> list[str]:
        active = self._rooms.lifecycle.generations.active
        return sorted({*active.documents, *self._rooms.home.config.documents})

    def actions(self, context: Context) -> list[dict[str, Any]]:
        authority, principal = self._rooms.authority, context.caller.principal
        return [
            _action_view(action)
            for action in self._rooms.dispatcher.catalog.actions()
            if authority.authorize(principal, "action:invoke", EntityRef("Action", action.name)).allowed
        ]

    def call(self, context: Context, action: str, text: str, durability: Literal["committed", "queued"]) -> Outcome:
        return self._rooms.dispatcher.call(
            action, text.encode(), context.caller, durability=durability, token=context.token
        )

    def emit(self, context: Context, topic: str, data: Any) -> dict[str, Any]:
        check_topic(topic)
        rooms, caller = self._rooms, context.caller
        rooms.lifecycle.authorize(caller, "event:emit", EntityRef("Topic", topic))
        draft = Draft(
            type=topic,
            data=data,
            source=client_source(rooms.home.id, caller.client or str(os.getpid())),
            correlation=caller.correlation,
            causation=caller.causation,
            traceparent=caller.traceparent,
        )
        if len(encode_data(draft)) > _MOST_EMITTED:
            raise EventInvalid(f"an event may carry {_MOST_EMITTED >> 20} MiB", remedy="emit a reference to it")
        return self._record(rooms.journal.append([draft], namespace=caller.namespace)[0])

    # ---- what happened ----

    def events(
        self, context: Context, after: int, prefixes: tuple[str, ...], limit: int, last: int, wait_ms: int
    ) -> list[dict[str, Any]]:
        journal = self._rooms.journal
        if last:
            return [self._record(record) for record in journal.last(min(last, _MOST_EVENTS), prefixes=prefixes)]
        if wait_ms:
            _wait(journal, after, min(wait_ms, _LONGEST_WAIT_MS), context.token)
        found = journal.read(after, limit=min(limit, _MOST_EVENTS), prefixes=prefixes)
        return [self._record(record) for record in found]

    def _record(self, record: Record) -> dict[str, Any]:
        event = msgspec.to_builtins(record.event)
        if record.event.dataref:
            with suppress(PayloadMissing):  # erased: the reference stays
                event["data"] = self._rooms.journal.data(record)
        return {
            "seq": record.seq,
            "generation": record.generation,
            "namespace": record.namespace,
            "hash": record.hash.hex(),
            "event": event,
        }

    def logged(self, _context: Context, seq: int) -> list[dict[str, Any]]:
        journal = self._rooms.journal
        for record in journal.read(seq - 1, limit=1) if seq > 0 else ():
            if record.from_kernel and record.event.type in {"action.completed", "action.failed"}:
                with suppress(PayloadMissing):  # erased, here and below
                    if "log" in (data := journal.data(record)):
                        lines: list[dict[str, Any]] = msgspec.json.decode(journal.payload(data["log"]))
                        return lines
        return []

    def models(self, _context: Context) -> list[str]:
        return self._rooms.folds.names()

    def state(self, _context: Context, model: str, at: int | None) -> Any:
        head = self._rooms.journal.head.seq
        if at is not None and not 0 <= at <= head:
            raise UsageError(f"there is no record {at}; the journal ends at {head}")
        return plain(self._rooms.folds.view(model, at))

    # ---- authority ----

    def leases(self, _context: Context) -> list[LeaseView]:
        return self._leases()

    def _leases(self) -> list[LeaseView]:
        return [_lease_view(status) for status in self._standing()]

    def revoke(
        self, context: Context, grant: str, unit: str, publisher: str, prefix: str, reason: str
    ) -> list[LeaseView]:
        if not (grant or unit or publisher or prefix):
            raise UsageError(
                "name a grant, a unit, a publisher or a resource", remedy="run 'remit lease list' for the ids"
            )
        rooms = self._rooms
        found = [
            status
            for status in self._standing()
            if status.state == "standing"
            and grant in {"", status.grant.id}
            and unit in {"", status.grant.unit.id}
            and publisher in {"", status.grant.unit.publisher}
            and status.grant.capability.resource.startswith(prefix)
        ]
        if not found:
            raise GrantUnknown(f"no standing grant matches {(grant or unit or publisher or prefix)[:200]!r}")
        for status in found:
            rooms.lifecycle.authorize(context.caller, "lease:revoke", EntityRef("Grant", status.grant.id))
        # The refusal comes first, the record second: a crash in between errs on the safe side.
        rooms.authority.revoke(*(status.grant.id for status in found))
        rooms.journal.append([_revocation(status, context.caller, reason) for status in found])
        ids = {status.grant.id for status in found}
        return [view for view in self._leases() if view.id in ids]

    def egress_preview(self, _context: Context, url: str, unit: str, method: str) -> list[EgressPreview]:
        active = self._rooms.lifecycle.generations.active
        manifest = self._rooms.lifecycle.library.manifest
        if unit and active.unit(unit) is None:
            raise UnitUnknown(f"{unit[:200]!r} is not active")
        asked = [
            one.ref
            for one in active.units
            if one.ref.id == unit
            or (not unit and any(each.action == "net:http" for each in manifest(one.ref.digest).capabilities))
        ]
        return [preview(self._rooms.authority, ref, url, method.upper(), Names()) for ref in asked]

    # ---- upkeep ----

    def cache(self, _context: Context) -> list[dict[str, Any]]:
        entries: Sequence[Any] = self._rooms.runner.entries()
        return [plain(entry) for entry in entries]

    def clear_cache(self, _context: Context) -> int:
        entries = len(self._rooms.runner.entries())
        self._rooms.runner.clear()
        return entries

    def findings(self, _context: Context) -> list[Finding]:
        return self._rooms.plugins.findings()

    def plugins(self, _context: Context) -> list[PluginStatus]:
        return self._rooms.plugins.status()

    def switch_plugin(self, context: Context, name: str, on: bool) -> PluginStatus:
        rooms, by = self._rooms, context.caller.principal
        rooms.lifecycle.authorize(context.caller, "plugin:change", EntityRef("Home", rooms.home.id))
        rooms.plugins.switch(name, on=on, by=by)
        rooms.journal.append([choice(name, on=on, by=by)])
        [found] = [status for status in rooms.plugins.status() if status.name == name]
        return found


def _wait(journal: Journal, after: int, wait_ms: int, token: CancelToken) -> None:
    """Wait for a record after ``after``, in short turns, so that a caller who gives up is not kept."""
    while wait_ms > 0 and not token.cancelled and not journal.wait(after, min(wait_ms, _TURN_MS) / 1000):
        wait_ms -= _TURN_MS


def _action_view(action: Action) -> dict[str, Any]:
    return {
        "name": action.name,
        "title": action.title,
        "unit": action.program.unit.id,
        "version": action.program.unit.version,
        "idempotent": action.idempotent,
        "slots": list(action.slots),
        "input": None if action.input is None else action.input.schema,
        "output": None if action.output is None else action.output.schema,
    }


def _lease_view(status: GrantStatus) -> LeaseView:
    grant = status.grant
    return LeaseView(
        id=grant.id,
        unit=grant.unit.id,
        version=grant.unit.version,
        digest=grant.unit.digest,
        action=grant.capability.action,
        resource=grant.capability.resource,
        state=status.state,
        policies=grant.policies,
        consent=grant.consent,
        envelope=grant.capability.envelope,
        lease_until_ms=status.lease_until_ms,
        calls_left=status.calls_left,
        bytes_left=status.bytes_left,
        host_us_left=status.host_us_left,
        fuel_left=status.fuel_left,
    )


def _revocation(status: GrantStatus, caller: Caller, reason: str) -> Draft:
    data = {"id": status.grant.id, "unit": status.grant.unit.id, "reason": reason, "by": caller.principal}
    return Draft(type="grant.revoked", subject=status.grant.id, data=data)
