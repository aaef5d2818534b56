"""Asking a person ahead: the question that a unit's first use would raise, raised by an operator before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from remit.errors import GrantUnknown
from remit.policy.deciding.resources import parse_resource

if TYPE_CHECKING:
    from remit.kernel.model import Decision
    from remit.policy.authority import CedarAuthority
    from remit.policy.leases.models import Consent

__all__ = ["request"]


def request(authority: CedarAuthority, unit_id: str, action: str, resource: str) -> Consent | Decision:
    """The question about a unit's grant; the decision, where nobody need be asked.

    :raises GrantUnknown: if no standing grant of the unit covers the resource
    :raises ResourceInvalid: if the resource is none of the action's
    """
    epoch = authority.epoch
    concrete = parse_resource(action, resource)
    unit = epoch.standing.units.get(unit_id)
    covering = [] if unit is None else epoch.standing.covering(unit, action, concrete)
    held = [one for one in covering if epoch.standing.stands(one)]
    if not held:
        raise GrantUnknown(f"{unit_id[:80]} holds no standing grant of {action[:40]} on {concrete.text}")
    holding, decision = authority.issuer.today(epoch, held[0], concrete)
    if decision.outcome != "ask":
        return decision
    return authority.consents.ask(holding.grant, epoch.outlook(holding).reach, decision, epoch.policies.engine)
