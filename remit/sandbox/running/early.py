"""Cancellations that come before the call they are for. Not safe for several threads: its owner has a lock."""

from __future__ import annotations

from collections import OrderedDict

from remit.kernel.ports import HostCalls

__all__ = ["Early"]

_MOST = 256


class Early:
    """The doors of calls that were cancelled before they began.

    A door is kept, so that no other gets its id. Where its call is over already, it stays until others push it out.
    """

    def __init__(self) -> None:
        self.doors: OrderedDict[int, HostCalls] = OrderedDict()
        """By their ids."""

    def note(self, host: HostCalls) -> None:
        """The call with this door shall not begin."""
        self.doors[id(host)] = host
        while len(self.doors) > _MOST:
            self.doors.popitem(last=False)

    def take(self, host: HostCalls) -> bool:
        """Whether the call that begins with this door was cancelled; that is answered once."""
        return self.doors.pop(id(host), None) is not None
