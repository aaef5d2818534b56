"""The one check before a connection: the grant for the origin, the name's addresses, policy's word on special ones.

``http.fetch`` passes it for every request and every redirect; the preview passes the same one and stops there.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from remit.errors import LeaseDenied, LeaseExhausted
from remit.kernel.answers import Refusal
from remit.kernel.model import Grant, UnitRef
from remit.kernel.ports import Authority
from remit.sandbox.egress.addresses import special_class
from remit.sandbox.egress.names import NameLookupError, NameTimeoutError, Resolver
from remit.sandbox.egress.target import Target, parse_target

__all__ = ["EgressPreview", "Passage", "Stopped", "check_addresses", "preview"]

LOOKUP_S = 5.0
"""Seconds that looking up a name may take at most."""


class Passage(msgspec.Struct, frozen=True):
    """The way is free: connect to these addresses and no others."""

    addresses: Sequence[str]
    policies: tuple[str, ...] = ()
    """What permitted special addresses."""


class Stopped(msgspec.Struct, frozen=True):
    """The way is not free, and why."""

    refusal: Refusal
    reason: str
    policies: tuple[str, ...] = ()
    addresses: Sequence[str] = ()


class EgressPreview(msgspec.Struct, frozen=True):
    """What a request would meet, without connecting."""

    unit: str
    origin: str
    method: str
    outcome: str
    """``allowed``, or the refusal that the unit would see."""
    reason: str
    policies: tuple[str, ...]
    grant: str
    addresses: dict[str, str]
    """Each address that the name leads to, with its special class or ""."""


def check_addresses(
    authority: Authority, grant: Grant, target: Target, resolver: Resolver, seconds: float
) -> Passage | Stopped:
    """Look the target's name up and ask policy about every special address among the answers.

    One bad address spoils the name: which of them is connected to would otherwise be the name's owner's choice.
    """
    if seconds <= 0:
        return Stopped("timed-out", "the time for the request is over")
    try:
        addresses = resolver(target.host, target.port, min(seconds, LOOKUP_S))
    except NameLookupError as error:
        return Stopped("timed-out" if isinstance(error, NameTimeoutError) else "unavailable", str(error))
    policies: set[str] = set()
    for address in addresses:
        special = special_class(address)
        if special:
            decision = authority.reach(grant, target.origin, special)
            if not decision.allowed:
                reason = f"{target.host} leads to {address}, a {special} address: {decision.reason}"
                return Stopped("denied", reason, decision.policies, addresses)
            policies.update(decision.policies)
    return Passage(addresses, tuple(sorted(policies)))


def preview(authority: Authority, unit: UnitRef, url: str, method: str, resolver: Resolver) -> EgressPreview:
    """What ``http.fetch`` of a unit would meet. Nothing is charged and no connection is made; the name is looked up."""
    target = parse_target(url)
    if target is None:
        reason = "it is not an http or https URL without user and password"
        return EgressPreview(unit.id, "", method, "invalid", reason, (), "", {})

    def shown(
        outcome: str, reason: str, policies: Sequence[str], grant: str = "", found: Sequence[str] = ()
    ) -> EgressPreview:
        addresses = {address: special_class(address) for address in found}
        return EgressPreview(unit.id, target.origin, method, outcome, reason, tuple(policies), grant, addresses)

    try:
        grant = authority.use(unit, "net:http", target.origin, method=method, calls=0)
    except (LeaseDenied, LeaseExhausted) as error:
        outcome = "denied" if isinstance(error, LeaseDenied) else "exhausted"
        return shown(outcome, error.message, error.details.get("policies", ()))
    for status in authority.grants():
        if status.grant.id == grant.id and 0 in (status.calls_left, status.bytes_left, status.host_us_left):
            return shown("exhausted", f"{unit.id} has used up its budget for this window", grant.policies, grant.id)
    way = check_addresses(authority, grant, target, resolver, LOOKUP_S)
    if isinstance(way, Stopped):
        return shown(way.refusal, way.reason, way.policies, grant.id, way.addresses)
    return shown("allowed", "", (*grant.policies, *way.policies), grant.id, way.addresses)
