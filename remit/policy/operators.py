"""What operators may do: administration is policy too, asked of Cedar once for each question and epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from remit.errors import ResourceInvalid
from remit.kernel.model import Decision
from remit.policy.deciding.requests import administration
from remit.policy.deciding.resources import MAX_RESOURCE
from remit.schemas.config import Operator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from remit.kernel.model import EntityRef
    from remit.policy.deciding.requests import Request
    from remit.policy.epoch import Epoch

__all__ = ["Operators"]

_MAX_MEMO = 4_096
_MAX_NAME = 200
_MAX_FACTS = 32
_STRANGER = Operator()


class Operators:
    """The operators of one home by name. Safe to share between threads."""

    def __init__(self, known: Mapping[str, Operator]) -> None:
        self._known = dict(known)
        self._memo: tuple[int, dict[Any, Decision]] = (-1, {})

    def known(self, principal: str) -> Operator:
        """What ``remit.toml`` says of an operator; nothing, if there is no such."""
        return self._known.get(principal, _STRANGER)

    def decide(
        self, epoch: Epoch, principal: str, action: str, resource: EntityRef, context: Mapping[str, Any]
    ) -> tuple[Decision, Request | None]:
        """The decision, and the question where Cedar was asked anew.

        Deny for whatever is unknown: an operator, an action, a key of the context.
        """
        number, memo = self._memo
        if number != epoch.number:
            memo = {}
            self._memo = epoch.number, memo
        if not context and (known := memo.get((principal, action, resource))) is not None:  # nearly every call's
            return known, None
        fits = len(principal) < _MAX_NAME and len(action) < _MAX_NAME and len(resource.type) < _MAX_NAME
        if not fits or len(resource.id) > MAX_RESOURCE or not _small(context):
            return Decision("deny", reason="a name in the question, or one of its facts, is too long"), None
        key = _memo_key(principal, action, resource, context)
        known = memo.get(key) if key is not None else None
        if known is not None:
            return known, None
        try:
            request = self._question(epoch, principal, action, resource, context)
        except ResourceInvalid as error:
            return Decision("deny", reason=error.message), None
        decision = epoch.decider.decide(request)
        if decision.outcome == "deny" and not decision.policies and principal not in self._known:
            reason = f"{decision.reason}; there is no operator {principal!a} in remit.toml"
            decision = Decision("deny", reason=reason)
        if key is not None:
            if len(memo) >= _MAX_MEMO:
                memo.clear()
            memo[key] = decision
        return decision, request

    def _question(
        self, epoch: Epoch, principal: str, action: str, resource: EntityRef, context: Mapping[str, Any]
    ) -> Request:
        holding = epoch.standing.holding(resource.id) if resource.type == "Grant" else None
        return administration(
            principal,
            self.known(principal),
            action,
            resource,
            context,
            units=epoch.standing.units,
            grants={} if holding is None else {holding.grant.id: holding.grant.unit.id},
            quarantined=epoch.quarantined,
        )


def _small(context: Mapping[str, Any]) -> bool:
    """Whether the facts are few and short: answers are remembered with them."""
    if not context:
        return True
    texts = [text for name, value in context.items() for text in (name, value)]
    texts += [one for text in texts if isinstance(text, list | tuple) for one in text]
    fitting = (len(text) <= MAX_RESOURCE for text in texts if isinstance(text, str | list | tuple))
    return len(context) <= _MAX_FACTS and all(fitting)


def _memo_key(principal: str, action: str, resource: EntityRef, context: Mapping[str, Any]) -> Any:
    """A hashable form of the question, or ``None``. Types are part of it, for ``True`` equals ``1``."""
    if not context:
        return principal, action, resource
    try:
        facts = tuple(
            (name, type(value), tuple(value) if isinstance(value, list) else value)
            for name, value in sorted(context.items())
        )
        key = principal, action, resource, facts
        hash(key)
    except TypeError:
        return None
    return key
