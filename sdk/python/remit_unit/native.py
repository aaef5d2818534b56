"""A host in memory, for running a unit's module as it is, in the test's own process: no sandbox and no policy."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, Self

from remit_unit._world import Host, native
from remit_unit.errors import Refused

__all__ = ["Host", "Memory", "using"]


@contextmanager
def using(host: Host) -> Iterator[None]:
    """Have ``host`` answer what this thread's unit asks. A kernel that runs the unit natively enters here."""
    before = native.set(host)
    try:
        yield
    finally:
        native.reset(before)


class Memory:
    """State, events and log of one unit. Use it with ``with``; what is not served is refused as ``unavailable``."""

    def __init__(self, parameters: Any = None, replies: Mapping[str, str] | None = None) -> None:
        """:param replies: bodies by URL, for ``http``"""
        self.parameters = parameters or {}
        self.replies = dict(replies or {})
        self.state: dict[str, tuple[str, int]] = {}
        self.events: list[tuple[str, Any]] = []
        self.lines: list[tuple[str, str]] = []

    def __enter__(self) -> Self:
        self._before = native.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        native.reset(self._before)

    def answer(self, interface: str, function: str, arguments: tuple[Any, ...]) -> Any:
        """See :class:`remit_unit._world.Host`."""
        served = getattr(self, f"_{interface}_{function}", None)
        if served is None:
            raise Refused("unavailable", f"this host does not offer {interface}.{function}")
        return served(*arguments)

    def _parameters_get(self) -> str:
        return json.dumps(self.parameters)

    def _log_write(self, level: str, message: str, _fields: str) -> None:
        self.lines.append((level, message))

    def _events_emit(self, topic: str, _content_type: str, data: str) -> str:
        self.events.append((topic, json.loads(data)))
        return str(len(self.events))

    def _state_get(self, key: str) -> Any:
        entry = self.state.get(key)
        return None if entry is None else SimpleNamespace(value=entry[0], version=entry[1])

    def _state_put(self, key: str, value: str, expected: int | None) -> int:
        version = self.state.get(key, ("", 0))[1]
        if expected is not None and expected != version:
            raise Refused("conflict", f"{key} is at version {version}")
        self.state[key] = value, version + 1
        return version + 1

    def _state_delete(self, key: str) -> bool:
        return self.state.pop(key, None) is not None

    def _state_list(self, prefix: str, after: str, limit: int) -> list[str]:
        return [key for key in sorted(self.state) if key.startswith(prefix) and key > after][:limit]

    def _http_fetch(self, _method: str, url: str, _headers: Any, _body: str, _timeout_ms: int) -> Any:
        if url not in self.replies:
            raise Refused("unavailable", f"nobody answers at {url}")
        return SimpleNamespace(status=200, headers=[], body=self.replies[url])
