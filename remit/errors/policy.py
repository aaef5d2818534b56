"""Errors of policies, decisions and leases: RM-40xx."""

from __future__ import annotations

from remit.errors.base import EXIT_REFUSED, RemitError


class PolicyError(RemitError, code="RM-4000"):
    """Policy refuses, or cannot answer."""


class PolicyInvalid(PolicyError, code="RM-4001", remedy="run 'remit policy check' and correct every fault"):
    """The policies do not parse, do not validate, or let a canary through."""


class Denied(
    PolicyError,
    code="RM-4002",
    exit_code=EXIT_REFUSED,
    remedy="ask an administrator to change the policy named",
):
    """Policy denied an operation; ``details['policies']`` names the policies that decided."""


class ConsentNeeded(
    PolicyError,
    code="RM-4003",
    exit_code=EXIT_REFUSED,
    remedy="look at the plan, then repeat with --yes",
):
    """The change widens what units may do and nobody consented; ``details['widening']`` says what widens."""


class LeaseDenied(PolicyError, code="RM-4004", exit_code=EXIT_REFUSED):
    """A unit used a capability that it holds no grant for; ``details['policies']`` names what decided."""


class LeaseExhausted(
    PolicyError,
    code="RM-4005",
    exit_code=EXIT_REFUSED,
    remedy="wait for the next window or widen the budget",
):
    """A grant's budget for this window is used up."""


class GrantUnknown(PolicyError, code="RM-4006", remedy="run 'remit lease list'"):
    """No grant has that id."""


class ResourceInvalid(PolicyError, code="RM-4007"):
    """A resource does not follow the grammar of its capability action, or no such action exists."""


class DelegationTooWide(PolicyError, code="RM-4010", remedy="delegate a part of what 'remit lease show' says"):
    """A delegated grant would reach further than the grant that it comes from."""


class PolicyUnknown(PolicyError, code="RM-4009"):
    """There is no such policy set, shadow or active unit to explain."""


class ConsentUnknown(PolicyError, code="RM-4008", remedy="run 'remit lease list' for what waits"):
    """No question with that id waits for, or had, an answer."""
