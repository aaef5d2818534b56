"""Long work in pieces, with room for other threads between them, so that checks of leases hardly notice it.

A thread that wants the interpreter waits until whoever has it gives it away, which CPython asks for only after five
milliseconds. That interval belongs to the whole process, and so to the host: it is left as it is. Work here stops by
itself instead, after some tenths of a millisecond, and sleeps just long enough for a waiting thread to get in. Where
many threads compute all the time, it takes longer for that: it waits its interval before each piece.

One call into Cedar, and the garbage collector, cannot be interrupted: pieces count such calls, not what they take.
"""

from __future__ import annotations

import threading
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["giving_way", "let_go", "rest"]

T = TypeVar("T")

_SLEEP_S = 0.0001
"""A waiting thread needs some tens of microseconds to wake up: sleeping for less takes the interpreter back before."""
_NEVER = threading.Event()
_EACH = 512
"""Objects to free between two rests: each takes some tenths of a microsecond."""


def rest() -> None:
    """Let other threads in, between two pieces of long work."""
    _NEVER.wait(_SLEEP_S)


def giving_way(items: Iterable[T], every: int) -> Iterator[T]:
    """The same items, with room for other threads after each so many of them; where there are more, after the rest too.

    So long work that follows on long work begins with a rest.
    """
    return chain.from_iterable(_pieces(iter(items), every))


def _pieces(items: Iterator[T], every: int) -> Iterator[tuple[T, ...]]:
    long = False
    while piece := tuple(islice(items, every)):
        yield piece
        long = long or len(piece) == every
        if long:
            rest()


def let_go(items: list[Any]) -> None:
    """Forget what nobody else holds any more, in pieces: to free ten thousand objects at once takes milliseconds."""
    for _ in giving_way(range(len(items)), _EACH):
        items.pop()
