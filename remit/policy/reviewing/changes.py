"""Which leases a change of policies can touch: those that the scope of a changed policy can reach, and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from remit.policy.deciding.modes import below
from remit.policy.sets.slices import ScopeIndex
from remit.policy.sets.yielding import giving_way

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cedarpy import pst

    from remit.policy.deciding.resources import Resource, Uid
    from remit.policy.leases.standing import Holding, Lease
    from remit.policy.sets.engine import Engine
    from remit.policy.sets.slices import Key

__all__ = ["Touched", "changed", "differing", "lease_scope"]

_MANY = 128
"""Policies between two looks at the time, told apart by identity."""
_EACH = 4
"""The same where they are compared: trees that are equal and not the same take some twenty microseconds."""


def differing(before: Engine, after: Engine) -> list[str]:
    """Ids of the policies that are not the same in two sets in all but layout, sorted."""
    old, new = before.policies, after.policies
    # Sets share the trees of the texts that they have in common: these need no comparing.
    doubtful = sorted(one for one in giving_way(old.keys() | new.keys(), _MANY) if old.get(one) is not new.get(one))
    return [one for one in giving_way(doubtful, _EACH) if old.get(one) != new.get(one)]


def changed(before: Engine, after: Engine) -> dict[str, pst.Template]:
    """Every policy that differs, in its old and its new form."""
    ids = differing(before, after)
    old = {f"old {one}": before.policies[one] for one in ids if one in before.policies}
    return old | {f"new {one}": after.policies[one] for one in ids if one in after.policies}


class Touched:
    """The leases for which a change of these policies can mean anything, whatever action their scopes name.

    Actions are left out: which groups an action is in depends on the schema and on what the sets name.
    """

    def __init__(self, policies: Mapping[str, pst.Template]) -> None:
        self._index = ScopeIndex(policies, actions=False)
        self._named: dict[tuple[Key, ...], frozenset[Key | None]] = {}

    def __call__(self, lease: Lease) -> bool:
        """Whether a lease is one of them."""
        principals, resources = lease.scope
        named = self._named.get(principals)
        if named is None:
            named = self._named[principals] = self._index.resources_of(principals)
        if not named or None in named:
            return bool(named)
        return not named.isdisjoint(resources) or any(
            one in named for holding in lease.holdings for one in self._below(holding)
        )

    def _below(self, holding: Holding) -> Iterable[Key]:
        """What changed policies name below the resources of a line of grants.

        Consents and modes follow from every policy in reach of a grant's resource, those on what is below it too.
        """
        for one in holding.line:
            beneath = below(one.resource.uid) if one.resource is not None else None
            if beneath is not None:
                yield from self._index.named_below(*beneath)


def lease_scope(holdings: Iterable[Holding], concrete: Resource) -> tuple[tuple[Key, ...], tuple[Key, ...]]:
    """The principals and the resource of a lease, each with everything that can be above it."""
    # The home's own files are of that class by where the home lies, which the resource does not know.
    resources = (*map(_key, concrete.parents), ("Remit::PathClass", "kernel"))
    units = {one.grant.unit for holding in holdings for one in holding.line}
    principals = {("Remit::Unit", unit.id) for unit in units} | {("Remit::Publisher", unit.publisher) for unit in units}
    return tuple(sorted(principals)), resources


def _key(uid: Uid) -> Key:
    return f"Remit::{uid.type}", uid.id
