"""What a check of a home is, as data: rooms and plugins give them through a hook, ``remit doctor`` runs them.

It lies below the rooms, beside the other smallest things that all of them speak in; it checks nothing itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

import msgspec

from remit.journal.ports import Progress

__all__ = ["Check", "Trouble"]


class Trouble(msgspec.Struct, frozen=True):
    """Something that is wrong with a home, or soon will be."""

    severity: Literal["error", "warning", "note"]
    cause: str
    remedy: str = ""
    """What a person can do."""
    fix: str = ""
    """What ``mend`` would do, in words."""
    mend: Callable[[], None] | None = None
    """Puts it right. Run only when a person said yes; trouble that is gone by then is no error."""


class Check(msgspec.Struct, frozen=True):
    """One thing that ``remit doctor`` looks at."""

    id: str
    """Lower case, words joined by dots; unique among all checks."""
    title: str
    run: Callable[[Progress], Iterable[Trouble]]
    """Changes nothing; a :class:`remit.errors.RemitError` that it raises is a trouble."""
