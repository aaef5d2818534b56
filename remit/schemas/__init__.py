"""The contracts that cross Remit's boundaries, and their judges.

Our own formats (``unit/v1``, ``home/v1``, ``event/v1``, the WIT, the Cedar schema) lie here as package data; schemas of
strangers are admitted by :class:`Validator`. Nothing here reads the network or a path, and nothing knows what a
value is for.
"""

from __future__ import annotations

from remit.schemas.fault import Fault, in_order, show_path
from remit.schemas.foreign import Validator
from remit.schemas.own import faults, is_valid, schema, text
from remit.schemas.quantities import parse_duration, parse_size
from remit.schemas.sensitive import mask, redact, sensitive_pointers
from remit.schemas.toml import load as load_toml

__all__ = [
    "Fault",
    "Validator",
    "faults",
    "in_order",
    "is_valid",
    "load_toml",
    "mask",
    "parse_duration",
    "parse_size",
    "redact",
    "schema",
    "sensitive_pointers",
    "show_path",
    "text",
]
