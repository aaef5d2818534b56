"""Errors as RFC 9457 problem details: ``application/problem+json`` with our stable code, message and remedy."""

from __future__ import annotations

import msgspec
from starlette.responses import Response

from remit import errors
from remit.errors import RemitError

__all__ = ["problem", "status_of"]

_STATUS: tuple[tuple[type[RemitError], int], ...] = (
    (errors.Unauthenticated, 401),
    (errors.CrossSite, 403),
    (errors.Denied, 403),
    (errors.EpisodeUnknown, 404),
    (errors.ConsentNeeded, 403),
    (errors.LeaseDenied, 403),
    (errors.SourceReserved, 403),
    (errors.LeaseExhausted, 429),
    (errors.RateLimited, 429),
    (errors.RequestTooLarge, 413),
    (errors.InputTooLarge, 413),
    (errors.RequestInvalid, 400),
    (errors.RequestSlow, 408),
    (errors.UsageError, 400),
    (errors.RouteUnknown, 404),
    (errors.ActionUnknown, 404),
    (errors.UnitUnknown, 404),
    (errors.ModelUnknown, 404),
    (errors.DocumentUnknown, 404),
    (errors.GenerationUnknown, 404),
    (errors.IdempotencyConflict, 409),
    (errors.StateConflict, 409),
    (errors.PlanStale, 409),
    (errors.PlanBlocked, 409),
    (errors.InputInvalid, 422),
    (errors.EventInvalid, 422),
    (errors.ValueInvalid, 422),
    (errors.UnitRejected, 422),
    (errors.HopsExceeded, 508),
    (errors.QuotaExceeded, 507),
    (errors.DiskFull, 507),
    (errors.DeadlineExceeded, 504),
    (errors.ServiceBusy, 503),
    (errors.UnitRetry, 503),
    (errors.Quarantined, 503),
    (errors.JournalClosed, 503),
    (errors.ConnectionLost, 503),
    (errors.KernelUnreachable, 503),
    (errors.SandboxError, 502),
    (errors.UnitFailed, 502),
    (errors.OutputInvalid, 502),
)
"""The first that fits counts. A unit's own failures are those of an upstream (502 to 504), ours are 500."""


def status_of(error: RemitError) -> int:
    """The HTTP status of an error (RFC 9110)."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def problem(error: RemitError, *, status: int = 0, headers: dict[str, str] | None = None) -> Response:
    """The response for an error.

    :param status: where the address says more than the error, as 405 does
    """
    chosen = status or status_of(error)
    body = {
        "type": f"urn:remit:error:{error.code}",
        "title": _title(error),
        "status": chosen,
        "detail": error.message,
        "code": error.code,
        "remedy": error.remedy,
        "details": error.details,
    }
    more = dict(headers or {})
    if chosen == 401:  # noqa: PLR2004 - RFC 9110, 11.6.1
        more["www-authenticate"] = 'Bearer realm="remit"'
    after = error.details.get("retry_after_ms", error.details.get("after_ms"))
    if isinstance(after, int):
        more["retry-after"] = str(-(-after // 1000))
    data = msgspec.json.encode(body, enc_hook=str)
    return Response(data, status_code=chosen, media_type="application/problem+json", headers=more)


def _title(error: RemitError) -> str:
    words = (type(error).__doc__ or type(error).__name__).strip().splitlines()[0]
    return words.rstrip(".")
