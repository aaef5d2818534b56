"""A caller's end of a live subscription: records as they are committed, and a word about what was missed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import msgspec

from remit.errors import RemitError

__all__ = ["Feed", "Heard"]

_WAIT_MS = 1_000


class Heard(msgspec.Struct, frozen=True):
    """Records in the order of the chain, as ``events`` gives them."""

    records: list[dict[str, Any]]
    missed: int = 0
    """How many were shed since the last time, because the subscriber was too slow."""
    after: int = 0
    """Where something was missed: ``events(after)`` gives all of it."""


class Feed:
    """A live subscription; made by ``subscribe``. Close it, or use ``with``; it is iterable, without end."""

    def __init__(self, receive: Callable[[int, int], Heard], close: Callable[[], None]) -> None:
        self._receive = receive
        self._close = close
        self._closed = False
        self.missed = 0
        """How many records were shed in all."""

    def receive(self, most: int = 1_000, *, wait_ms: int = _WAIT_MS) -> Heard:
        """What arrived: up to ``most`` records, waiting up to ``wait_ms`` for the first.

        :raises SubscriptionUnknown: if the subscription was not used for minutes, or was closed
        """
        heard = self._receive(most, wait_ms)
        self.missed += heard.missed
        return heard

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Records for ever, as they are committed."""
        while not self._closed:
            yield from self.receive().records

    def close(self) -> None:
        """End the subscription. Idempotent."""
        if not self._closed:
            self._closed = True
            with suppress(RemitError):  # the kernel is gone, and the subscription with it
                self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
