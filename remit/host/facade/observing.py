"""The façade's part for what happens: emitting, reading and following events, subscriptions, read models."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, TypeVar

from remit.host.delivery import DEFAULT_ATTEMPTS, Answer, Feed, Given, Heard, Jobs, Listening
from remit.host.facade.emitted import Emitted
from remit.journal import Drop, Filter, Progress, no_progress
from remit.kernel.model import Caller

__all__ = ["Observing"]

T = TypeVar("T")
_LOCAL = Caller()
_FOLLOW_MS = 1_000


class Observing(ABC):
    """Mixed into the façade. Records are JSON data: ``seq``, ``generation``, ``namespace``, ``hash``, ``event``."""

    @abstractmethod
    def perform(
        self, operation: str, arguments: Mapping[str, Any], result: type[T], *, caller: Caller, progress: Progress
    ) -> T:
        """Do one operation by name; the typed methods below are its callers."""

    def emit(
        self, topic: str, data: Any = None, *, reply_to: str = "", priority: int = 0, caller: Caller = _LOCAL
    ) -> dict[str, Any]:
        """Say that something happened; gives its record. Topics of the kernel are refused.

        With an idempotency key in ``caller``, saying it again gives the first record.

        :param reply_to: the topic to answer on
        :param priority: 0 to 255; of deliveries that wait, higher ones come first
        :raises SourceReserved: if the topic is the kernel's
        :raises IdempotencyConflict: if the key was used with other data
        """
        arguments = {"topic": topic, "data": data, "reply_to": reply_to, "priority": priority}
        return self.perform("emit", arguments, dict[str, Any], caller=caller, progress=no_progress)

    def emit_soon(
        self, topic: str, data: Any = None, *, reply_to: str = "", priority: int = 0, caller: Caller = _LOCAL
    ) -> Emitted:
        """:meth:`emit` without the wait for the disk: what is refused raises now, its record is there for the asking.

        So one producer has many events on their way; each counts as said once :meth:`Emitted.record` has answered. They
        are written in the order in which a thread emitted them. Whoever emits faster than the disk takes it waits
        after all, and so does a caller with an idempotency key, or one whose kernel is another process.

        :raises SourceReserved: if the topic is the kernel's
        :raises Denied: if policy refuses it
        """
        record = self.emit(topic, data, reply_to=reply_to, priority=priority, caller=caller)
        return Emitted(lambda: record)

    def emit_all(self, events: Sequence[tuple[str, Any]], *, caller: Caller = _LOCAL) -> list[dict[str, Any]]:
        """Say that several things happened, in one transaction: all of it or nothing. Gives their records, in order.

        :param events: topic and data of each, up to a thousand of them and a MiB together
        :raises SourceReserved: if a topic is the kernel's
        :raises Denied: if policy refuses one of the topics
        """
        arguments = {"events": list(events)}
        return self.perform("emit_all", arguments, list[dict[str, Any]], caller=caller, progress=no_progress)

    def events(
        self,
        after: int = 0,
        *,
        prefixes: Sequence[str] = ("",),
        limit: int = 1_000,
        last: int = 0,
        wait_ms: int = 0,
        caller: Caller = _LOCAL,
    ) -> list[dict[str, Any]]:
        """Records after ``after``, oldest first; or the newest ``last``; waiting up to ``wait_ms`` for one."""
        arguments = {"after": after, "prefixes": tuple(prefixes), "limit": limit, "last": last, "wait_ms": wait_ms}
        return self.perform("events", arguments, list[dict[str, Any]], caller=caller, progress=no_progress)

    def follow(
        self, after: int, *, prefixes: Sequence[str] = ("",), caller: Caller = _LOCAL
    ) -> Iterator[dict[str, Any]]:
        """Records after ``after`` for ever, as they are committed."""
        wanted = tuple(prefixes)
        while True:
            # Every record is asked for and looked at here: were only the wanted ones, each wait after an unwanted one
            # would end at once, for ever.
            for record in self.events(after, wait_ms=_FOLLOW_MS, caller=caller):
                after = record["seq"]
                if record["event"]["type"].startswith(wanted):
                    yield record

    # ---- subscriptions ----

    def subscribe(
        self,
        *topics: str,
        prefixes: Sequence[str] = (),
        sources: Sequence[Literal["kernel", "unit", "client"]] = (),
        qos: Literal["realtime", "batched"] = "realtime",
        capacity: int = 1_024,
        drop: Drop = "oldest",
        linger_ms: int = 100,
        name: str = "",
        caller: Caller = _LOCAL,
    ) -> Feed:
        """Hear of what is committed from now on: these exact topics and prefixes, or everything if neither is given.

        A subscriber that is too slow delays nobody: its mailbox sheds, and :class:`remit.host.Heard` says so.

        :param sources: only what the kernel, units or clients say
        :param qos: ``batched`` waits ``linger_ms`` for more before it gives what it has
        :param capacity: records that may wait, 1 to 100,000
        :param drop: what a full mailbox loses: its ``oldest``, the ``newest`` that arrives, or (``coalesce``) all but
            the last of each topic and subject
        :raises SubscriptionsExceeded: if too many are open
        """
        wanted = Filter(tuple(topics), tuple(prefixes), tuple(sources))
        spec = Listening(wanted=wanted, capacity=capacity, drop=drop, name=name)
        return self._listening(spec, linger_ms if qos == "batched" else 0, caller)[0]

    def _listening(self, spec: Listening, linger: int, caller: Caller) -> tuple[Feed, str]:
        """Open a subscription; gives its id too."""
        number = self.perform("listen", {"spec": spec}, str, caller=caller, progress=no_progress)

        def receive(most: int, wait_ms: int) -> Heard:
            arguments = {"subscription": number, "most": most, "wait_ms": wait_ms, "linger_ms": linger}
            return self.perform("receive", arguments, Heard, caller=caller, progress=no_progress)

        def close() -> None:
            self.perform("unlisten", {"subscription": number}, object, caller=caller, progress=no_progress)

        return Feed(receive, close), number

    def bus(self, *, caller: Caller = _LOCAL) -> dict[str, Any]:
        """The bus's counters: records published; per subscription delivered, dropped by policy, and its lag."""
        return self.perform("bus", {}, dict[str, Any], caller=caller, progress=no_progress)

    # ---- durable subscriptions ----

    def jobs(
        self,
        name: str,
        *topics: str,
        prefixes: Sequence[str] = (),
        sources: Sequence[Literal["kernel", "unit", "client"]] = (),
        attempts: int = DEFAULT_ATTEMPTS,
        lease_ms: int = 30_000,
        after: int | None = None,
        caller: Caller = _LOCAL,
    ) -> Jobs:
        """A durable subscription: every event is delivered at least once, whoever is killed meanwhile.

        It begins with what is committed from now on and stays until :meth:`close_jobs`; whoever names it again shares
        the work. A job that is not answered within ``lease_ms`` has failed and goes to the next worker; one that
        failed ``attempts`` times is a dead letter.

        :param name: lower-case letters, digits, dots and hyphens
        :param after: begin after this record instead, in the past
        :raises UsageError: if a subscription of this name wants other topics
        """
        arguments = {
            "name": name, "wanted": Filter(tuple(topics), tuple(prefixes), tuple(sources)), "attempts": attempts,
            "after": after,
        }  # fmt: skip
        self.perform("open_jobs", arguments, object, caller=caller, progress=no_progress)

        def take(most: int, wait_ms: int, linger_ms: int) -> list[Given]:
            waits = {"wait_ms": wait_ms, "linger_ms": linger_ms}
            arguments = {"name": name, "most": most, "lease_ms": lease_ms, **waits}
            return self.perform("take", arguments, list[Given], caller=caller, progress=no_progress)

        def settle(answers: Sequence[Answer]) -> list[int]:
            arguments = {"name": name, "answers": list(answers)}
            return self.perform("settle", arguments, list[int], caller=caller, progress=no_progress)

        def extend(seq: int, lease: str, lease_ms: int) -> bool:
            arguments = {"name": name, "seq": seq, "lease": lease, "lease_ms": lease_ms}
            return self.perform("extend", arguments, bool, caller=caller, progress=no_progress)

        return Jobs(name, take, settle, extend)

    def close_jobs(self, name: str, *, caller: Caller = _LOCAL) -> None:
        """End a durable subscription; what it did not deliver is delivered to nobody.

        :raises SubscriptionUnknown: if there is none of this name
        """
        self.perform("close_jobs", {"name": name}, object, caller=caller, progress=no_progress)

    def subscriptions(self, *, caller: Caller = _LOCAL) -> list[dict[str, Any]]:
        """Every durable subscription, units' reactions included: its position, lag, and what waits, runs or died."""
        return self.perform("subscriptions", {}, list[dict[str, Any]], caller=caller, progress=no_progress)

    def dead_letters(self, name: str = "", *, caller: Caller = _LOCAL) -> list[dict[str, Any]]:
        """Events that could not be delivered, oldest first, with the reason and the event's record.

        :param name: of one subscription; "" for all
        """
        return self.perform("dead_letters", {"name": name}, list[dict[str, Any]], caller=caller, progress=no_progress)

    def replay(self, name: str, seqs: Sequence[int] = (), *, caller: Caller = _LOCAL) -> int:
        """Deliver dead letters again, with all their attempts before them; gives how many.

        :param seqs: the events' records; none for all of the subscription
        :raises SubscriptionUnknown: if there is none of this name
        """
        arguments = {"name": name, "seqs": list(seqs)}
        return self.perform("replay", arguments, int, caller=caller, progress=no_progress)

    # ---- read models ----

    def models(self, *, caller: Caller = _LOCAL) -> list[str]:
        """The names of the read models."""
        return self.perform("models", {}, list[str], caller=caller, progress=no_progress)

    def state(self, model: str, *, at: int | None = None, caller: Caller = _LOCAL) -> Any:
        """A read model, now or as it was right after record ``at``.

        :raises ModelUnknown: if there is none with that name
        """
        return self.perform("state", {"model": model, "at": at}, object, caller=caller, progress=no_progress)
