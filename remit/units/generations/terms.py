"""The terms of a trial: which calls its arm takes, and what it must do to stay or to be promoted.

A call is in an episode (its correlation id), and the episode alone draws the lot: the same for every call of it, on
every start, and whatever the share is raised to later, an episode that was in stays in. Pure.
"""

from __future__ import annotations

import re
from decimal import Decimal
from hashlib import sha256

import msgspec

from remit.errors import UsageError
from remit.kernel.model import Caller

__all__ = ["MOST_SLOWER", "WHOLE", "Terms", "lot", "parse_share", "percent"]

WHOLE = 10_000
"""All calls. Shares are whole numbers of ten-thousandths: 0.01 %."""

MOST_SLOWER = 100 * WHOLE
_SHARE = re.compile(r"[0-9]{1,5}(\.[0-9]{1,2})?%")


class Terms(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an operator agreed to. Shares are ten-thousandths."""

    share: int = WHOLE
    """Of the episodes in scope, those that the arm takes."""
    principal: str = ""
    """Scope: only calls of this principal; "" for anybody's."""
    namespace: str = ""
    """Scope: only calls in this namespace; "" for any."""
    episode: str = ""
    """Scope: only calls whose correlation id begins so."""
    calls: int = 50
    """Calls that each arm must have had before a promotion."""
    errors: int = 500
    """Failed calls of the arm, as a share of all of its calls (of :attr:`calls`, while it had fewer), beyond which the
    kernel ends the trial."""
    slower: int = 2_500
    """How much longer the arm's 95th percentile may take than the other's for a promotion, as a share of that."""

    def covers(self, caller: Caller) -> bool:
        """Whether a call is in scope."""
        return (
            self.principal in {"", caller.principal}
            and self.namespace in {"", caller.namespace}
            and caller.correlation.startswith(self.episode)
        )

    def takes(self, trial: str, caller: Caller) -> bool:
        """Whether the arm takes a call; its episode must be known.

        :param trial: the trial's id
        """
        return self.covers(caller) and lot(trial, caller.correlation) < self.share

    def trips(self, calls: int, failed: int) -> bool:
        """Whether so many failures end the trial. Exact: no rounding decides."""
        return failed * WHOLE > self.errors * max(calls, self.calls)

    @property
    def words(self) -> str:
        """For people: whose calls, and how many of them."""
        scope = [
            f"{name} {value}{more}"
            for name, value, more in (
                ("principal", self.principal, ""), ("namespace", self.namespace, ""), ("episodes", self.episode, "…"),
            )
            if value
        ]  # fmt: skip
        return f"{percent(self.share)} of the calls" + (f" of {', '.join(scope)}" if scope else "")


def lot(trial: str, episode: str) -> int:
    """What an episode draws in a trial: 0 to 9,999, each as likely.

    Source: the first 64 bits of SHA-256 over both, scaled without rounding up.
    """
    drawn = sha256(b"remit/trial/1\0" + trial.encode() + b"\0" + episode.encode()).digest()
    return (int.from_bytes(drawn[:8]) * WHOLE) >> 64


def parse_share(text: str, most: int = WHOLE) -> int:
    """``10%`` or ``0.5%`` in ten-thousandths, up to ``most``.

    :raises UsageError: if it is no percentage with at most two decimals, or more than that
    """
    share = int(Decimal(text[:-1]) * 100) if _SHARE.fullmatch(text) else most + 1
    if share > most:
        raise UsageError(f"{text[:40]!r} is no share", remedy="write a percentage such as 10% or 0.5%")
    return share


def percent(share: int) -> str:
    """Ten-thousandths as people write them."""
    return f"{share // 100}%" if share % 100 == 0 else f"{Decimal(share) / 100}%"
