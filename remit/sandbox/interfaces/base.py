"""What every host interface is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from remit.kernel.scope import HostFunction

__all__ = ["Interface"]


@dataclass(slots=True)
class Interface:
    """A :class:`remit.kernel.scope.HostInterface`: functions by the WIT's kebab-case name."""

    functions: Mapping[str, HostFunction]
