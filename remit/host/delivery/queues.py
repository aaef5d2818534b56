"""Every durable subscription of a home: opened, closed, found by name, kept true to what is committed."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import msgspec

from remit.errors import SubscriptionUnknown, UsageError
from remit.host.delivery.model import SubscriptionsFold
from remit.host.delivery.queue import Queue
from remit.journal import Clock, Draft, Filter, Folds, Ids, Journal, Record

__all__ = ["Queues"]

_ABOUT = {"bus.settled": "subscription", "bus.replayed": "subscription"}


class Queues:
    """The queues by name. Make it before anything can settle."""

    def __init__(self, journal: Journal, folds: Folds, clock: Clock, ids: Ids) -> None:
        self._journal = journal
        self._folds = folds
        self._clock = clock
        self._ids = ids
        self._by_name: dict[str, Queue] = {}
        self._changing = threading.Lock()
        self.refresh()
        journal.observe(self._committed)

    def _committed(self, records: Sequence[Record]) -> None:
        for record in records:
            if record.event.type in _ABOUT and record.from_kernel:
                facts = self._journal.data(record)
                queue = self._by_name.get(facts["subscription"])
                if queue is not None:
                    queue.committed(record, facts)

    def refresh(self) -> None:
        """Follow the read model: what is new is opened, what is gone is let go."""
        with self._changing:
            states = self._folds.state(SubscriptionsFold.name).by_name
            known = dict(self._by_name)
            for name, state in states.items():
                if name in known:
                    known[name].most_attempts = state.attempts
                else:
                    known[name] = Queue(state, self._journal, self._clock, self._ids)
            self._by_name = {name: queue for name, queue in known.items() if name in states}

    def get(self, name: str) -> Queue:
        """A queue by name.

        :raises SubscriptionUnknown: if there is none
        """
        try:
            return self._by_name[name]
        except KeyError:
            raise SubscriptionUnknown(f"there is no durable subscription {name[:100]!r}") from None

    def all(self) -> list[Queue]:
        """Every queue, by name."""
        return [self._by_name[name] for name in sorted(self._by_name)]

    def open(self, name: str, wanted: Filter, attempts: int, after: int, by: str) -> Queue:
        """The queue of this name, made if there is none.

        :param after: events after this record are delivered
        :raises UsageError: if it is another's, or wants something else
        """
        found = self._by_name.get(name)
        if found is None:
            data = {
                "name": name, "wanted": msgspec.to_builtins(wanted), "attempts": attempts, "position": after, "by": by,
            }  # fmt: skip
            self._journal.append([Draft(type="bus.subscribed", subject=name, data=data)])
            self.refresh()
            found = self.get(name)
        if found.state.wanted != wanted or found.state.kind != "queue":
            raise UsageError(
                f"the durable subscription {name!r} wants other topics", remedy="close it, or choose another name"
            )
        return found

    def close(self, name: str, by: str) -> None:
        """End a queue; what it did not deliver is delivered to nobody.

        :raises SubscriptionUnknown: if there is none
        :raises UsageError: if it is a unit's, which ends with the unit
        """
        if self.get(name).state.kind == "reaction":
            raise UsageError(f"{name} is a unit's reaction", remedy="remove the unit instead")
        self._journal.append([Draft(type="bus.unsubscribed", subject=name, data={"name": name, "by": by})])
        self.refresh()

    def mark(self) -> None:
        """Write down how far each has looked, so that the next start need not look again."""
        marks = [draft for queue in self.all() if (draft := queue.mark()) is not None]
        if marks:
            self._journal.append(marks)
