"""Which leases a change of policies can touch: those that the scope of a changed policy can reach, and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from remit.policy.modes import below
from remit.policy.slices import ScopeIndex, above

if TYPE_CHECKING:
    from collections.abc import Iterable

    from remit.policy.postures import PolicySet
    from remit.policy.resources import Resource, Uid
    from remit.policy.slices import Key
    from remit.policy.standing import Holding, Lease

__all__ = ["changed", "lease_scope", "reaches"]


def changed(before: PolicySet, after: PolicySet) -> ScopeIndex:
    """Every policy that is not the same in both sets, in its old and its new form, whatever action its scope names.

    Actions are left out: which groups an action is in depends on the schema and on what the sets name.
    """
    old, new = before.engine.policies, after.engine.policies
    touched = {f"old {one}": policy for one, policy in old.items() if new.get(one) != policy}
    touched |= {f"new {one}": policy for one, policy in new.items() if old.get(one) != policy}
    return ScopeIndex(touched, actions=False)


def reaches(touched: ScopeIndex, lease: Lease) -> bool:
    """Whether a changed policy can mean anything for a lease."""
    principals, resources = lease.scope
    # Consents and modes follow from every policy in reach of a grant's resource, those on other resources below it too.
    for holding in (one for leaf in lease.holdings for one in leaf.line):
        beneath = below(holding.resource.uid) if holding.resource is not None else None
        if beneath is not None:
            resources = [*resources, *touched.named_below(*beneath)]
    return bool(touched.reach(principals, (), resources))


def lease_scope(holdings: Iterable[Holding], concrete: Resource) -> tuple[list[Key], list[Key]]:
    """The principals and the resource of a lease, each with everything that can be above it."""
    parents = {_key(uid): [_key(one) for one in ups] for uid, ups in concrete.parents.items()}
    # The home's own files are of that class by where the home lies, which the resource does not know.
    resources = [*above(_key(concrete.uid), parents), ("Remit::PathClass", "kernel")]
    units = {one.grant.unit for holding in holdings for one in holding.line}
    principals = {("Remit::Unit", unit.id) for unit in units} | {("Remit::Publisher", unit.publisher) for unit in units}
    return sorted(principals), resources


def _key(uid: Uid) -> Key:
    return f"Remit::{uid.type}", uid.id
