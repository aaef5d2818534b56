"""Errors of the socket between a client and the kernel: RM-80xx."""

from __future__ import annotations

from remit.errors.base import RemitError


class ConnectionLost(
    RemitError,
    code="RM-8000",
    remedy="look at 'remit events' to see whether it was done, then repeat",
):
    """The kernel went away before it answered; whether it acted is in the journal."""


class ProtocolError(RemitError, code="RM-8001", remedy="use the same version of remit on both sides"):
    """The other side of the socket spoke something else."""


class PeerRefused(RemitError, code="RM-8002", remedy="run as the user who owns the home"):
    """The peer on the socket belongs to another user."""


class KernelUnreachable(RemitError, code="RM-8003", remedy="stop the process that the message names, or wait for it"):
    """The home's lock is held, but its holder does not answer."""
