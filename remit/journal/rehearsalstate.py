"""The state of a unit in rehearsal: in memory, empty at first, and gone after it. No journal is asked or told."""

from __future__ import annotations

from collections.abc import Iterable

from remit.journal.unitstate import Write

__all__ = ["RehearsalState"]


class RehearsalState:
    """Answers as :class:`remit.journal.unitstate.StateTable` does, from what earlier calls of the rehearsal wrote."""

    def __init__(self) -> None:
        self._rows: dict[str, Write] = {}

    def get(self, key: str) -> tuple[str | None, int]:
        """The value and version of a key; ``(None, version)`` if it was deleted, ``(None, 0)`` if it never was."""
        row = self._rows.get(key)
        return (None, 0) if row is None else (row.value, row.version)

    def keys(self, prefix: str, after: str, limit: int) -> list[str]:
        """Up to ``limit`` live keys that start with ``prefix`` and come after ``after``, in byte order."""
        live = (key for key, row in self._rows.items() if row.value is not None)
        found = [key for key in live if key.startswith(prefix) and key.encode() > after.encode()]
        return sorted(found, key=str.encode)[:limit]

    def size(self) -> int:
        """Bytes of the live keys and values together."""
        return sum(
            len(key.encode()) + len(row.value.encode()) for key, row in self._rows.items() if row.value is not None
        )

    def take(self, writes: Iterable[Write]) -> None:
        """Commit a call's writes."""
        self._rows |= {write.key: write for write in writes}
