"""``log``: lines for people, bounded in number and length; what is beyond is dropped, and RM-5023 ends the log."""

from __future__ import annotations

from typing import Final

import msgspec

from remit.errors import LogFlooded
from remit.kernel.hostcall import Ok
from remit.kernel.scope import Scope

__all__ = ["FUNCTIONS", "MAX_FIELDS", "MAX_MESSAGE"]

MAX_MESSAGE: Final = 4096
"""Characters of one message."""
MAX_FIELDS: Final = 16_384
"""Characters of one line's fields (JSON text); longer ones are left out whole, since half a JSON text is none."""


def _write(scope: Scope, level: str, message: str, fields: str) -> Ok:
    message, fields = scope.masked(message), scope.masked(fields)
    limit = scope.limits.log_lines
    if len(scope.log) < limit:
        kept = message if len(message) <= MAX_MESSAGE else message[: MAX_MESSAGE - 1] + "…"
        scope.log.append({"level": level, "message": kept, "fields": fields if len(fields) <= MAX_FIELDS else ""})
    elif len(scope.log) == limit:
        flood = LogFlooded(f"more than {limit} log lines: the rest was dropped", limit=limit)
        fields = msgspec.json.encode({"code": flood.code, "remedy": flood.remedy, "limit": limit}).decode()
        scope.log.append({"level": "warn", "message": flood.message, "fields": fields})
    return Ok()


FUNCTIONS: Final = {"write": _write}
