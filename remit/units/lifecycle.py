"""The lifecycle of units in one home: install, plan, apply, revert, uninstall, and finishing what a crash interrupted.

Each change is one journal transaction, and ``remit.toml`` follows it (see :mod:`remit.units.generations.configfile`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import msgspec

from remit.errors import Denied
from remit.journal import Draft, Folds, Journal, Progress, digest_of, no_progress
from remit.journal.unitstate import PURGED, purge
from remit.kernel.model import Bundle, Caller, EntityRef, UnitRef, Verification
from remit.kernel.ports import Authority, Home, Runner, Verifier
from remit.units.applying.applying import check_allowed, check_fresh, check_unused, completed, without_trial
from remit.units.applying.branching import branching
from remit.units.applying.collecting import Garbage, collect, find_garbage
from remit.units.applying.records import attributed, change_drafts, removal, suggestion, trial_end, withdrawal
from remit.units.applying.restoring import Restoration, began, restoration
from remit.units.generations.configfile import ConfigFile
from remit.units.generations.generation import Generation, Generations
from remit.units.generations.recall import Recall
from remit.units.generations.wanted import Edits
from remit.units.planning.declared import DeclaredSchemas
from remit.units.planning.goldens import Rehearsals, Rehearse
from remit.units.planning.plan import Drift, Finding, Plan
from remit.units.planning.planner import Planner
from remit.units.planning.resolution import Evaluate
from remit.units.planning.runtimes import Runtime
from remit.units.planning.slots import SlotView, filled_by, slot_views, suggestions
from remit.units.planning.trials import ended
from remit.units.reactions import lasting_reactions
from remit.units.stock.admission import check_native, examine
from remit.units.stock.installed import Installed, InstalledUnit, Library, Withdrawn
from remit.units.stock.lockfile import LockFile

__all__ = ["Lifecycle"]


class Lifecycle:
    """Owns the changes of what is installed and active. Safe for many threads: changes happen one at a time."""

    def __init__(
        self,
        *,
        home: Home,
        journal: Journal,
        folds: Folds,
        library: Library,
        authority: Authority,
        runner: Runner,
        verifier: Verifier,
        evaluate: Evaluate,
        rehearse: Rehearse,
        activated: Callable[[Generation], None],
        runtime: Runtime,
        advise: Callable[[Plan], Sequence[Finding]] = lambda _plan: (),
    ) -> None:
        """Take hold of a home's units.

        :param runtime: what units run on here
        :param activated: called with each generation that becomes active, after its commit
        :param advise: what others have to say of a plan; asked again at apply, where it must say the same
        """
        self._home = home
        self._journal = journal
        self._folds = folds
        self.library = library
        self._authority = authority
        self._runner = runner
        self._verifier = verifier
        self._evaluate = evaluate
        self._rehearsals = Rehearsals(rehearse)
        self._recall = Recall()
        self._activated = activated
        self.runtime = runtime
        self._advise = advise
        self._config = ConfigFile(home)
        self.lock = LockFile(home, library)
        self._changing = threading.RLock()

    @property
    def home_id(self) -> str:
        """The id of the home."""
        return self._home.id

    @property
    def generations(self) -> Generations:
        """Every generation."""
        state: Generations = self._folds.state("generations")
        return state

    @property
    def installed(self) -> Installed:
        """Every installed unit."""
        state: Installed = self._folds.state("logic_units")
        return state

    # ---- install and uninstall ----

    def install(
        self,
        bundle: Bundle,
        caller: Caller,
        *,
        allow_unsigned: bool,
        override: bool = False,
        signer: str | None = None,
        progress: Progress = no_progress,
    ) -> InstalledUnit:
        """Admit a bundle. Nothing that is active changes; a bundle that is here already is left as it is.

        :param override: whether the caller insists on what a guard of policy refuses
        :param signer: who must have signed it, where that is known
        :raises BundleError: if it may not be admitted
        :raises Rejected: if it is signed, and no signature is to be believed
        :raises SignerChanged: if it was signed by another than ``signer``
        :raises Denied: if policy does not let the caller install it
        """
        found = self._verifier.verify(bundle)
        candidate = examine(bundle, found, self._runner, signer, allow_unsigned=allow_unsigned, progress=progress)
        unit = candidate.unit
        facts = {**candidate.facts, "override": override}
        if unit.digest in self.installed.withdrawn:
            facts["withdrawn"] = self.installed.withdrawn[unit.digest].kind
        self.authorize(caller, "unit:install", EntityRef("Unit", unit.id), facts)
        check_native(unit, self._authority)
        with self._changing:
            known = self.installed.by_digest.get(unit.digest)
            if known is not None:
                return known
            self._journal.blobs.put_many([*bundle.files.values(), bundle.oci_manifest])
            empty = self._empty_slots(self.generations.active) & filled_by(candidate.manifest)
            self._append([candidate.draft, *(suggestion(slot, unit) for slot in sorted(empty))], caller)
        self._compile(unit, progress)
        return self.installed.by_digest[unit.digest]

    def verify(self, bundle: Bundle) -> Verification:
        """Where a bundle comes from. Nothing is admitted.

        :raises Rejected: if it is signed, and no signature is to be believed
        :raises UnsignedRefused: if it is not signed, and no folder
        """
        return self._verifier.verify(bundle)

    def uninstall(
        self, unit_id: str, version_range: str, caller: Caller, *, purge_state: bool = False
    ) -> InstalledUnit:
        """Forget an installed version. Its blobs stay until they are collected; its state stays unless it is purged.

        :param purge_state: whether what the unit kept goes too, whichever version wrote it
        :raises UnitInUse: if it is active; for a purge, if any version is
        :raises UnitUnknown: if it is not installed
        """
        self.authorize(caller, "unit:uninstall", EntityRef("Unit", unit_id))
        with self._changing:
            unit = self.installed.best(unit_id, version_range)
            check_unused(unit.ref, self.generations.active, purge_state=purge_state)
            drafts = [removal(unit.ref)]
            with_it = Restoration()
            if purge_state:
                drafts.append(Draft(type=PURGED, subject=unit_id, data={"unit": unit_id}))
                with_it = Restoration(project=lambda connection, _records: purge(connection, unit_id))
            self._append(drafts, caller, back=with_it)
        return unit

    def withdraw(self, found: Sequence[Withdrawn], caller: Caller) -> None:
        """Take note of versions that their registry took back; killed ones may do nothing from the next use on."""
        with self._changing:
            known = self.installed.withdrawn
            fresh = [one for one in found if one.digest not in known or known[one.digest].kind != one.kind]
            killed = [one.digest for one in fresh if one.kind == "killed"]
            # The refusal comes first, the record second: a crash in between errs on the safe side.
            if killed:
                self._authority.recall(*killed)
            if fresh:
                self._append([withdrawal(one) for one in fresh], caller)
            for trial in self.generations.active.trials:
                if trial.unit.ref.digest in killed:
                    self.end_trial(trial.id, caller, "its registry killed the version")

    def _empty_slots(self, generation: Generation) -> set[str]:
        return set(self._home.config.slots) - {slot for unit in generation.units for slot in unit.slots}

    def slots(self) -> list[SlotView]:
        """Every declared slot, who fills it or who could."""
        return slot_views(self._home.config.slots, self.generations.active, self.installed, self.library)

    def gc(self, caller: Caller, *, keep: int, roots: Sequence[str], dry_run: bool) -> Garbage:
        """Forget superseded versions that no kept generation runs, and remove the blobs that nobody needs.

        :param keep: how many generations before the active one stay possible to go back to
        :param roots: digests that plugins need
        :raises Denied: if policy does not let the caller tend the home
        """
        self.authorize(caller, "home:tend", EntityRef("Home", self._home.id))
        with self._changing:
            blobs = self._journal.blobs
            garbage = find_garbage(
                self._journal,
                self.generations,
                self.installed,
                self.library,
                keep=keep,
                roots=roots,
                age_ms=lambda digest: self._home.clock.now_ms() - int(blobs.path(digest).stat().st_mtime * 1_000),
            )
            if dry_run or not (garbage.units or garbage.blobs):
                return garbage
            self._append(garbage.drafts, caller)
            collect(blobs, garbage)
            self.library.forget()
            self._recall = Recall()
        return garbage

    @contextmanager
    def steady(self) -> Iterator[None]:
        """Nothing is installed, applied or collected while inside. Calls go on."""
        with self._changing:
            yield

    # ---- plan and apply ----

    def plan(self, edits: Edits) -> Plan:
        """Plan the edits against the active generation, with ``remit.toml`` as it is on disk now."""
        with self._changing:
            return self._plan(edits)

    def drift(self) -> Sequence[Drift]:
        """What the operator's file says otherwise than the active generation."""
        with self._changing:
            return self._planner().drift()

    def apply(
        self, plan: Plan, caller: Caller, *, consent: bool, message: str = "", progress: Progress = no_progress
    ) -> Generation:
        """Make a plan's generation active: all of it, or nothing.

        :param consent: whether the caller says yes to what the plan widens
        :raises PlanStale: if planning the same edits now gives another plan
        :raises PlanBlocked: if it has blocking findings
        :raises ConsentNeeded: if it widens and nobody consented; details say what
        :raises Denied: if policy does not let the caller apply it, or consent to it
        """
        with self._changing:
            fresh = self._plan(plan.edits)
            check_fresh(plan, fresh)
            if not fresh.changed and not fresh.blocking:
                return self.generations.active
            check_allowed(fresh, partial(self.authorize, caller), self._home.id, consent=consent)
            for unit in fresh.candidate.running:
                self._compile(unit.ref, progress)
            generation = completed(fresh, self._home.clock.now_ms(), caller.principal, message, consent=consent)
            config = self._config.prepare(generation, fresh.config)
            try:
                lock = self.lock.prepare(generation.units, self.installed)
                reactions = lasting_reactions(generation, self.library.manifest)
                more = {"config": dict(config), "lock": dict(lock), "reactions": reactions}
                drafts = change_drafts(fresh, generation, self.generations.active, caller.principal, more)
                for slot in sorted(self._empty_slots(generation) - self._empty_slots(self.generations.active)):
                    drafts += [suggestion(slot, unit.ref) for unit in suggestions(slot, self.installed, self.library)]
                back = restoration(self._journal, fresh.state)
                back = branching(self._journal, self.generations.active, generation, fresh.trials, back)
                self._append(drafts, caller, generation.number, back)
            except BaseException:
                self._config.forget()
                self.lock.forget()
                raise
            # Committed: from here on it is active, whatever becomes of the file.
            self._activated(generation)
            self._recall.adopt(generation, self.generations.active)
            self._config.follow(config)
            self.lock.follow(lock)
            self._home.reload()
        return generation

    def end_trial(self, trial_id: str, caller: Caller, why: str) -> Generation | None:
        """End a trial at once, without a plan: what ran beside it stays as it is, so there is nothing to decide.

        :return: the generation without it, or ``None`` if it is over already
        """
        with self._changing:
            active = self.generations.active
            trial = next((one for one in active.trials if one.id == trial_id), None)
            if trial is None:
                return None
            generation = without_trial(active, trial, self._home.clock.now_ms(), caller.principal, why)
            change = ended(trial, active, why)
            draft = trial_end(generation, active, change, lasting_reactions(generation, self.library.manifest))
            back = branching(self._journal, active, generation, [change], Restoration())
            self._append([draft], caller, generation.number, back)
            self._activated(generation)
        return generation

    def recover(self) -> None:
        """Finish what a crash interrupted. Called once, before anything else."""
        number = self.generations.record
        committed = self._journal.data(self._journal.record(number)) if number else {}
        self._config.follow(committed.get("config", {}))
        self.lock.follow(committed.get("lock", {}))

    def _plan(self, edits: Edits) -> Plan:
        plan = self._planner().plan(edits)
        return msgspec.structs.replace(plan, findings=(*plan.findings, *self._advise(plan)))

    def _planner(self) -> Planner:
        config, lock = self._home.reload(), self.lock.read()
        return Planner(
            home=self._home.id,
            config=config,
            config_digest=digest_of(self._home.config_path.read_bytes()),
            held={} if lock is None else lock.digests,
            generations=self.generations,
            installed=self.installed,
            withdrawn=self._folds.state("withdrawals").withdrawn,
            library=self.library,
            authority=self._authority,
            evaluate=self._evaluate,
            rehearsals=self._rehearsals,
            schemas=DeclaredSchemas(self._home.root, config),
            experiments=self._folds.state("experiments"),
            runtime=self.runtime,
            began=lambda number: began(self._journal, number),
            recall=self._recall,
        )

    def authorize(
        self, caller: Caller, action: str, resource: EntityRef, context: Mapping[str, Any] | None = None
    ) -> None:
        """Ask policy whether the caller may do something.

        :raises Denied: if not; details name the policies that decided
        """
        decision = self._authority.authorize(caller.principal, action, resource, context)
        if not decision.allowed:
            raise Denied(
                f"{caller.principal} may not {action} on {resource.id}: {decision.verdict}",
                policies=list(decision.policies),
                reason=decision.reason,
            )

    def _compile(self, unit: UnitRef, progress: Progress) -> None:
        artifact = self.library.artifact(unit.digest)
        if artifact is not None:
            manifest = self.library.manifest(unit.digest)
            self._runner.prepare(
                artifact,
                lambda: self._journal.blobs.get(artifact),
                lambda _stage, share: progress(f"compiling {unit.id}", share),
                metered=manifest.runtime is not None and manifest.runtime.fuel is not None,
                native=manifest.native.module if manifest.native is not None else "",
            )

    def _append(
        self, drafts: list[Draft], caller: Caller, generation: int | None = None, back: Restoration | None = None
    ) -> None:
        back = back or Restoration()
        self._journal.append(
            attributed([*drafts, *back.drafts], caller),
            namespace=caller.namespace,
            generation=generation,
            payloads=back.payloads,
            guard=back.guard,
            project=back.project,
        )
