"""What a call has done but not committed: state writes and events, which the call itself reads back and nobody else."""

from __future__ import annotations

from typing import Protocol

import msgspec

from remit.errors import QuotaExceeded, StateConflict
from remit.journal.event import Draft, check_topic
from remit.journal.ports import Ids
from remit.journal.unitstate import Write

__all__ = ["Effects", "Quotas", "Stored"]


class Stored(Protocol):
    """What a unit's committed state answers, the journal's (:mod:`remit.journal.unitstate`) or a rehearsal's."""

    def get(self, key: str, /) -> tuple[str | None, int]:
        """The value and version of a key; ``None`` where it is not live, version 0 where it never was."""
        ...

    def keys(self, prefix: str, after: str, limit: int, /) -> list[str]:
        """Live keys that start with ``prefix`` and come after ``after``, in byte order."""
        ...

    def size(self) -> int:
        """Bytes of the live keys and values together."""
        ...


class Quotas(Protocol):
    """How much a call may leave behind."""

    @property
    def effects(self) -> int:
        """Writes and events of one call."""
        ...

    @property
    def effect_bytes(self) -> int:
        """Their bytes together."""
        ...

    @property
    def state(self) -> int:
        """Bytes of keys and values that the unit may have in all."""
        ...


class Effects:
    """The buffer of one call. Not safe for several threads: a call has one."""

    def __init__(self, state: Stored, source: str, limits: Quotas, ids: Ids) -> None:
        self._state = state
        self._source = source
        self._limits = limits
        self._ids = ids
        self._writes: dict[str, Write] = {}
        self._base_size: int | None = None
        self._grown = 0
        self._bytes = 0
        self.events: list[Draft] = []

    @property
    def writes(self) -> list[Write]:
        """The buffered versions, one per key, in the order of the first write."""
        return list(self._writes.values())

    def get(self, key: str) -> tuple[str, int] | None:
        """The live value and version of a key as this call sees it."""
        value, version = self._current(key)
        return None if value is None else (value, version)

    def put(self, key: str, value: str, expected: int | None) -> int:
        """Buffer a write and give the key's next version.

        :param expected: the version that must be current (0: the key must not exist); ``None`` writes anyway
        :raises StateConflict: if another version is current
        :raises QuotaExceeded: if the unit's state would outgrow its quota
        """
        current, version = self._current(key)
        live = 0 if current is None else version
        if expected is not None and expected != live:
            raise StateConflict(f"the key {key!r} is at version {live}, not {expected}")
        self._grow(_size(key, value) - (0 if current is None else _size(key, current)))
        return self._write(key, value, version)

    def delete(self, key: str) -> bool:
        """Buffer a deletion; ``False`` if there is nothing to delete."""
        current, version = self._current(key)
        if current is None:
            return False
        self._grow(-_size(key, current))
        self._write(key, None, version)
        return True

    def list(self, prefix: str, after: str, limit: int) -> list[str]:
        """Up to ``limit`` live keys with this prefix that come after ``after``, in byte order."""
        dead = {key for key, write in self._writes.items() if write.value is None}
        stored = self._state.keys(prefix, after, limit + len(dead))
        ours = {
            key for key, w in self._writes.items() if w.value is not None and key.startswith(prefix) and key > after
        }
        return sorted((set(stored) - dead) | ours)[:limit]

    def emit(self, topic: str, content_type: str, data: str) -> str:
        """Buffer an event and give its id; its source is the unit, whatever it says.

        :raises SourceReserved: if the topic is the kernel's
        :raises EventInvalid: if the topic is not dot.case
        :raises QuotaExceeded: if the call has too many effects
        """
        check_topic(topic)
        self._count(len(data.encode()))
        event_id = self._ids.new()
        payload = _as_json(data) if content_type == "application/json" else data
        self.events.append(Draft(type=topic, data=payload, source=self._source, content_type=content_type, id=event_id))
        return event_id

    def _current(self, key: str) -> tuple[str | None, int]:
        write = self._writes.get(key)
        return (write.value, write.version) if write is not None else self._state.get(key)

    def _write(self, key: str, value: str | None, version: int) -> int:
        self._count(_size(key, value or ""))
        # Several writes of one key in a call are one version: the commit makes one row.
        number = version if key in self._writes else version + 1
        self._writes[key] = Write(key, number, value)
        return number

    def _count(self, size: int) -> None:
        self._bytes += size
        if len(self._writes) + len(self.events) >= self._limits.effects or self._bytes > self._limits.effect_bytes:
            raise QuotaExceeded(
                f"one call may have {self._limits.effects} effects of {self._limits.effect_bytes} bytes together",
                remedy="do less per call, or raise runtime.effects in unit.toml",
            )

    def _grow(self, amount: int) -> None:
        if self._base_size is None:
            self._base_size = self._state.size()
        if amount > 0 and self._base_size + self._grown + amount > self._limits.state:
            raise QuotaExceeded(f"the unit's state may hold {self._limits.state} bytes")
        self._grown += amount


def _size(key: str, value: str) -> int:
    return len(key.encode()) + len(value.encode())


def _as_json(text: str) -> object:
    try:
        value: object = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text
    return value
