"""The smallest ports: time, ids and randomness, and progress; with the system's clock and randomness as adapters.

The only module of Remit that touches the machine's clock and randomness, so that runs can be recorded and simulated.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable
from itertools import product
from typing import Protocol

__all__ = ["Clock", "Ids", "Progress", "SystemClock", "SystemIds", "no_progress"]

Progress = Callable[[str, float], None]
"""Called with a stage for people ("compiling acme/redact") and the share done, 0 to 1."""


def no_progress(_stage: str, _share: float) -> None:
    """The progress of somebody who does not watch."""


class Clock(Protocol):
    """Time, so that runs can be recorded and simulated."""

    def now_ms(self) -> int:
        """Wall clock, milliseconds since the Unix epoch."""
        ...

    def time_ns(self) -> int:
        """The same in nanoseconds."""
        ...

    def monotonic_ns(self) -> int:
        """A clock that never goes back, nanoseconds since an arbitrary start."""
        ...


class Ids(Protocol):
    """Ids and randomness."""

    def new(self) -> str:
        """A fresh id: 26 characters, sortable by the time of its making (ULID)."""
        ...

    def random(self, count: int) -> bytes:
        """``count`` random bytes."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now_ms(self) -> int:
        """Wall clock, milliseconds since the Unix epoch."""
        return time.time_ns() // 1_000_000

    time_ns = staticmethod(time.time_ns)
    """The same in nanoseconds; as it is, since every lease check asks it."""

    monotonic_ns = staticmethod(time.monotonic_ns)
    """The machine's monotonic clock; as it is, since every call and many a host call ask it."""


class SystemIds:
    """ULIDs (https://github.com/ulid/spec) over the machine's randomness."""

    _LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    _BY_BYTE = _LETTERS.encode() * 8
    """The letter of each byte: five of its bits."""
    _PAIRS = tuple(high + low for high, low in product(_LETTERS, repeat=2))
    """The letters of ten bits."""
    _NOISE = 16
    """Random letters of an id: 80 bits."""
    _DRAWN = 256

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._process = os.getpid()
        self._noise: list[str] = []
        self._when = (-1, "")
        """The last 1,024 ms in which an id was made, and their letters."""

    def new(self) -> str:
        """A fresh ULID."""
        now = self._clock.now_ms()
        second, letters = self._when
        if second != now >> 10:
            second = now >> 10
            letters = "".join([self._PAIRS[(second >> shift) & 1023] for shift in range(30, -1, -10)])
            self._when = second, letters
        if self._process != os.getpid():  # a child of fork must not use up what its parent drew
            self._process, self._noise = os.getpid(), []
        try:
            noise = self._noise.pop()
        except IndexError:
            noise = self._draw()
        return letters + self._PAIRS[now & 1023] + noise

    def _draw(self) -> str:
        """Random letters, and more in advance: asking the system costs ten times as much as making an id."""
        drawn = os.urandom(self._NOISE * self._DRAWN).translate(self._BY_BYTE).decode()
        self._noise = [drawn[at : at + self._NOISE] for at in range(self._NOISE, len(drawn), self._NOISE)]
        return drawn[: self._NOISE]

    def random(self, count: int) -> bytes:
        """``count`` bytes of the system's cryptographic randomness."""
        return secrets.token_bytes(count)
