"""A caller's end of a durable subscription: jobs that are leased, then acknowledged, given back or buried."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import msgspec

__all__ = ["Answer", "Given", "Job", "Jobs"]

_WAIT_MS = 1_000


class Given(msgspec.Struct, frozen=True):
    """A delivery as it crosses to the caller."""

    seq: int
    attempt: int
    lease: str
    until_ms: int
    record: dict[str, Any]


class Answer(msgspec.Struct, frozen=True):
    """What became of a delivery, as its worker says."""

    seq: int
    lease: str
    outcome: Literal["ack", "nack", "bury"]
    delay_ms: int | None = None
    reason: str = ""


class Job:
    """An event to be worked on; held until ``until_ms`` (Unix milliseconds), then somebody else may get it."""

    def __init__(self, given: Given, jobs: Jobs) -> None:
        self.record = given.record
        self.data: Any = given.record["event"].get("data")
        self.seq = given.seq
        self.attempt = given.attempt
        self.until_ms = given.until_ms
        self._lease = given.lease
        self._jobs = jobs

    def ack(self) -> bool:
        """It is done. ``False`` if the lease had run out: it may be done again."""
        return self._answer("ack")

    def nack(self, *, delay_ms: int | None = None, reason: str = "") -> bool:
        """It failed: again after ``delay_ms`` (or a wait that doubles), until its attempts are used up."""
        return self._answer("nack", delay_ms, reason)

    def bury(self, reason: str = "") -> bool:
        """It can never succeed: to the dead letters."""
        return self._answer("bury", None, reason)

    def extend(self, lease_ms: int) -> bool:
        """Hold it for so long from now on; ``False`` if the lease had run out."""
        return self._jobs.extend(self.seq, self._lease, lease_ms)

    def answer(self, outcome: Literal["ack", "nack", "bury"]) -> Answer:
        """The answer as data, for :meth:`Jobs.settle`."""
        return Answer(self.seq, self._lease, outcome)

    def _answer(self, outcome: Literal["ack", "nack", "bury"], delay_ms: int | None = None, reason: str = "") -> bool:
        return not self._jobs.settle([Answer(self.seq, self._lease, outcome, delay_ms, reason)])


class Jobs:
    """A durable subscription; made by ``jobs``. It stays when its workers go, until ``close_jobs``."""

    def __init__(
        self,
        name: str,
        take: Callable[[int, int, int], list[Given]],
        settle: Callable[[Sequence[Answer]], list[int]],
        extend: Callable[[int, str, int], bool],
    ) -> None:
        self.name = name
        self.settle = settle
        """Answer many jobs at once, in one record; gives the numbers of those whose lease had run out."""
        self.extend = extend
        self._take = take

    def take(self, most: int = 1, *, wait_ms: int = _WAIT_MS, linger_ms: int = 0) -> list[Job]:
        """Up to ``most`` jobs that are due, waiting up to ``wait_ms`` for the first, then ``linger_ms`` for the rest.

        Who works on thousands a second lingers: taking and answering a few jobs costs nearly as much as many.

        :raises SubscriptionUnknown: if the subscription was closed
        """
        return [Job(given, self) for given in self._take(most, wait_ms, linger_ms)]

    def __iter__(self) -> Iterator[Job]:
        """Jobs for ever, one at a time."""
        while True:
            yield from self.take()
