"""Errors of trust domains, of signing, and of whom a home trusts: RM-229x."""

from __future__ import annotations

from remit.errors.base import RemitError


class TrustError(RemitError, code="RM-2290"):
    """Whom to trust, or a trust domain, is not in order."""


class DomainInvalid(TrustError, code="RM-2291", remedy="name the folder that 'remit trust init' made"):
    """A folder is no trust domain, or is damaged."""


class DomainExists(TrustError, code="RM-2292", remedy="name another folder, or use the domain that is there"):
    """There is a trust domain, or something else, already."""


class TokenInvalid(TrustError, code="RM-2293", remedy="get a new identity token"):
    """An identity token is malformed, expired, or of somebody who is not known."""


class LogDamaged(TrustError, code="RM-2294", remedy="restore the log from a copy; what it promised must stay"):
    """The transparency log is not what its checkpoint says."""


class TrustUnknown(TrustError, code="RM-2295", remedy="run 'remit trust show'"):
    """Nothing of that name is trusted."""


class SigningFailed(TrustError, code="RM-2296"):
    """A signature could not be made."""
