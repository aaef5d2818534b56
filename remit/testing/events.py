"""What happened in a kernel since a test began, and assertions about it."""

from __future__ import annotations

from typing import Any

from remit.host import Facade

__all__ = ["Events"]


class Events:
    """The records of a kernel from the moment this was made."""

    def __init__(self, kernel: Facade) -> None:
        self._kernel = kernel
        self._after = kernel.home().head

    def of(self, topic: str) -> list[dict[str, Any]]:
        """Data of the events of exactly this topic, oldest first."""
        records = self._kernel.events(self._after, prefixes=(topic,))
        return [record["event"].get("data") for record in records if record["event"]["type"] == topic]

    def topics(self) -> list[str]:
        """The topic of every event, oldest first."""
        return [record["event"]["type"] for record in self._kernel.events(self._after)]

    def only(self, topic: str) -> Any:
        """The data of the one event of this topic.

        :raises AssertionError: if there is none, or more than one
        """
        found = self.of(topic)
        if len(found) != 1:
            raise AssertionError(f"{len(found)} events {topic} where one is wanted; there were {self.topics()}")
        return found[0]
