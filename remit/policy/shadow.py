"""A candidate set that decides beside the live one and grants nothing: what it would change is journalled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from remit.journal.event import Draft
from remit.policy.deciding.decider import Decider

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from remit.kernel.model import Decision
    from remit.policy.deciding.requests import Request
    from remit.policy.postures import PolicySet

__all__ = ["ShadowWatch"]

_MOST_SEEN = 1_000


class ShadowWatch:
    """Compares decisions. Safe to share between threads: a difference seen twice at once is at worst written twice."""

    def __init__(self, policies: PolicySet, write: Callable[[Sequence[Draft]], object]) -> None:
        """:param write: makes events durable, now or later"""
        self.digest = policies.digest
        self._decider = Decider(policies.engine)
        self._write = write
        self._seen: set[tuple[str, str, str, str, str]] = set()

    def __call__(self, request: Request, decision: Decision) -> None:
        """Look at a decision of the live set."""
        other = self._decider.decide(request)
        if other.outcome == decision.outcome or len(self._seen) >= _MOST_SEEN:
            return
        key = (request.principal.id, request.action, request.resource.id, decision.outcome, other.outcome)
        if key in self._seen:
            return
        self._seen.add(key)
        principal, action, resource, live, shadow = key
        data = {
            "digest": self.digest,
            "principal": principal,
            "action": action,
            "resource": resource[:500],
            "live": live,
            "shadow": shadow,
            "policies": list(other.policies),
        }
        self._write([Draft(type="policy.differed", subject=principal, data=data)])
