"""Questions that wait for a person, and the answers.

An answer binds to unit digest, action, resource, envelope and the digest of the policies in reach; asking the same
again finds the answer that was given, a refusal too.
"""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING

import msgspec

from remit.errors import ConsentUnknown, Denied
from remit.journal.event import Draft, encode_json
from remit.policy.leases.models import Consent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from remit.kernel.model import Capability, Decision, Grant, UnitRef
    from remit.policy.sets.engine import Engine

__all__ = ["Consents", "roles_of"]

_PROMPT = "Let {unit} use {action} on {resource}?"


class Consents:
    """The book of consents of one home. Safe to share between threads; what it says was journalled before."""

    def __init__(self, write: Callable[[Sequence[Draft]], object]) -> None:
        """:param write: makes events durable, or raises"""
        self._write = write
        self._lock = threading.Lock()
        self._by_id: dict[str, Consent] = {}

    def load(self, known: Mapping[str, Consent]) -> None:
        """Begin with what the journal says."""
        with self._lock:
            self._by_id = dict(known)

    def stand(self, grant: Grant, reach: str) -> bool:
        """Whether somebody said yes to this grant under these policies."""
        if grant.consent and grant.reach in {"", reach}:
            return not self._answered(grant, reach, "refused")
        return self._answered(grant, reach, "given")

    def _answered(self, grant: Grant, reach: str, state: str) -> bool:
        if not self._by_id:  # nobody was asked anything
            return False
        consent = self._by_id.get(_consent_id(grant.unit, grant.capability, reach))
        return consent is not None and consent.state == state

    def ask(self, grant: Grant, reach: str, decision: Decision, engine: Engine) -> Consent:
        """The question about a grant: the one that was asked before, or a new one, on record."""
        consent_id = _consent_id(grant.unit, grant.capability, reach)
        with self._lock:
            known = self._by_id.get(consent_id)
            if known is not None:
                return known
            consent = Consent(
                id=consent_id,
                unit=grant.unit.id,
                digest=grant.unit.digest,
                action=grant.capability.action,
                resource=grant.capability.resource,
                envelope=grant.capability.envelope,
                reach=reach,
                grant=grant.id,
                policies=decision.policies,
                prompt=_prompt(grant, engine.annotation(decision.policies, "prompt")),
                approvers=roles_of(engine.annotation(decision.policies, "approvers")),
            )
            self._write([Draft(type="consent.asked", subject=consent.unit, data=_facts(consent))])
            self._by_id[consent_id] = consent
        return consent

    def get(self, consent_id: str) -> Consent:
        """One question.

        :raises ConsentUnknown: if nobody was asked that
        """
        try:
            return self._by_id[consent_id]
        except KeyError:
            raise ConsentUnknown(f"there is no question {consent_id[:80]!a}") from None

    def all(self) -> list[Consent]:
        """Every question, the oldest first."""
        return list(self._by_id.values())

    def answer(self, consent_id: str, *, given: bool, by: str, roles: Sequence[str], reason: str) -> Consent:
        """Say yes or no; a later answer replaces an earlier one.

        :raises ConsentUnknown: if nobody was asked that
        :raises Denied: if the policy names roles for it and the person has none of them
        """
        with self._lock:
            consent = self.get(consent_id)
            if consent.approvers and not set(consent.approvers) & set(roles):
                wanted = ", ".join(consent.approvers)
                raise Denied(f"{by} may not answer {consent_id}: it is for {wanted}", policies=list(consent.policies))
            state = "given" if given else "refused"
            answered = msgspec.structs.replace(consent, state=state, by=by, reason=reason[:500])
            self._write([Draft(type=f"consent.{state}", subject=consent.unit, data=_facts(answered))])
            self._by_id[consent_id] = answered
        return answered


def _consent_id(unit: UnitRef, capability: Capability, reach: str) -> str:
    bound = [unit.digest, unit.id, capability.action, capability.resource, capability.envelope, reach]
    return f"c{hashlib.sha256(encode_json(bound)).hexdigest()[:16]}"


def _facts(consent: Consent) -> dict[str, object]:
    facts: dict[str, object] = msgspec.to_builtins(consent)
    return {name: value for name, value in facts.items() if name not in {"state", "at"}}


def _prompt(grant: Grant, written: Sequence[str]) -> str:
    given = grant.capability
    words = {"unit": grant.unit.id, "action": given.action, "resource": given.resource}
    words["methods"] = ", ".join(given.methods) or "any method"
    text = written[0] if written else _PROMPT
    # Not str.format: the policy's text must not reach into objects.
    for name, value in words.items():
        text = text.replace(f"{{{name}}}", value)
    return text[:500]


def roles_of(written: Sequence[str]) -> tuple[str, ...]:
    """The roles that ``@approvers`` annotations name."""
    roles = [role.strip() for text in written for role in text.split(",")]
    return tuple(dict.fromkeys(role for role in roles if role))
