"""The service's front: calls of actions are answered here, by a short way; whatever else comes goes to the framework.

A call costs little more than the framework takes to find out where it leads. So a request that is plain (its address
needs no decoding, its token is in a header) is answered without one; any other call takes the framework's way to the
same function, and gets the same answer.
"""

from __future__ import annotations

import logging
import re

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from remit.errors import RemitError, ServiceBusy
from remit.plugins.http.admission import Admission
from remit.plugins.http.problems import problem
from remit.plugins.http.requests import headers_of
from remit.plugins.http.routes import Context, perform

__all__ = ["Front", "busy", "fault", "guarded"]

_log = logging.getLogger(__name__)
_PLAIN = re.compile(r"/actions/([a-z0-9-]+)/([a-z0-9-]+)/([a-z0-9_-]+)")
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)
_JSON = (b"content-type", b"application/json")


def guarded(response: Response) -> Response:
    """A response with the service's headers, where it does not say otherwise."""
    said = {name for name, _ in response.raw_headers}
    response.raw_headers += [header for header in _HEADERS if header[0] not in said]
    return response


def fault(scope: Scope, error: Exception) -> Response:
    """The response for a fault of ours: it says no more than its kind, the log says all."""
    _log.error("a request failed: %s %r", scope["method"], scope["path"], exc_info=error)
    return guarded(problem(RemitError(f"the service failed: {type(error).__name__}", remedy="look at its log")))


async def busy(scope: Scope, receive: Receive, send: Send) -> None:
    """The answer to everybody while there are too many connections: each that gets it is closed."""
    error = ServiceBusy("the service has as many connections as it takes", retry_after_ms=1_000)
    await guarded(problem(error, headers={"connection": "close"}))(scope, receive, send)


class Front:
    """The ASGI application, around the framework's."""

    def __init__(self, framework: ASGIApp, context: Context, admission: Admission) -> None:
        self._framework = framework
        self._context = context
        self._admission = admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and scope["method"] == "POST":
            found = _PLAIN.fullmatch(scope["path"])
            if found is not None and any(name == b"authorization" for name, _ in scope["headers"]):
                publisher, name, action = found.groups()
                await self._call(f"{publisher}/{name}:{action}", scope, receive, send)
                return
        await self._framework(scope, receive, send)

    async def _call(self, action: str, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            headers = headers_of(scope)
            caller = self._admission.admit(scope, headers)
            body, said = await perform(self._context, action, scope, headers, receive, caller)
        except RemitError as error:
            await guarded(problem(error))(scope, receive, send)
            return
        except Exception as error:  # noqa: BLE001 - logged and answered, as the framework does with its own
            await fault(scope, error)(scope, receive, send)
            return
        length = (b"content-length", b"%d" % len(body))
        await send({"type": "http.response.start", "status": 200, "headers": [_JSON, length, *said, *_HEADERS]})
        await send({"type": "http.response.body", "body": body})
