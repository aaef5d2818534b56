"""Errors between a client and the kernel, over the socket and over HTTP: RM-80xx."""

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


class Unauthenticated(RemitError, code="RM-8004", remedy="send a bearer token; 'remit serve --new-token' makes one"):
    """A request over HTTP carries no token that this home knows."""


class RateLimited(RemitError, code="RM-8005", remedy="wait as long as Retry-After says"):
    """One client asked for too much in too short a time."""


class RequestInvalid(RemitError, code="RM-8006", remedy="look at /spec/openapi for what is understood"):
    """A request over HTTP is not well formed."""


class RequestTooLarge(RemitError, code="RM-8007", remedy="send less, or a reference to it"):
    """A request over HTTP is larger than the service reads."""


class RequestSlow(RemitError, code="RM-8012", remedy="send the whole request at once"):
    """A request over HTTP did not arrive whole within its time."""


class ServiceBusy(RemitError, code="RM-8013", remedy="close connections that are idle, or come again later"):
    """The service has as many connections as it takes."""


class RouteUnknown(RemitError, code="RM-8008", remedy="look at /spec/openapi for what there is"):
    """Nothing is served at this address, or not with this method."""


class CrossSite(RemitError, code="RM-8011", remedy="send a bearer token, or use the page of the service itself"):
    """A browser sent a change on behalf of a page that is not ours."""


class ServiceMissing(RemitError, code="RM-8009", remedy="install it with pip install 'remit[http]'"):
    """What serves HTTP is not installed."""


class AddressInUse(RemitError, code="RM-8010", remedy="choose another --port, or stop what listens there"):
    """The service cannot listen at the address that it was given."""
