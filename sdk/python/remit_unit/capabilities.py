"""What a unit may ask of its host, as natural Python.

In the sandbox these are the imports of the unit's world; natively they go to :class:`remit_unit.native.Memory`. A world
is narrowed to its manifest, so an interface that is not declared is missing, and refused here by name.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from remit_unit import _world

__all__ = ["Response", "call", "emit", "files", "http", "log", "parameters", "secret", "state"]


def parameters() -> dict[str, Any]:
    """The unit's parameters, as its schema validated them."""
    found: dict[str, Any] = json.loads(_world.ask("parameters", "get") or "{}")
    return found


def emit(topic: str, data: Any = None) -> str:
    """Say that something happened, when the call commits; gives the event's id.

    :raises Refused: if no grant covers the topic
    """
    return str(_world.ask("events", "emit", topic, "application/json", json.dumps(data)))


def call(action: str, value: Any = None) -> Any:
    """Call another unit's action, or a plugin's service.

    :raises Refused: if no grant covers it, or it failed
    """
    return json.loads(_world.ask("actions", "call", action, json.dumps(value)))


def secret(name: str) -> str:
    """A secret, by its name. It is masked wherever the call is recorded.

    :raises Refused: if no grant covers it, or there is none
    """
    return str(_world.ask("secrets", "read", name))


class _State:
    """The unit's own keys. Writes become visible to others when the call commits."""

    def get(self, key: str) -> str | None:
        """A key's value, or ``None``."""
        entry = _world.ask("state", "get", key)
        return None if entry is None else str(entry.value)

    def version(self, key: str) -> int:
        """A key's version, 0 where there is none: what :meth:`put` may expect."""
        entry = _world.ask("state", "get", key)
        return 0 if entry is None else int(entry.version)

    def put(self, key: str, value: str, *, expected: int | None = None) -> int:
        """Set a key and give its version.

        :param expected: the version that must be current (0: it must not exist)
        :raises Refused: ``conflict`` if another is current
        """
        return int(_world.ask("state", "put", key, value, expected))

    def delete(self, key: str) -> bool:
        """Remove a key; whether it was there."""
        return bool(_world.ask("state", "delete", key))

    def list(self, prefix: str = "", after: str = "", limit: int = 100) -> list[str]:
        """Keys that begin with ``prefix``, in order, behind ``after``."""
        return list(_world.ask("state", "list", prefix, after, limit))


class Response(NamedTuple):
    """What a server answered."""

    status: int
    headers: list[tuple[str, str]]
    body: str

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class _Http:
    """Requests to where the manifest's grants reach."""

    def get(self, url: str, headers: dict[str, str] | None = None, *, timeout_ms: int = 10_000) -> Response:
        """GET a URL. See :meth:`request`."""
        return self.request("GET", url, headers, timeout_ms=timeout_ms)

    def request(
        self, method: str, url: str, headers: dict[str, str] | None = None, body: str = "", *, timeout_ms: int = 10_000
    ) -> Response:
        """Send a request with a text body.

        :raises Refused: if no grant covers the origin and method, or nobody answers in time
        """
        answer = _world.fetch(method, url, list((headers or {}).items()), body, timeout_ms)
        return Response(int(answer.status), [(name, value) for name, value in answer.headers], str(answer.body))


class _Files:
    """Text files where the manifest's grants reach."""

    def read(self, path: str) -> str:
        """A file's text.

        :raises Refused: if no grant covers it, or it is not there
        """
        return _world.read_file(path)

    def write(self, path: str, content: str) -> int:
        """Replace a file by a text; gives its bytes.

        :raises Refused: if no grant covers it
        """
        return _world.write_file(path, content)

    def list(self, path: str) -> list[str]:
        """The names in a folder.

        :raises Refused: if no grant covers it, or it is not there
        """
        return list(_world.ask("files", "list", path))


class _Log:
    """Lines for whoever operates the unit."""

    def _write(self, level: str, message: str, fields: dict[str, Any]) -> None:
        _world.log(level, message, json.dumps(fields, default=str))

    def debug(self, message: str, **fields: Any) -> None:
        """For whoever looks for a fault."""
        self._write("debug", message, fields)

    def info(self, message: str, **fields: Any) -> None:
        """What is worth knowing."""
        self._write("info", message, fields)

    def warn(self, message: str, **fields: Any) -> None:
        """What somebody should look at."""
        self._write("warn", message, fields)

    def error(self, message: str, **fields: Any) -> None:
        """What failed."""
        self._write("error", message, fields)


state = _State()
http = _Http()
files = _Files()
log = _Log()
