"""Accounts of what grants used: charged by amount, per window, never refilled by anything but the next window.

Windows are aligned to multiples of their length on the wall clock. A clock that jumps back finds the latest window that
was ever seen, so it refills nothing. Calls and bytes are known before a use and charged then; host time and fuel are
known after it, so that a bound of them is held before and what was used is settled after.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from remit.kernel.model import Amounts, Budget

__all__ = ["Account", "Hold", "Left", "Usage"]

_BLOCKS = 8
"""A budget is reserved in about so many parts: each is a record in the journal, and the most that a crash can cost."""


class Usage(msgspec.Struct, frozen=True):
    """What one grant used in the latest window seen. Times are Unix milliseconds."""

    start_ms: int = 0
    calls: int = 0
    bytes: int = 0
    host_us: int = 0
    fuel: int = 0

    @property
    def amounts(self) -> Amounts:
        """The same without the window."""
        return Amounts(self.calls, self.bytes, self.host_us, self.fuel)

    def at(self, now_ms: int, window_ms: int) -> Usage:
        """The usage as of now: this one, or an empty one where a later window has begun."""
        start = now_ms - now_ms % max(1, window_ms)
        return Usage(start) if start > self.start_ms else self

    def charged(self, more: Amounts) -> Usage:
        """The usage after a charge."""
        return Usage(self.start_ms, *_each(self.amounts + more))

    def merged(self, other: Usage) -> Usage:
        """The larger of two accounts of the same grant: the later window, and within one the larger amounts."""
        if self.start_ms != other.start_ms:
            return self if self.start_ms > other.start_ms else other
        return Usage(self.start_ms, *map(max, _each(self.amounts), _each(other.amounts)))


class Left(NamedTuple):
    """What a window still holds; ``None`` where unbounded."""

    calls: int | None = None
    bytes: int | None = None
    host_us: int | None = None
    fuel: int | None = None


class Account:
    """The budget of one grant. Safe to share between threads.

    What may be spent is reserved in blocks, on record before it is spent: after a crash the whole block counts as used,
    so that a crash can cost a grant the rest of a block and never gives it more than its budget.
    """

    __slots__ = (
        "_bounds", "_bytes", "_calls", "_fuel", "_host_us", "_lock", "_max_bytes", "_max_calls", "_metered", "_parent",
        "_reserve", "_reserved", "_start_ms", "_window_ms", "budget",
    )  # fmt: skip

    def __init__(
        self,
        budget: Budget | None,
        usage: Usage,
        reserve: Callable[[Usage], None] | None = None,
        parent: Account | None = None,
    ) -> None:
        """Begin where the usage stands.

        :param parent: the account that is charged as well, of the grant that this one was delegated from
        :param reserve: writes the totals that may be spent from now on; what it raises refuses the charge
        """
        self.budget = budget
        self._bounds = Left() if budget is None else Left(*budget.bounds)
        # Plain numbers, for a charge is on the path of every host call.
        self._window_ms = max(1, budget.window_ms) if budget else 0
        self._max_calls, self._max_bytes = self._bounds.calls, self._bounds.bytes
        self._metered = self._bounds.host_us is not None or self._bounds.fuel is not None
        self._parent = parent
        self._reserve = reserve
        self._reserved = usage
        self._lock = threading.Lock()
        self._set(usage)

    def _set(self, usage: Usage) -> None:
        self._start_ms, self._calls, self._bytes = usage.start_ms, usage.calls, usage.bytes
        self._host_us, self._fuel = usage.host_us, usage.fuel

    @property
    def usage(self) -> Usage:
        """What was used, or is held, in the latest window that was charged."""
        return Usage(self._start_ms, self._calls, self._bytes, self._host_us, self._fuel)

    @property
    def bounded(self) -> bool:
        """Whether there is anything to charge."""
        return bool(self._window_ms) or (self._parent is not None and self._parent.bounded)

    def charge(self, now_ms: int, calls: int, nbytes: int) -> bool:
        """Take the amounts if all of them fit, else nothing; nothing as well where host time or fuel has run out."""
        window = self._window_ms
        if not window:
            return self._parent is None or self._parent.charge(now_ms, calls, nbytes)
        with self._lock:
            wanted = calls, nbytes
            start = now_ms - now_ms % window
            if start > self._start_ms:
                had_calls = had_bytes = 0
            else:
                start, had_calls, had_bytes = self._start_ms, self._calls, self._bytes
            calls += had_calls
            nbytes += had_bytes
            if self._max_calls is not None and calls > self._max_calls:
                return False
            if self._max_bytes is not None and nbytes > self._max_bytes:
                return False
            if self._metered and not _fits(Amounts(host_us=1, fuel=1), self._left(self.usage.at(now_ms, window))):
                return False
            reserved = self._reserved
            if start != reserved.start_ms or calls > reserved.calls or nbytes > reserved.bytes:
                self._take_block(self.usage.at(now_ms, window).charged(Amounts(*wanted)))
            if self._parent is not None and not self._parent.charge(now_ms, *wanted):
                return False
            if start != self._start_ms:
                self._start_ms, self._host_us, self._fuel = start, 0, 0
            self._calls, self._bytes = calls, nbytes
            return True

    def hold(self, now_ms: int, least: Amounts, most: Amounts) -> Hold | None:
        """Take as much of ``most`` as is left, to be settled later; ``None``, and nothing, if that is not ``least``."""
        if not self._window_ms:
            return Hold(most, ()) if self._parent is None else self._parent.hold(now_ms, least, most)
        with self._lock:
            usage = self.usage.at(now_ms, self._window_ms)
            left = self._left(usage)
            if not _fits(least, left):
                return None
            some = Amounts(*(wanted if rest is None else min(wanted, rest) for wanted, rest in _paired(most, left)))
            self._claim(usage.charged(some))
            above: tuple[tuple[Account, int], ...] = ()
            if self._parent is not None:
                held = self._parent.hold(now_ms, least, some)
                if held is None:
                    return None
                some, above = held.amounts, held.parts
            self._set(usage.charged(some))
            return Hold(some, ((self, usage.start_ms), *above))

    def settle_hold(self, start_ms: int, held: Amounts, used: Amounts) -> None:
        """Put what was used in the place of what was held in a window, if that is not over."""
        with self._lock:
            if self._start_ms == start_ms:
                back = Amounts(*(-amount for amount in _each(held)))
                usage = self.usage.charged(used).charged(back)
                self._claim(usage)
                self._set(usage)

    def _claim(self, spent: Usage) -> None:
        """Have on record that so much may be spent, unless it is."""
        reserved = self._reserved
        beyond = any(amount > had for amount, had in zip(_each(spent.amounts), _each(reserved.amounts), strict=True))
        if beyond or spent.start_ms != reserved.start_ms:
            self._take_block(spent)

    def _take_block(self, spent: Usage) -> None:
        if self._reserve is None:
            return
        turned = grown = spent.start_ms != self._reserved.start_ms
        wanted, before = [], _each(self._reserved.amounts)
        for had, (amount, most) in zip(before, _paired(spent.amounts, self._bounds), strict=True):
            if most is None:
                # Amounts without a bound need no record: only what is bounded can be granted twice.
                wanted.append(amount)
            elif turned or amount > had:
                grown = True
                # A host call that outlasted its hold has spent more than there was.
                wanted.append(max(amount, min(amount + most // _BLOCKS, most)))
            else:
                wanted.append(had)
        reserved = Usage(spent.start_ms, *wanted)
        if grown:
            self._reserve(reserved)
        self._reserved = reserved

    def settle(self) -> Usage | None:
        """Give back what is reserved and was not spent; the exact usage, where there was such."""
        with self._lock:
            if self._reserved == self.usage:
                return None
            self._reserved = self.usage
            return self.usage

    def _left(self, usage: Usage) -> Left:
        return Left(*(
            None if most is None else max(0, most - used) for used, most in _paired(usage.amounts, self._bounds)
        ))  # fmt: skip

    def left(self, now_ms: int) -> Left:
        """What the window still holds."""
        return self._left(self.usage.at(now_ms, self._window_ms))

    def resets_ms(self, now_ms: int) -> int | None:
        """When the next window begins."""
        if not self._window_ms:
            return None
        return self.usage.at(now_ms, self._window_ms).start_ms + self._window_ms


class Hold:
    """A part of the budget of a grant, and of those that it was delegated from, set aside: the port of that name."""

    __slots__ = ("amounts", "parts")

    def __init__(self, amounts: Amounts, parts: tuple[tuple[Account, int], ...]) -> None:
        """:param parts: the accounts, each with the window in which it was charged"""
        self.amounts = amounts
        self.parts = parts

    def settle(self, used: Amounts) -> None:
        """Charge what was used in its place."""
        parts, self.parts = self.parts, ()
        for account, start_ms in parts:
            account.settle_hold(start_ms, self.amounts, used)


def _each(amounts: Amounts) -> tuple[int, int, int, int]:
    return amounts.calls, amounts.bytes, amounts.host_us, amounts.fuel


def _paired(amounts: Amounts, bounds: Left) -> zip[tuple[int, int | None]]:
    return zip(_each(amounts), bounds, strict=True)


def _fits(amounts: Amounts, left: Left) -> bool:
    return all(rest is None or amount <= rest for amount, rest in _paired(amounts, left))
