"""``events``: say that something happened, on a topic that a grant covers; committed with the call's outcome."""

from __future__ import annotations

from typing import Final

from remit.errors import EventInvalid, QuotaExceeded, SourceReserved
from remit.journal.event import check_topic
from remit.kernel.hostcall import Ok, Refused
from remit.kernel.scope import Scope
from remit.sandbox.interfaces.secrets import holds_secret

__all__ = ["FUNCTIONS", "MAX_CONTENT_TYPE", "MAX_DATA"]

MAX_DATA: Final = 1 << 20
"""Bytes of one event's data, in UTF-8."""
MAX_CONTENT_TYPE: Final = 200
"""Characters of a content type."""


def _emit(scope: Scope, topic: str, content_type: str, data: str) -> Ok | Refused:
    try:
        check_topic(topic)
    except SourceReserved as error:
        # No policy is asked, since none could allow it; the attempt is journalled like any other denial.
        scope.note_denial("events:emit", topic, error)
        return Refused("denied", error.message)
    except EventInvalid as error:
        return Refused("invalid", error.message)
    size = len(data.encode())
    if size > MAX_DATA or len(content_type) > MAX_CONTENT_TYPE:
        return Refused("invalid", f"an event carries at most {MAX_DATA} bytes, its content type {MAX_CONTENT_TYPE}")
    if (refused := holds_secret(scope, topic, content_type, data)) is not None:
        return refused
    grant = scope.require("events:emit", topic, nbytes=size)
    if isinstance(grant, Refused):
        return grant
    try:
        return Ok(scope.effects.emit(topic, content_type, data))
    except EventInvalid as error:
        return Refused("invalid", error.message)
    except QuotaExceeded as error:
        return Refused("exhausted", error.message)


FUNCTIONS: Final = {"emit": _emit}
