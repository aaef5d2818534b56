"""What each operation of the façade does, against the composed rooms. One method an operation, by the same name.

Callers reach these through :class:`remit.host.kernel.Kernel` only, in process or over the home's socket; arguments are
converted to the annotated types there.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from remit.errors import (
    DocumentUnknown,
    GrantUnknown,
    UnitUnknown,
    UsageError,
)
from remit.host.facade.views import Entry, HomeView, LeaseView, PromptText, PromptView, plain
from remit.host.operations.governance import Context
from remit.host.operations.observation import Observation
from remit.host.operations.timekeeping import Timekeeping
from remit.host.operations.traces import Traces
from remit.host.operations.upkeep import Upkeep
from remit.host.operations.vouches import Vouches
from remit.host.plugging import PluginStatus, choice
from remit.journal import Draft
from remit.kernel.dispatch import Outcome
from remit.kernel.model import Action, Caller, EntityRef, GrantStatus
from remit.sandbox.egress.gate import EgressPreview, preview
from remit.sandbox.egress.names import Names
from remit.units import (
    Blame,
    Edits,
    Finding,
    Generation,
    InstalledUnit,
    OfferedPrompt,
    Plan,
    SlotView,
    blame,
    diff,
    prompt_named,
    prompts_of,
    unit_changes,
)
from remit.units.manifest import rendered

__all__ = ["INVOCABLE", "READS", "Context", "Operations"]

READS = frozenset({
    "home", "plan", "units", "unit", "history", "blame", "diff", "document", "documents", "actions", "events", "models",
    "state", "bus", "subscriptions", "dead_letters", "timers", "leases", "cache", "findings", "lease", "why",
    "consents", "policy_diff", "policy_what_if", "plugins", "slots", "generation", "sync_check", "upgrade_preview",
    "doctor", "trace", "episode", "logs", "latest", "trust", "prompts", "prompt",
})  # fmt: skip
"""Operations that change nothing: asking twice is harmless. They need ``home:read``, but for :data:`INVOCABLE`."""

INVOCABLE = frozenset({"actions", "prompts", "prompt"})
"""Those that show what the caller may invoke, and no more."""


class Operations(Upkeep, Observation, Timekeeping, Traces, Vouches):
    """The operations of one open home."""

    def home(self, _context: Context) -> HomeView:
        """See the façade, here and below."""
        rooms = self._rooms
        # Before the generation: who follows what comes after it misses no change of that generation.
        head = rooms.journal.head.seq
        return HomeView(
            id=rooms.home.id,
            root=str(rooms.home.root),
            pid=os.getpid(),
            program=rooms.program,
            generation=rooms.lifecycle.generations.active.number,
            head=head,
            posture=rooms.home.config.policy.posture,
            plugins=rooms.plugins.names(),
        )

    # ---- units ----

    def install(self, context: Context, reference: str, allow_unsigned: bool, override: bool) -> InstalledUnit:
        self._allow(context, "home:read")  # who may not even look has nothing fetched
        bundle = self._fetch(reference, context.progress)
        return self._rooms.lifecycle.install(
            bundle, context.caller, allow_unsigned=allow_unsigned, override=override, progress=context.progress
        )

    def uninstall(self, context: Context, unit: str, version: str, purge_state: bool) -> InstalledUnit:
        return self._rooms.lifecycle.uninstall(unit, version, context.caller, purge_state=purge_state)

    def plan(self, _context: Context, edits: Edits) -> Plan:
        return self._rooms.lifecycle.plan(edits)

    def apply(self, context: Context, plan: Plan, consent: bool, message: str) -> Generation:
        return self._rooms.lifecycle.apply(
            plan, context.caller, consent=consent, message=message, progress=context.progress
        )

    def units(self, _context: Context) -> list[Entry]:
        generation = self._rooms.lifecycle.generations.active
        active = {unit.ref.digest for unit in generation.units}
        trials = {trial.unit.ref.digest: trial.id for trial in generation.trials}
        return [
            Entry(
                unit.ref,
                unit.title,
                unit.origin,
                unit.ref.digest in active,
                unit.signer,
                trials.get(unit.ref.digest, ""),
            )
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
        trial = lifecycle.generations.active.trial(unit)
        arms = {shown.digest, *((trial.unit.ref.digest,) if trial is not None else ())}
        grants = [view for view in self._leases() if view.digest in arms]
        found = self._rooms.folds.state("experiments").by_id.get(trial.id) if trial is not None else None
        return {
            "id": unit,
            "active": plain(active),
            "installed": plain(versions),
            "manifest": plain(lifecycle.library.manifest(shown.digest)),
            "grants": plain(grants),
            "trial": None if found is None else plain(found.view()),
        }

    def history(self, _context: Context) -> list[Generation]:
        generations = self._rooms.lifecycle.generations.by_number
        return [generations[number] for number in sorted(generations)]

    def generation(self, _context: Context, number: int) -> dict[str, Any]:
        found = self._rooms.lifecycle.generations.get(number)
        whole: dict[str, Any] = plain(found)
        return whole | {"digest": found.digest, "consents": found.consents, "effective": found.effective()}

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
                "changes": plain(unit_changes(old, new)),
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

    def prompts(self, context: Context) -> list[PromptView]:
        authority, principal, lifecycle = self._rooms.authority, context.caller.principal, self._rooms.lifecycle
        return [
            _prompt_view(one)
            for one in prompts_of(lifecycle.generations.active, lifecycle.library.manifest)
            if authority.authorize(principal, "action:invoke", EntityRef("Action", one.name)).allowed
        ]

    def prompt(self, context: Context, name: str, arguments: dict[str, str]) -> PromptText:
        lifecycle = self._rooms.lifecycle
        found = prompt_named(lifecycle.generations.active, lifecycle.library.manifest, name)
        self._allow(context, "action:invoke", EntityRef("Action", found.name))
        return PromptText(_prompt_view(found), rendered(found.prompt, arguments))

    def call(self, context: Context, action: str, text: str, durability: Literal["committed", "queued"]) -> Outcome:
        return self._rooms.dispatcher.call(
            action, text.encode(), context.caller, durability=durability, token=context.token
        )

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
            self._allow(context, "home:read")  # who may not look is not told what there is
            raise GrantUnknown(f"no standing grant matches {(grant or unit or publisher or prefix)[:200]!r}")
        for status in found:
            rooms.lifecycle.authorize(context.caller, "lease:revoke", EntityRef("Grant", status.grant.id))
        # The refusal comes first, the record second: a crash in between errs on the safe side.
        rooms.authority.revoke(*(status.grant.id for status in found))
        rooms.journal.append([_revocation(status, context.caller, reason) for status in found])
        ids = {status.grant.id for status in found}
        return [view for view in self._leases() if view.id in ids]

    def egress_preview(self, context: Context, url: str, unit: str, method: str) -> list[EgressPreview]:
        active = self._rooms.lifecycle.generations.active
        manifest = self._rooms.lifecycle.library.manifest
        if unit and active.unit(unit) is None:
            self._allow(context, "home:read")
            raise UnitUnknown(f"{unit[:200]!r} is not active")
        asked = [
            one.ref
            for one in active.units
            if one.ref.id == unit
            or (not unit and any(each.action == "net:http" for each in manifest(one.ref.digest).capabilities))
        ]
        for ref in asked:  # names are looked up outside, and a question may be raised
            self._allow(context, "lease:request", EntityRef("Unit", ref.id))
        return [preview(self._rooms.authority, ref, url, method.upper(), Names()) for ref in asked]

    # ---- upkeep ----

    def cache(self, _context: Context) -> list[dict[str, Any]]:
        entries: Sequence[Any] = self._rooms.runner.entries()
        return [plain(entry) for entry in entries]

    def clear_cache(self, context: Context) -> int:
        self._allow(context, "home:tend")
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


def _prompt_view(one: OfferedPrompt) -> PromptView:
    arguments = tuple(msgspec.to_builtins(one.prompt.arguments))
    return PromptView(
        one.name, one.prompt.title, one.prompt.description, arguments, one.digest, one.unit.id, one.unit.version
    )


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
    data = {"id": status.grant.id, "unit": status.grant.unit.id, "reason": reason[:500], "by": caller.principal}
    return Draft(type="grant.revoked", subject=status.grant.id, data=data)
