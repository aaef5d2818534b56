"""The façade: every operation of Remit, typed once. A kernel performs them, a client sends them to the kernel.

Everything crosses as JSON-able data, so that both sides are the same to a caller: the command line, HTTP and an
embedding program use these methods and nothing below them.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

from remit.errors import UsageError
from remit.host.facade.conversing import Conversing
from remit.host.facade.governing import Governing
from remit.host.facade.supplying import Supplying
from remit.host.facade.tending import Tending
from remit.host.facade.timing import Timing
from remit.host.facade.tracing import Tracing
from remit.host.facade.views import DocumentChange, Entry, HomeView, LeaseView, PromptText, PromptView
from remit.host.facade.vouching import Vouching
from remit.host.plugging.status import PluginStatus
from remit.journal import Progress, no_progress
from remit.journal.event import is_kernel
from remit.kernel.model import Caller
from remit.kernel.outcome import Outcome
from remit.sandbox.egress.gate import EgressPreview
from remit.sandbox.running.aside import aside
from remit.units import Blame, Edits, Finding, Generation, InstalledUnit, Plan, SlotView, Terms

__all__ = ["Facade"]

T = TypeVar("T")
_LOCAL = Caller()
_TERMS = Terms()


class Facade(Governing, Conversing, Supplying, Tending, Timing, Tracing, Vouching, ABC):
    """One home, whoever its kernel is. Safe to share between threads. Every method may raise a ``RemitError``."""

    @abstractmethod
    def perform(
        self, operation: str, arguments: Mapping[str, Any], result: type[T], *, caller: Caller, progress: Progress
    ) -> T:
        """Do one operation by name; the typed methods below are its callers."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the home. Idempotent."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ---- the home ----

    def home(self, *, caller: Caller = _LOCAL) -> HomeView:
        """The home's id and path, its active generation, and the process that is its kernel."""
        return self.perform("home", {}, HomeView, caller=caller, progress=no_progress)

    # ---- units ----

    def install(
        self,
        reference: str,
        *,
        allow_unsigned: bool = False,
        override: bool = False,
        caller: Caller = _LOCAL,
        progress: Progress = no_progress,
    ) -> InstalledUnit:
        """Admit a unit from a folder, a ``.unit`` file or a registry. Nothing that is active changes.

        :param allow_unsigned: admit a folder without a signature; it is shown as unsigned for ever
        :param override: insist on what a guard of policy refuses: another signer than before, an older version
        :raises BundleError: if it is not well formed, or unsigned and that is not allowed
        :raises Rejected: if it is signed, and no signature is to be believed
        :raises SandboxError: if its component does not compile or imports what it must not
        """
        arguments = {"reference": str(reference), "allow_unsigned": allow_unsigned, "override": override}
        return self.perform("install", arguments, InstalledUnit, caller=caller, progress=progress)

    def uninstall(
        self, unit: str, version: str = "*", *, purge_state: bool = False, caller: Caller = _LOCAL
    ) -> InstalledUnit:
        """Forget the best installed version of a unit in a range.

        :param purge_state: whether what the unit kept goes for good, whichever version wrote it
        :raises UnitInUse: if it is active; for a purge, if any version is
        """
        arguments = {"unit": unit, "version": version, "purge_state": purge_state}
        return self.perform("uninstall", arguments, InstalledUnit, caller=caller, progress=no_progress)

    def plan(
        self,
        add: Sequence[str | InstalledUnit] = (),
        remove: Sequence[str] = (),
        set: Mapping[str, Any] | None = None,  # noqa: A002 - the word of the command line
        *,
        bind: Mapping[str, str] | None = None,
        pin: Mapping[str, str] | None = None,
        revert: str = "",
        with_state: bool = False,
        trial: Sequence[str | InstalledUnit] = (),
        terms: Terms = _TERMS,
        promote: Sequence[str] = (),
        keep_state: bool = False,
        override: str = "",
        caller: Caller = _LOCAL,
        progress: Progress = no_progress,
    ) -> Plan:
        """What would change: with the edits, or to reach what ``remit.toml`` wants. Nothing is changed.

        :param bind: units by the slot that each is to fill
        :param pin: versions by the unit that is to stay at them; ``=`` is the active one, "" lets it move again
        :param revert: ``last``, a generation's number, or a unit's id, instead of edits
        :param with_state: whether the revert takes the units' state back too
        :param trial: versions to put on trial beside the active ones, or those on trial, for other terms
        :param promote: units whose version on trial becomes the active one
        :param keep_state: whether what the trial wrote becomes their state; else it is dropped
        :param override: why they are promoted without the evidence that the terms ask for
        :raises UsageError: if edits are malformed, or the terms of a trial are
        :raises TrialUnknown: if a unit to promote is not on trial
        """
        edits = Edits(
            add=_items(add),
            remove=tuple(remove),
            set=dict(set or {}),
            bind=dict(bind or {}),
            pin=dict(pin or {}),
            revert=revert,
            with_state=with_state,
            trial=_items(trial),
            terms=terms,
            promote=tuple(promote),
            keep_state=keep_state,
            override=override,
        )
        return self.perform("plan", {"edits": edits}, Plan, caller=caller, progress=progress)

    def apply(
        self,
        plan: Plan,
        *,
        consent: bool = False,
        message: str = "",
        caller: Caller = _LOCAL,
        progress: Progress = no_progress,
    ) -> Generation:
        """Make a plan's generation active, whole.

        :param consent: whether the caller consents to what the plan widens
        :raises PlanStale: if the home moved since the plan was made
        :raises PlanBlocked: if the plan has blocking findings
        :raises ConsentNeeded: if it widens and ``consent`` is false
        """
        arguments = {"plan": plan, "consent": consent, "message": message}
        return self.perform("apply", arguments, Generation, caller=caller, progress=progress)

    def revert(
        self,
        target: str = "last",
        *,
        with_state: bool = False,
        consent: bool = False,
        message: str = "",
        caller: Caller = _LOCAL,
        progress: Progress = no_progress,
    ) -> Generation:
        """Go back: undo the last change, or to a generation, or one unit. A plan like any other.

        :param with_state: whether the units' state goes back too, as new versions of their keys
        :raises StateConflict: if a call changed that state at the same moment
        :raises NothingToRevert: if there is nothing to go back to
        """
        if not str(target):
            raise UsageError("nothing names what to go back to", remedy="name a generation or a unit, or leave it out")
        plan = self.plan(revert=str(target), with_state=with_state, caller=caller, progress=progress)
        return self.apply(plan, consent=consent, message=message, caller=caller, progress=progress)

    def units(self, *, caller: Caller = _LOCAL) -> list[Entry]:
        """Every installed unit, and whether it is active."""
        return self.perform("units", {}, list[Entry], caller=caller, progress=no_progress)

    def slots(self, *, caller: Caller = _LOCAL) -> list[SlotView]:
        """Every slot that ``remit.toml`` declares: who fills it, or what is installed and could."""
        return self.perform("slots", {}, list[SlotView], caller=caller, progress=no_progress)

    def unit(self, unit: str, *, caller: Caller = _LOCAL) -> dict[str, Any]:
        """Everything that is known of one unit: versions, manifest, parameters, grants.

        :raises UnitUnknown: if it is not installed
        """
        return self.perform("unit", {"unit": unit}, dict[str, Any], caller=caller, progress=no_progress)

    def history(self, *, caller: Caller = _LOCAL) -> list[Generation]:
        """Every generation, oldest first."""
        return self.perform("history", {}, list[Generation], caller=caller, progress=no_progress)

    def generation(self, number: int, *, caller: Caller = _LOCAL) -> dict[str, Any]:
        """One generation whole, with its digest and its parent's, who consented, and its documents.

        :raises GenerationUnknown: if there is none with that number
        """
        return self.perform("generation", {"number": number}, dict[str, Any], caller=caller, progress=no_progress)

    def diff(self, before: int, after: int, *, caller: Caller = _LOCAL) -> dict[str, Any]:
        """What differs between two generations: units and documents.

        :raises GenerationUnknown: if there is no generation with one of the numbers
        """
        arguments = {"before": before, "after": after}
        return self.perform("diff", arguments, dict[str, Any], caller=caller, progress=no_progress)

    # ---- documents and calls ----

    def document(self, name: str, *, generation: int | None = None, caller: Caller = _LOCAL) -> Any:
        """An effective document, of the active or an earlier generation.

        :raises DocumentUnknown: if no document has that name
        """
        arguments = {"name": name, "generation": generation}
        return self.perform("document", arguments, object, caller=caller, progress=no_progress)

    def blame(self, name: str, *, generation: int | None = None, caller: Caller = _LOCAL) -> list[Blame]:
        """Who set each value of a document, and since which generation it stands.

        :raises DocumentUnknown: if no document has that name in that generation
        """
        arguments = {"name": name, "generation": generation}
        return self.perform("blame", arguments, list[Blame], caller=caller, progress=no_progress)

    def documents(self, *, caller: Caller = _LOCAL) -> list[str]:
        """The names of the active generation's documents."""
        return self.perform("documents", {}, list[str], caller=caller, progress=no_progress)

    def watch(self, name: str, *, caller: Caller = _LOCAL) -> Iterator[DocumentChange]:
        """A document's changes for ever, as they are committed; what it is now comes first, as a change of its own.

        :raises DocumentUnknown: if no document has that name now
        """
        now = self.home(caller=caller)
        # Before the first apply there is no snapshot: the document is as it is declared.
        document = self.document(name, generation=now.generation or None, caller=caller)
        return self._changes(DocumentChange(name, now.generation, now.head, _whole(document)), caller)

    def _changes(self, first: DocumentChange, caller: Caller) -> Iterator[DocumentChange]:
        yield first
        name = first.document
        for record in self.follow(first.seq, prefixes=["document.changed"], caller=caller):
            event, generation = record["event"], record["generation"]
            if event["subject"] != name or generation <= first.generation or not is_kernel(event["source"]):
                continue
            # An erased record still says that there was a change: then the document comes whole.
            data = event.get("data")
            patch = _whole(self.document(name, generation=generation, caller=caller)) if data is None else data["patch"]
            yield DocumentChange(name, generation, record["seq"], patch)

    def actions(self, *, caller: Caller = _LOCAL) -> list[dict[str, Any]]:
        """What can be called, with schemas."""
        return self.perform("actions", {}, list[dict[str, Any]], caller=caller, progress=no_progress)

    def prompts(self, *, caller: Caller = _LOCAL) -> list[PromptView]:
        """The prompts of the active units that the caller may read."""
        return self.perform("prompts", {}, list[PromptView], caller=caller, progress=no_progress)

    def prompt(self, name: str, arguments: Mapping[str, str] | None = None, *, caller: Caller = _LOCAL) -> PromptText:
        """A prompt's words.

        :param name: ``publisher/name:prompt``
        :raises ActionUnknown: if no active unit has it
        :raises InputInvalid: if an argument is missing, unknown or too long
        :raises Denied: if policy does not let the caller invoke what has this name
        """
        given = {"name": name, "arguments": dict(arguments or {})}
        return self.perform("prompt", given, PromptText, caller=caller, progress=no_progress)

    def call(
        self,
        action: str,
        value: Any = None,
        *,
        durability: Literal["committed", "queued"] = "committed",
        caller: Caller = _LOCAL,
    ) -> Any:
        """Call an action of the active generation and give its output.

        :param action: ``publisher/name:action``, with ``@RANGE`` where a version matters
        :param durability: ``queued`` returns before the outcome is on disk
        :raises CallError: if there is no such action, the values do not fit, or the unit says no
        :raises SandboxError: if the unit traps or reaches a limit
        :raises Denied: if policy does not let the caller invoke it
        """
        return self.call_text(action, json.dumps(value), durability=durability, caller=caller).output

    def call_text(
        self,
        action: str,
        text: str,
        *,
        durability: Literal["committed", "queued"] = "committed",
        caller: Caller = _LOCAL,
    ) -> Outcome:
        """:meth:`call` with the input as JSON text, giving the whole outcome."""
        arguments = {"action": action, "text": text, "durability": durability}
        return self.perform("call", arguments, Outcome, caller=caller, progress=no_progress)

    async def acall(self, action: str, value: Any = None, *, caller: Caller = _LOCAL) -> Any:
        """:meth:`call` on asyncio; cancelling the task stops the guest."""
        return (await self.acall_text(action, json.dumps(value), caller=caller)).output

    async def acall_text(
        self,
        action: str,
        text: str,
        *,
        durability: Literal["committed", "queued"] = "committed",
        caller: Caller = _LOCAL,
    ) -> Outcome:
        """:meth:`call_text` on asyncio; cancelling the task stops the guest."""
        return await aside(partial(self.call_text, action, text, durability=durability, caller=caller))

    # ---- authority ----

    def leases(self, *, caller: Caller = _LOCAL) -> list[LeaseView]:
        """The grants of the active generation, each with its live lease and budget."""
        return self.perform("leases", {}, list[LeaseView], caller=caller, progress=no_progress)

    def revoke(
        self,
        grant: str = "",
        *,
        unit: str = "",
        publisher: str = "",
        prefix: str = "",
        reason: str = "",
        caller: Caller = _LOCAL,
    ) -> list[LeaseView]:
        """Revoke a grant by its id, or every grant that matches; effective at the unit's next host call.

        :param prefix: how the grants' resources begin
        :raises GrantUnknown: if nothing matches
        """
        arguments = {"grant": grant, "unit": unit, "publisher": publisher, "prefix": prefix, "reason": reason}
        return self.perform("revoke", arguments, list[LeaseView], caller=caller, progress=no_progress)

    def egress_preview(
        self, url: str, *, unit: str = "", method: str = "GET", caller: Caller = _LOCAL
    ) -> list[EgressPreview]:
        """What an HTTP request of a unit would meet, without connecting: the name is looked up, nothing is charged.

        :param unit: an active unit, or "" for every one that declares ``net:http``
        :raises UnitUnknown: if that unit is not active
        """
        arguments = {"url": url, "unit": unit, "method": method}
        return self.perform("egress_preview", arguments, list[EgressPreview], caller=caller, progress=no_progress)

    # ---- upkeep ----

    def cache(self, *, caller: Caller = _LOCAL) -> list[dict[str, Any]]:
        """The compilations in the code cache."""
        return self.perform("cache", {}, list[dict[str, Any]], caller=caller, progress=no_progress)

    def clear_cache(self, *, caller: Caller = _LOCAL) -> int:
        """Empty the code cache and give the number of entries removed."""
        return self.perform("clear_cache", {}, int, caller=caller, progress=no_progress)

    def findings(self, *, caller: Caller = _LOCAL) -> list[Finding]:
        """What the kernel noticed: plugins that failed, and those that are off because they failed too often."""
        return self.perform("findings", {}, list[Finding], caller=caller, progress=no_progress)

    def plugin_list(self, *, caller: Caller = _LOCAL) -> list[PluginStatus]:
        """Every plugin, those that are off or broken included, with what its hooks cost and how they failed."""
        return self.perform("plugins", {}, list[PluginStatus], caller=caller, progress=no_progress)

    def switch_plugin(self, name: str, *, on: bool, caller: Caller = _LOCAL) -> PluginStatus:
        """Take a plugin out of use at once, or back; one that was not loaded is back at the kernel's next start.

        :raises PluginUnknown: if there is none with that name, or it is built in
        :raises PluginBlocked: if ``remit.toml`` or the environment keeps it off
        """
        arguments = {"name": name, "on": on}
        return self.perform("switch_plugin", arguments, PluginStatus, caller=caller, progress=no_progress)


def _whole(document: Any) -> list[dict[str, Any]]:
    """A JSON Patch that puts a document in the place of whatever was there."""
    return [{"op": "add", "path": "", "value": document}]


def _items(units: Sequence[str | InstalledUnit]) -> tuple[str, ...]:
    return tuple(one if isinstance(one, str) else f"{one.ref.id}@={one.ref.version}" for one in units)
