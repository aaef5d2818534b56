"""What a caller holds of an event that is on its way into the journal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["Emitted"]


class Emitted:
    """An event on its way. It counts as said once :meth:`record` has given its record."""

    __slots__ = ("_record", "done")

    def __init__(self, record: Callable[[], dict[str, Any]], done: Callable[[], bool] = lambda: True) -> None:
        self._record = record
        self.done = done
        """Whether :meth:`record` answers without waiting."""

    def record(self) -> dict[str, Any]:
        """The record, once it is on the disk.

        :raises DiskFull: if there was no room for it (and whatever else the journal failed with)
        """
        return self._record()
