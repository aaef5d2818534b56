"""What may be delegated from a grant: never more than the grant itself. Pure."""

from __future__ import annotations

import hashlib
import itertools
from typing import TYPE_CHECKING

from remit.errors import DelegationTooWide
from remit.journal.event import encode_json
from remit.kernel.model import Grant
from remit.policy.deciding.resources import covers, parse_resource

if TYPE_CHECKING:
    from collections.abc import Container

    from remit.kernel.model import Budget, Capability, UnitRef
    from remit.policy.leases.standing import Holding

__all__ = ["child_of"]

_MOST_DEEP = 4
"""Grants of one line, the first included."""


def child_of(
    parent: Holding, unit: UnitRef, capability: Capability, *, by: str, reach: str = "", revoked: Container[str] = ()
) -> Grant:
    """A grant of a part of another, given by an operator. The same part has the same id, unless that was revoked.

    :param reach: digest of the policies in reach of it, to which the operator's consent binds
    :param revoked: ids of grants that stay revoked, whoever delegates them again
    :raises DelegationTooWide: if it would reach further than the grant
    :raises ResourceInvalid: if its resource is none of the action's
    """
    given = parent.grant.capability
    concrete = parse_resource(capability.action, capability.resource)
    if capability.action != given.action or parent.resource is None or not covers(parent.resource, concrete):
        raise _too_wide(parent, f"{capability.action} on {concrete.text} lies outside")
    if given.methods and not (capability.methods and set(capability.methods) <= set(given.methods)):
        raise _too_wide(parent, f"it is for {', '.join(given.methods)}")
    if given.budget is not None and not _within(capability.budget, given.budget):
        raise _too_wide(parent, "the budget is larger, or has another window")
    if len(parent.line) >= _MOST_DEEP:
        raise _too_wide(parent, f"a line has at most {_MOST_DEEP} grants")
    bound = [parent.grant.id, unit.digest, unit.id, capability.resource, capability.envelope]
    names = (_name([*bound, *([again] if again else [])]) for again in itertools.count())
    name = next(one for one in names if one not in revoked)
    return Grant(name, unit, capability, parent.grant.policies, consent=by, reach=reach, parent=parent.grant.id)


def _name(bound: list[object]) -> str:
    return f"d{hashlib.sha256(encode_json(bound)).hexdigest()[:12]}"


def _within(budget: Budget | None, bound: Budget) -> bool:
    if budget is None or budget.window_ms != bound.window_ms:
        return False
    pairs = zip(budget.bounds, bound.bounds, strict=True)
    return all(most is None or (wanted is not None and 0 <= wanted <= most) for wanted, most in pairs)


def _too_wide(parent: Holding, why: str) -> DelegationTooWide:
    return DelegationTooWide(f"it would reach further than {parent.grant.id}: {why}")
