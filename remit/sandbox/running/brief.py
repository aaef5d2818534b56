"""A first, brief try of a guest that is to share an event loop: most guests are done before they had to share anything.

A future of wasmtime's, with a stack of its own, costs a small guest as much as all the rest of its call. So it is run
as off a loop first, for a moment and behind a closed door. If it answers, that is the answer. If it asks the host for
anything, takes longer, or fails, nothing has happened: its instance goes, and the guest is run anew, as one that shares
the loop, or on a thread where its instances wait in the pool. Whoever needed that is not tried again for a while; for
much longer where the instance was a kept one, since what it remembered went with it.
"""

from __future__ import annotations

from remit.kernel.ports import Clock
from remit.sandbox.guest.call import Call
from remit.sandbox.running.pool import ClosedDoor

__all__ = ["Tries", "brief_call"]

_MOMENT_MS = 2
"""For how long one guest may hold up the others of a loop; the epochs tell a millisecond or two later."""

Kind = tuple[str, str, str]
"""What is tried: the artifact, its export, and the action where an export has several."""


def brief_call(clock: Clock) -> Call:
    """A call that is over after a moment, behind a closed door."""
    return Call(ClosedDoor(), clock, _MOMENT_MS)


class Tries:
    """Which guests are worth a try. Belongs to the threads of loops; a race costs one try more or less."""

    def __init__(self, first: int, longest: int) -> None:
        """Nobody was tried yet.

        :param first: calls of a guest that go by after a try of it was in vain
        :param longest: how many at most, where it was in vain again and again
        """
        self._first, self._longest = first, longest
        self._resting: dict[Kind, tuple[int, int]] = {}
        """How many calls go by before the next try, and how many did before the last."""

    def worth(self, kind: Kind) -> bool:
        """Whether to try; counts the call."""
        if kind not in self._resting:
            return True
        left, rest = self._resting[kind]
        self._resting[kind] = left - 1, rest
        return left <= 0

    def failed(self, kind: Kind) -> None:
        """It needed more: a busy machine may have been why, so it rests for long only where that goes on."""
        _, rest = self._resting.get(kind, (0, 0))
        rest = min(max(2 * rest, self._first), self._longest)
        self._resting[kind] = rest, rest

    def succeeded(self, kind: Kind) -> None:
        """It was done in a moment: its next rest is shorter by one call."""
        if kind in self._resting:
            _, rest = self._resting.pop(kind)
            if rest > 1:
                self._resting[kind] = 0, rest - 1
