"""The façade's part for administrators: leases and consents, policies compared, shadowed, published and rolled back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from remit.journal import Progress, no_progress
from remit.kernel.model import Caller, EntityRef

__all__ = ["Governing"]

T = TypeVar("T")
_LOCAL = Caller()


class Governing(ABC):
    """Mixed into the façade. What describes policies, consents and decisions is JSON-able data."""

    @abstractmethod
    def perform(
        self, operation: str, arguments: Mapping[str, Any], result: type[T], *, caller: Caller, progress: Progress
    ) -> T:
        """Do one operation by name; the typed methods below are its callers."""

    def permit(
        self,
        action: str,
        resource: EntityRef | None = None,
        *,
        facts: Mapping[str, bool | int | str] | None = None,
        caller: Caller = _LOCAL,
    ) -> None:
        """Ask policy about what the caller is about to do outside this kernel, and put the yes on record.

        Publishing a unit (``unit:publish`` on the unit) and changing whose signatures count (``trust:change`` on a
        ``TrustDomain``) happen in files and registries; whoever does them for a home asks here first.

        :param resource: by default the home
        :param facts: the context of the question, by the names of the Cedar schema's ``Facts``
        :raises Denied: if policy does not let the caller do it
        """
        arguments = {"action": action, "resource": resource, "facts": dict(facts or {})}
        self.perform("permit", arguments, type(None), caller=caller, progress=no_progress)

    # ---- leases and consents ----

    def lease(self, grant: str, *, caller: Caller = _LOCAL) -> dict[str, Any]:
        """Everything about one grant: envelope, lease, budget, mode, policies in reach, consent.

        :raises GrantUnknown: if no grant has that id
        """
        return self.perform("lease", {"grant": grant}, dict[str, Any], caller=caller, progress=no_progress)

    def why(
        self, unit: str, action: str, resource: str, *, method: str = "", caller: Caller = _LOCAL
    ) -> dict[str, Any]:
        """Why a unit may or may not use a capability now, and the shortest change that would allow it.

        :raises ResourceInvalid: if there is no such capability, or the resource is none of its
        :raises PolicyUnknown: if no such unit is active
        """
        arguments = {"unit": unit, "action": action, "resource": resource, "method": method}
        return self.perform("why", arguments, dict[str, Any], caller=caller, progress=no_progress)

    def consents(self, *, caller: Caller = _LOCAL) -> list[dict[str, Any]]:
        """Every question to a person: pending, given and refused, the oldest first."""
        return self.perform("consents", {}, list[dict[str, Any]], caller=caller, progress=no_progress)

    def request(self, unit: str, action: str, resource: str, *, caller: Caller = _LOCAL) -> dict[str, Any]:
        """Ask for what a unit's grant would wait for later. Gives the question, or that nobody need be asked.

        :raises GrantUnknown: if no standing grant of the unit covers the resource
        """
        arguments = {"unit": unit, "action": action, "resource": resource}
        return self.perform("request", arguments, dict[str, Any], caller=caller, progress=no_progress)

    def delegate(
        self,
        grant: str,
        unit: str,
        resource: str,
        *,
        methods: Sequence[str] = (),
        calls: int | None = None,
        nbytes: int | None = None,
        host_us: int | None = None,
        fuel: int | None = None,
        caller: Caller = _LOCAL,
    ) -> dict[str, Any]:
        """Let another active unit use a part of a grant; a bound that is not given is the grant's own.

        :raises GrantUnknown: if the grant does not stand, or the unit is not active
        :raises DelegationTooWide: if it would reach further than the grant
        """
        arguments: dict[str, Any] = {"grant": grant, "unit": unit, "resource": resource, "methods": tuple(methods)}
        arguments["bounds"] = {"calls": calls, "bytes": nbytes, "host_us": host_us, "fuel": fuel}
        return self.perform("delegate", arguments, dict[str, Any], caller=caller, progress=no_progress)

    def answer(self, consent: str, *, given: bool, reason: str = "", caller: Caller = _LOCAL) -> dict[str, Any]:
        """Approve or refuse a question; effective at the unit's next host call.

        :raises ConsentUnknown: if nobody was asked that
        :raises Denied: if the caller may not consent
        """
        arguments = {"consent": consent, "given": given, "reason": reason}
        return self.perform("answer", arguments, dict[str, Any], caller=caller, progress=no_progress)

    def renew(self, grant: str = "", *, unit: str = "", caller: Caller = _LOCAL) -> int:
        """Have the leases of a grant, or of a unit, decided again at their next use; how many grants that were.

        :raises GrantUnknown: if nothing matches
        """
        return self.perform("renew", {"grant": grant, "unit": unit}, int, caller=caller, progress=no_progress)

    def quarantine(self, publisher: str, *, lift: bool = False, reason: str = "", caller: Caller = _LOCAL) -> None:
        """Refuse everything to a publisher's units from their next host call on, or end that."""
        arguments = {"publisher": publisher, "lift": lift, "reason": reason}
        self.perform("quarantine", arguments, type(None), caller=caller, progress=no_progress)

    # ---- policies: a candidate is texts by path relative to the home; None means the files that lie there ----

    def policy_diff(
        self, files: Mapping[str, str] | None = None, *, posture: str = "", caller: Caller = _LOCAL
    ) -> dict[str, Any]:
        """What differs between a candidate and the set in force, and whether it may allow more.

        :raises PolicyInvalid: if the candidate may not be loaded (here and below)
        """
        return self._candidate("policy_diff", files, posture, caller)

    def policy_what_if(
        self, files: Mapping[str, str] | None = None, *, posture: str = "", caller: Caller = _LOCAL
    ) -> dict[str, Any]:
        """Every decision in the journal that a candidate would make otherwise."""
        return self._candidate("policy_what_if", files, posture, caller)

    def policy_shadow(
        self, files: Mapping[str, str] | None = None, *, posture: str = "", caller: Caller = _LOCAL
    ) -> dict[str, Any]:
        """Let a candidate decide beside the set in force; differences are journalled."""
        return self._candidate("policy_shadow", files, posture, caller)

    def policy_end_shadow(self, *, caller: Caller = _LOCAL) -> dict[str, Any]:
        """Stop the shadow; gives what it found.

        :raises PolicyUnknown: if none runs
        """
        return self.perform("policy_end_shadow", {}, dict[str, Any], caller=caller, progress=no_progress)

    def policy_publish(
        self,
        files: Mapping[str, str] | None = None,
        *,
        posture: str = "",
        reason: str = "",
        override: bool = False,
        caller: Caller = _LOCAL,
    ) -> dict[str, Any]:
        """Put a candidate in force; effective at the next check.

        :param override: insist on a candidate that allows more and did not run in shadow
        :raises Denied: if the caller may not, or not without a shadow
        """
        arguments = {"files": files, "posture": posture, "reason": reason, "override": override}
        return self.perform("policy_publish", arguments, dict[str, Any], caller=caller, progress=no_progress)

    def policy_rollback(self, digest: str = "", *, reason: str = "", caller: Caller = _LOCAL) -> dict[str, Any]:
        """Put an earlier set in force again: the last other one, or one by the beginning of its digest.

        :raises PolicyUnknown: if there is none
        """
        arguments = {"digest": digest, "reason": reason}
        return self.perform("policy_rollback", arguments, dict[str, Any], caller=caller, progress=no_progress)

    def _candidate(
        self, operation: str, files: Mapping[str, str] | None, posture: str, caller: Caller
    ) -> dict[str, Any]:
        arguments = {"files": files, "posture": posture}
        return self.perform(operation, arguments, dict[str, Any], caller=caller, progress=no_progress)
