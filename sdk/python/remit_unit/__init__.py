"""Units for Remit in Python. What the manifest does not declare is not there: using it raises :class:`Refused`."""

from __future__ import annotations

from remit_unit.capabilities import call, emit, files, http, log, parameters, secret, state
from remit_unit.errors import Refused, Rejected, Retry
from remit_unit.serving import Handler, Provider, Transformer, action, json_patch, merge, on, transform

__all__ = [
    "Handler",
    "Provider",
    "Refused",
    "Rejected",
    "Retry",
    "Transformer",
    "action",
    "call",
    "emit",
    "files",
    "http",
    "json_patch",
    "log",
    "merge",
    "on",
    "parameters",
    "secret",
    "state",
    "transform",
]
