"""The façade's part for working together: request and reply, gathering answers, awarding work, and barriers.

All of it is events and live subscriptions: whoever answers is a unit or a program that heard the event. A conversation
has a topic of its own, which its kernel thinks of, and ends with its subscription: nothing is left of it.

Source: FIPA Contract Net Interaction Protocol, SC00029H, for :meth:`Conversing.tender`.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from types import TracebackType
from typing import Any, Self

import msgspec

from remit.errors import Unanswered, UsageError
from remit.host.delivery import Feed, Listening, reply_topic
from remit.host.facade.observing import Observing
from remit.journal import Clock, SystemClock
from remit.kernel.model import Caller

__all__ = ["Conversation", "Conversing", "Gathered", "Tender"]

_LOCAL = Caller()
_TIMEOUT_MS = 10_000
_TURN_MS = 1_000
_MOST_REPLIES = 10_000
_PAGE = 1_000


class Gathered(msgspec.Struct, frozen=True):
    """The answers that came."""

    records: list[dict[str, Any]]
    complete: bool
    """Whether as many came as were wanted; else time ran out."""
    missed: int = 0
    """How many were shed because they came faster than they were taken."""


class Tender(msgspec.Struct, frozen=True):
    """How a call for proposals ended: proposals, the best first, and what the awarded ones reported."""

    awarded: list[dict[str, Any]]
    rejected: list[dict[str, Any]]
    results: list[dict[str, Any]]


class _Patience:
    """A deadline of the one who waits."""

    def __init__(self, clock: Clock, timeout_ms: int) -> None:
        if timeout_ms < 0:
            raise UsageError(f"nobody waits {timeout_ms} milliseconds", remedy="wait 0 or longer")
        self._clock = clock
        self._until_ns = clock.monotonic_ns() + timeout_ms * 1_000_000

    @property
    def left_ms(self) -> int:
        """Milliseconds left, rounded up."""
        return max(0, -(-(self._until_ns - self._clock.monotonic_ns()) // 1_000_000))


class Conversation:
    """A request that was emitted, and its answers. Close it, or use ``with``."""

    def __init__(self, record: dict[str, Any], feed: Feed, clock: Clock) -> None:
        self.record = record
        """The request's record."""
        self._feed = feed
        self._clock = clock

    def replies(self, most: int | None = None, *, timeout_ms: int = _TIMEOUT_MS) -> Gathered:
        """The next ``most`` answers, or all that come in time."""
        wanted = _MOST_REPLIES if most is None else most
        if not 1 <= wanted <= _MOST_REPLIES:
            raise UsageError(f"1 to {_MOST_REPLIES} answers are gathered, not {most}")
        patience, found, missed = _Patience(self._clock, timeout_ms), list[dict[str, Any]](), 0
        left = patience.left_ms
        while True:  # what is there already is taken even by who does not wait
            heard = self._feed.receive(wanted - len(found), wait_ms=min(left, _TURN_MS))
            found += heard.records
            missed += heard.missed
            left = patience.left_ms
            if len(found) >= wanted or not left:
                return Gathered(found, len(found) >= wanted, missed)

    def close(self) -> None:
        """Hear no more of it. Idempotent."""
        self._feed.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Conversing(Observing, ABC):
    """Mixed into the façade. Every answer is a record, whose ``source`` the kernel set: it says who answered."""

    _patient: Clock = SystemClock()
    """What measures how long a caller waits, on the caller's side of the socket."""

    def converse(self, topic: str, data: Any = None, *, priority: int = 0, caller: Caller = _LOCAL) -> Conversation:
        """Emit a request that can be answered, on a topic that its ``replyto`` names and nobody had before."""
        # A key would give an earlier request's record, whose answers go elsewhere.
        caller = msgspec.structs.replace(caller, idempotency_key="")
        spec = Listening(private=True, capacity=_MOST_REPLIES)
        feed, number = self._listening(spec, 0, caller)
        try:
            record = self.emit(topic, data, reply_to=reply_topic(number), priority=priority, caller=caller)
        except BaseException:
            feed.close()
            raise
        return Conversation(record, feed, self._patient)

    def reply(self, record: dict[str, Any], data: Any = None, *, caller: Caller = _LOCAL) -> dict[str, Any]:
        """Answer a request; the answer belongs to the run of the request, which caused it.

        :raises UsageError: if nobody waits for an answer to this record
        """
        event = record["event"]
        topic = event.get("replyto")
        if not topic:
            raise UsageError(f"record {record['seq']} asks for no reply", remedy="answer those that have a replyto")
        return self.emit(topic, data, caller=_caused(caller, event))

    def ask(
        self, topic: str, data: Any = None, *, timeout_ms: int = _TIMEOUT_MS, caller: Caller = _LOCAL
    ) -> dict[str, Any]:
        """The first answer to a request.

        :raises Unanswered: if none came in time
        """
        with self.converse(topic, data, caller=caller) as conversation:
            found = conversation.replies(1, timeout_ms=timeout_ms).records
        if not found:
            raise Unanswered(f"nobody answered {topic} within {timeout_ms} ms")
        return found[0]

    def gather(
        self,
        topic: str,
        data: Any = None,
        *,
        first: int | None = None,
        timeout_ms: int = _TIMEOUT_MS,
        caller: Caller = _LOCAL,
    ) -> Gathered:
        """Ask everybody; the ``first`` so many answers, or all that come in time. Time running out is no error."""
        with self.converse(topic, data, caller=caller) as conversation:
            return conversation.replies(first, timeout_ms=timeout_ms)

    def tender(
        self,
        topic: str,
        data: Any = None,
        *,
        rank: Callable[[dict[str, Any]], float | None],
        awards: int = 1,
        first: int | None = None,
        timeout_ms: int = _TIMEOUT_MS,
        results_ms: int = 0,
        caller: Caller = _LOCAL,
    ) -> Tender:
        """Call for proposals and award the best: a contract net.

        Each proposal is told on its ``replyto``, or on ``TOPIC.awarded`` and ``TOPIC.rejected`` where it has none, with
        ``{"proposal": id, "source": source, "accepted": bool}``; what an awarded one does is reported on the request's
        ``replyto`` like its proposal was.

        :param rank: the worth of a proposal's record, the highest wins, the earlier of equals; ``None`` refuses it
        :param awards: how many win
        :param first: decide when so many proposals came, without waiting longer
        :param results_ms: how long to wait for the reports of those who won
        """
        if awards < 1:
            raise UsageError(f"a tender has 1 award or more, not {awards}")
        caller = msgspec.structs.replace(caller, idempotency_key="")
        with self.converse(topic, data, caller=caller) as conversation:
            proposals = conversation.replies(first, timeout_ms=timeout_ms).records
            worth = [(rank(record), record) for record in proposals]
            ranked = sorted(((value, record) for value, record in worth if value is not None), key=lambda one: -one[0])
            awarded = [record for _, record in islice(ranked, awards)]
            won = {record["seq"] for record in awarded}
            lost = [record for _, record in ranked[awards:]] + [record for value, record in worth if value is None]
            for record in [*awarded, *lost]:
                self._decide(topic, record, caller, accepted=record["seq"] in won)
            reported: list[dict[str, Any]] = []
            if awarded and results_ms:
                reported = conversation.replies(len(awarded), timeout_ms=results_ms).records
        return Tender(awarded, lost, reported)

    def _decide(self, topic: str, proposal: dict[str, Any], caller: Caller, *, accepted: bool) -> None:
        event = proposal["event"]
        told = event.get("replyto") or f"{topic}.{'awarded' if accepted else 'rejected'}"
        data = {"proposal": event["id"], "source": event["source"], "accepted": accepted}
        self.emit(told, data, caller=_caused(caller, event))

    def barrier(
        self, name: str, parties: int, member: str, *, timeout_ms: int = _TIMEOUT_MS, caller: Caller = _LOCAL
    ) -> list[str]:
        """Wait until ``parties`` different members are there; gives them in the order in which they came.

        Everybody gets the same list, whoever comes late or again, and whatever was restarted meanwhile: who arrived is
        in the journal, under the topic ``barrier.NAME``. A name is good for one meeting.

        :raises Unanswered: if too few came in time; ``details["arrived"]`` has them
        """
        if parties < 1:
            raise UsageError(f"a barrier has 1 party or more, not {parties}")
        topic, patience = f"barrier.{name}", _Patience(self._patient, timeout_ms)
        once = msgspec.structs.replace(caller, idempotency_key=f"barrier {name} {member}")
        arrived, seen = dict[str, None](), 0
        with self.subscribe(topic, capacity=1, caller=caller) as feed:
            self.emit(topic, {"member": member}, caller=once)
            while True:
                while page := self.events(seen, prefixes=[topic], limit=_PAGE, caller=caller):
                    seen = page[-1]["seq"]
                    arrived |= dict.fromkeys(_members(page, topic))
                if len(arrived) >= parties:
                    return list(islice(arrived, parties))
                left = patience.left_ms
                if not left:
                    raise Unanswered(
                        f"{len(arrived)} of {parties} came to the barrier {name} within {timeout_ms} ms",
                        arrived=list(arrived),
                    )
                feed.receive(wait_ms=min(left, _TURN_MS))


def _members(records: Iterable[dict[str, Any]], topic: str) -> Iterator[str]:
    """Who says in these records that it arrived; what else is said on the topic is nobody's arrival."""
    for record in records:
        data = record["event"].get("data")
        if record["event"]["type"] == topic and isinstance(data, dict) and isinstance(data.get("member"), str):
            yield data["member"]


def _caused(caller: Caller, event: dict[str, Any]) -> Caller:
    return msgspec.structs.replace(
        caller,
        correlation=event.get("correlationid") or event["id"],
        causation=event["id"],
        traceparent=event.get("traceparent", ""),
        hops=event.get("hops", caller.hops) - 1,
    )
