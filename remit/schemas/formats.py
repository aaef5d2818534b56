"""Every format version of Remit, once. Code, schemas and docs are checked against these."""

from __future__ import annotations

from typing import Final

__all__ = [
    "ARCHIVE",
    "BACKUP",
    "BUNDLE",
    "CHAIN",
    "DOMAIN",
    "EVENT",
    "HOME",
    "JOURNAL",
    "LOCK",
    "NATIVE",
    "PLAN",
    "RELEASE",
    "TRANSCRIPT",
    "UNIT",
    "WORLD",
]

UNIT: Final = "unit/v1"
"""The manifest, ``unit.toml``."""

HOME: Final = "home/v1"
"""The operator's ``remit.toml``."""

LOCK: Final = "lock/v1"
"""The resolution of what is wanted, ``remit.lock``."""

EVENT: Final = "event/v1"
"""One event of the journal (CloudEvents 1.0)."""

PLAN: Final = "plan/v1"
"""A saved plan."""

TRANSCRIPT: Final = "transcript/v1"
"""A call taken down."""

ARCHIVE: Final = "archive/v1"
"""The archived events of a journal."""

BACKUP: Final = "backup/v1"
"""A home in one file."""

JOURNAL: Final = 1
"""The journal's tables; stands in SQLite's ``user_version``."""

CHAIN: Final = "remit/journal/1"
"""Domain separation of the journal's hash chain."""

BUNDLE: Final = "application/vnd.remit.unit.v1"
"""The OCI artifact type of a unit."""

DOMAIN: Final = "trust-domain/v1"
"""A trust domain's folder."""

NATIVE: Final = "native/v1"
"""The artifact of a native unit: its modules."""

RELEASE: Final = "urn:remit:release:v1"
"""The in-toto predicate type under which publishers sign a unit's release."""

WORLD: Final = "0.1.0"
"""Version of the WIT package ``remit:unit``."""
