"""What the doctor looks at of registries: how long the roots that the home pins are still to be believed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial

import msgspec

from remit.journal import Progress
from remit.journal.checks import Check, Trouble
from remit.kernel.ports import Home

__all__ = ["roots_check"]

_SOON_DAYS = 30
_DAY_MS = 86_400_000


class _Signed(msgspec.Struct):
    expires: datetime
    version: int


class _Root(msgspec.Struct):
    signed: _Signed


def roots_check(home: Home) -> Check:
    """The check of the pinned roots."""
    return Check("trust.root", "the pinned roots of registries", partial(_troubles, home))


def _troubles(home: Home, _progress: Progress) -> Iterator[Trouble]:
    for name, registry in home.config.registry.items():
        if not registry.root:
            continue
        remedy = f"get the newest root of {name} from its keeper, and put it at {registry.root}"
        try:
            root = msgspec.json.decode((home.root / registry.root).read_bytes(), type=_Root).signed
        except (OSError, msgspec.DecodeError, RecursionError):
            yield Trouble("error", f"{registry.root}, the root of the registry {name}, cannot be read", remedy)
            continue
        days = (int(root.expires.timestamp() * 1_000) - home.clock.now_ms()) // _DAY_MS
        if days < 0:
            # A registry may chain newer roots to this one: it is the age that a person should know.
            cause = f"the pinned root of the registry {name} (version {root.version}) ended {-days} days ago"
            yield Trouble("warning", cause, remedy)
        elif days < _SOON_DAYS:
            cause = f"the pinned root of the registry {name} (version {root.version}) ends in {days} days"
            yield Trouble("note", cause, remedy)
