"""What the administrators' operations of the façade do: policy itself says who may, then the policy room does it.

One method an operation, by the same name, as in :mod:`remit.host.operations.operations`, which this is a part of.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from remit.errors import ConsentUnknown, GrantUnknown, PolicyUnknown, UsageError
from remit.journal import Draft, Progress
from remit.kernel.dispatch import CancelToken
from remit.kernel.model import Budget, Caller, Capability, Decision, EntityRef, GrantStatus

if TYPE_CHECKING:
    from remit.host.compose import Rooms
    from remit.policy.authority import CedarAuthority
    from remit.policy.office import Office
    from remit.policy.postures import PolicySet

__all__ = ["Context", "Governance"]

_PUBLISHER = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
_HOUR_MS = 3_600_000
"""The window of a delegated budget, where the grant has none."""


class Context(msgspec.Struct, frozen=True):
    """What comes with every operation."""

    caller: Caller
    progress: Progress
    token: CancelToken


class Governance:
    """See the façade's :class:`remit.host.facade.governing.Governing`."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    @property
    def _office(self) -> Office:
        if self._rooms.office is None:
            raise PolicyUnknown("this home decides by another authority than Cedar", remedy="administer it there")
        return self._rooms.office

    @property
    def _cedar(self) -> CedarAuthority:
        return self._office.authority

    def _standing(self) -> list[GrantStatus]:
        """The generation's grants, and what was delegated from them."""
        office = self._rooms.office
        return list(self._rooms.authority.grants()) if office is None else office.authority.statuses()

    def _allow(self, context: Context, action: str, resource: EntityRef | None = None, **facts: Any) -> None:
        where = resource or EntityRef("Home", self._rooms.home.id)
        self._rooms.lifecycle.authorize(context.caller, action, where, facts)

    def permit(
        self, context: Context, action: str, resource: EntityRef | None, facts: dict[str, bool | int | str]
    ) -> None:
        where = resource or EntityRef("Home", self._rooms.home.id)
        self._allow(context, action, where, **facts)
        data = {"action": action, "resource": msgspec.to_builtins(where), "facts": facts}
        data |= {"principal": context.caller.principal, "client": context.caller.client}
        self._rooms.journal.append([Draft(type="permission.given", subject=where.id, data=data)])

    # ---- leases and consents ----

    def lease(self, _context: Context, grant: str) -> dict[str, Any]:
        status = next((one for one in self._standing() if one.grant.id == grant), None)
        if status is None:
            raise GrantUnknown(f"no grant of the active generation has the id {grant[:80]!a}")
        built: dict[str, Any] = msgspec.to_builtins(status)
        return built | self._office.grant(grant)

    def why(self, _context: Context, unit: str, action: str, resource: str, method: str) -> dict[str, Any]:
        return self._office.why(unit, action, resource, method)

    def consents(self, _context: Context) -> list[dict[str, Any]]:
        return [msgspec.to_builtins(one) for one in self._cedar.consents.all()]

    def request(self, context: Context, unit: str, action: str, resource: str) -> dict[str, Any]:
        self._allow(context, "lease:request", EntityRef("Unit", unit))
        from remit.policy.asking import request  # noqa: PLC0415 - loads Cedar, which a kernel has done by now

        found = request(self._cedar, unit, action, resource)
        if isinstance(found, Decision):
            return {"state": "decided", "decision": msgspec.to_builtins(found)}
        built: dict[str, Any] = msgspec.to_builtins(found)
        return built

    def delegate(
        self,
        context: Context,
        grant: str,
        unit: str,
        resource: str,
        methods: tuple[str, ...],
        bounds: dict[str, int | None],
    ) -> dict[str, Any]:
        self._allow(context, "consent:give", EntityRef("Unit", unit))
        given = self._cedar.holding(grant).grant.capability
        budget = given.budget
        narrower = {name: bound for name, bound in bounds.items() if bound is not None}
        if narrower:
            whole = {"window_ms": _HOUR_MS} if budget is None else msgspec.structs.asdict(budget)
            budget = msgspec.convert(whole | narrower, Budget)
        part = Capability(given.action, resource, tuple(methods) or given.methods, budget)
        active = self._cedar.epoch.standing.units.get(unit)
        asked = None if active is None else self._cedar.review(active, part)
        if asked is not None and asked.outcome == "ask":
            self._allow(context, "consent:give", EntityRef("Unit", unit), asked=asked.policies)
        delegated = self._cedar.delegate(grant, unit, part, by=context.caller.principal)
        built: dict[str, Any] = msgspec.to_builtins(delegated)
        return built

    def answer(self, context: Context, consent: str, given: bool, reason: str) -> dict[str, Any]:
        try:
            asked = self._cedar.consents.get(consent)
        except ConsentUnknown:
            self._allow(context, "home:read")  # who may not look is not told what there is (here and below)
            raise
        self._allow(context, "consent:give", EntityRef("Unit", asked.unit), approvers=list(asked.approvers) or None)
        answered = self._cedar.answer(consent, given=given, by=context.caller.principal, reason=reason)
        built: dict[str, Any] = msgspec.to_builtins(answered)
        return built

    def renew(self, context: Context, grant: str, unit: str) -> int:
        if bool(grant) == bool(unit):
            raise UsageError("name a grant or a unit", remedy="run 'remit lease list' for the ids")
        found = [
            one.grant.id
            for one in self._standing()
            if one.state == "standing" and (one.grant.id == grant or one.grant.unit.id == unit)
        ]
        if not found:
            self._allow(context, "home:read")
            raise GrantUnknown(f"no standing grant matches {(grant or unit)[:200]!r}")
        for one in found:
            self._allow(context, "lease:renew", EntityRef("Grant", one))
        self._cedar.renew(*found)
        return len(found)

    def quarantine(self, context: Context, publisher: str, lift: bool, reason: str) -> None:
        if _PUBLISHER.fullmatch(publisher) is None:
            raise UsageError(f"{publisher[:80]!a} is not a publisher", remedy="name the part of a unit's id before '/'")
        self._allow(context, "unit:quarantine")
        change = self._cedar.release if lift else self._cedar.quarantine
        change(publisher, by=context.caller.principal, reason=reason)

    # ---- policies ----

    def policy_diff(self, _context: Context, files: dict[str, str] | None, posture: str) -> dict[str, Any]:
        return self._office.diff(self._office.candidate(files, posture))

    def policy_what_if(self, _context: Context, files: dict[str, str] | None, posture: str) -> dict[str, Any]:
        candidate = self._office.candidate(files, posture)
        return self._office.diff(candidate) | self._office.what_if(candidate)

    def policy_shadow(self, context: Context, files: dict[str, str] | None, posture: str) -> dict[str, Any]:
        self._allow(context, "policy:shadow")
        candidate = self._office.candidate(files, posture)
        self._office.shadow(candidate, context.caller.principal)
        return self._office.diff(candidate)

    def policy_end_shadow(self, context: Context) -> dict[str, Any]:
        self._allow(context, "policy:shadow")
        found: dict[str, Any] = msgspec.to_builtins(self._office.history.shadow) or {}
        self._office.end_shadow(context.caller.principal)
        return found

    def policy_publish(
        self, context: Context, files: dict[str, str] | None, posture: str, reason: str, override: bool
    ) -> dict[str, Any]:
        office = self._office
        # Before anything of it is read: only who may publish has a text parsed by a kernel that serves others.
        self._allow(context, "policy:publish", widens=False, override=override)
        candidate = office.candidate(files, posture)
        shadowed = office.shadowed_ms(candidate)
        self._allow(context, "policy:publish", widens=self._widens(candidate), override=override, shadow=shadowed)
        published = office.publish(candidate, by=context.caller.principal, reason=reason, override=override)
        built: dict[str, Any] = msgspec.to_builtins(published)
        return built

    def _widens(self, candidate: PolicySet) -> bool:
        return bool(self._office.diff(candidate)["widens"])

    def policy_rollback(self, context: Context, digest: str, reason: str) -> dict[str, Any]:
        self._allow(context, "policy:rollback", widens=False)
        earlier = self._office.earlier(digest)
        self._allow(context, "policy:rollback", widens=self._widens(earlier))
        built: dict[str, Any] = msgspec.to_builtins(
            self._office.roll_back(earlier, by=context.caller.principal, reason=reason)
        )
        return built
