"""Long work in pieces, with room for other threads between them, so that checks of leases hardly notice it.

A thread that wants the interpreter waits until whoever has it gives it away, which CPython asks for only after five
milliseconds. That interval belongs to the whole process, and so to the host: it is left as it is. Work here stops by
itself instead, after some tenths of a millisecond, and sleeps just long enough for a waiting thread to get in. Where
many threads compute all the time, it takes longer for that: it waits its interval before each piece.

Pieces are counted, and a rest is taken after those that bring the time since the last one to what a check may notice:
so work is interrupted as often on a slow machine as on a fast one. One call into Cedar cannot be. The garbage
collector comes whenever enough was made, and looks at all that was made since: it is sent for early, between rests,
while that is little.
"""

from __future__ import annotations

import gc
import threading
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, TypeVar

from remit.journal.ports import SystemClock

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["at_once", "breathe", "giving_way", "let_go", "rest", "tidy"]

T = TypeVar("T")

_SLEEP_S = 0.0001
"""A waiting thread needs some tens of microseconds to wake up: sleeping for less takes the interpreter back before."""
_NEVER = threading.Event()
_now = SystemClock().monotonic_ns  # paces this process and decides nothing
_LONG_NS = 250_000
"""For how long to work on before a rest."""
_YOUNG = 3
"""Collections of what was just made, after which their survivors are looked at too; by itself Python waits for ten."""


class _Own(threading.local):
    """What a thread knows of itself."""

    rested_ns = 0
    """When it came back from its last rest."""


_OWN = _Own()
_HURRIED = ContextVar("hurried", default=False)
_EACH = 64
"""Objects to free in one piece: each takes some tenths of a microsecond, or some ten where it holds others."""


@contextmanager
def at_once() -> Iterator[None]:
    """Work in one go, as long as the block lasts: where a home starts, nobody checks a lease yet."""
    token = _HURRIED.set(True)
    try:
        yield
    finally:
        _HURRIED.reset(token)


def rest() -> None:
    """Let other threads in, between two pieces of long work."""
    if _HURRIED.get():
        return
    _NEVER.wait(_SLEEP_S)
    if gc.isenabled() and gc.get_count()[1] >= _YOUNG:
        gc.collect(1)
        _NEVER.wait(_SLEEP_S)
    _OWN.rested_ns = _now()


def tidy() -> None:
    """Have the collector look at what long work made, between two rests: 10,000 leases take half a millisecond."""
    rest()
    if gc.isenabled():
        gc.collect(1)
    rest()


def breathe() -> None:
    """Rest, if this thread has worked for long since it last did."""
    if _now() - _OWN.rested_ns > _LONG_NS:
        rest()


def giving_way(items: Iterable[T], every: int) -> Iterator[T]:
    """The same items, with room for other threads between so many and so many, once they have worked for long enough.

    Fewer items are given without a look at the time. Where there are more, there is room after the last of them too: so
    long work that follows on long work begins with a rest.
    """
    return chain.from_iterable(_pieces(iter(items), every))


def _pieces(items: Iterator[T], every: int) -> Iterator[tuple[T, ...]]:
    long = False
    while piece := tuple(islice(items, every)):
        yield piece
        long = long or len(piece) == every
        if long:
            breathe()


def let_go(items: list[Any]) -> None:
    """Forget what nobody else holds any more, in pieces: to free ten thousand objects at once takes milliseconds."""
    for _ in giving_way(range(len(items)), _EACH):
        items.pop()
