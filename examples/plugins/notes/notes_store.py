"""Notes in a SQLite database, as a service. Namespaces do not see each other's; policy decides who may call at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from remit.errors import UnitRejected
from remit.host.offers import Service
from remit.kernel.hookspecs import hookimpl
from remit.kernel.model import Caller
from remit.kernel.ports import Home

_MOST_NOTES = 10_000
_PATIENCE_S = 5.0
_TABLES = (
    "CREATE TABLE IF NOT EXISTS note(id INTEGER PRIMARY KEY, namespace TEXT, text TEXT) STRICT",
    "CREATE INDEX IF NOT EXISTS note_namespace ON note(namespace)",
)
_TEXT = {"type": "string", "minLength": 1, "maxLength": 4_000}
_ADD = {"type": "object", "required": ["text"], "additionalProperties": False, "properties": {"text": _TEXT}}
_FIND = {
    "type": "object",
    "required": ["word"],
    "additionalProperties": False,
    "properties": {
        "word": {"type": "string", "minLength": 1, "maxLength": 100},
        "limit": {"type": "integer", "minimum": 1, "maximum": 100},
    },
}
_NOTE = {"type": "object", "required": ["id", "text"], "properties": {"id": {"type": "integer"}, "text": _TEXT}}
_FOUND = {"type": "object", "required": ["notes"], "properties": {"notes": {"type": "array", "items": _NOTE}}}


class Notes:
    """The notes in one database file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._open() as database:
            database.execute(
                "CREATE TABLE IF NOT EXISTS note(id INTEGER PRIMARY KEY, namespace TEXT, text TEXT) STRICT"
            )
            database.execute("CREATE INDEX IF NOT EXISTS note_namespace ON note(namespace)")

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        # A connection for each call: the kernel may call from any thread. "with" of sqlite3 commits and does not close.
        database = sqlite3.connect(self._path, timeout=_PATIENCE_S)
        try:
            with database:
                yield database
        finally:
            database.close()

    def add(self, value: dict[str, Any], caller: Caller) -> dict[str, Any]:
        """Keep a note."""
        with self._open() as database:
            sql = "SELECT COUNT(*) FROM note WHERE namespace=?"
            if database.execute(sql, (caller.namespace,)).fetchone()[0] >= _MOST_NOTES:
                raise UnitRejected(f"there are {_MOST_NOTES} notes: that is all this namespace may have")
            sql = "INSERT INTO note(namespace, text) VALUES(?,?)"
            added = database.execute(sql, (caller.namespace, value["text"]))
            return {"id": added.lastrowid, "text": value["text"]}

    def find(self, value: dict[str, Any], caller: Caller) -> dict[str, Any]:
        """Notes that have a word in them, newest first."""
        sql = "SELECT id, text FROM note WHERE namespace=? AND instr(lower(text), lower(?)) ORDER BY id DESC LIMIT ?"
        with self._open() as database:
            rows = database.execute(sql, (caller.namespace, value["word"], value.get("limit", 20))).fetchall()
        return {"notes": [{"id": number, "text": text} for number, text in rows]}


@hookimpl
def remit_services(home: Home) -> list[Service]:
    """Adding and finding, for the notes of this home."""
    notes = Notes(home.root / "notes.sqlite3")
    return [
        Service(name="notes/store:add", call=notes.add, input=_ADD, output=_NOTE, title="Keep a note"),
        Service(
            name="notes/store:find", call=notes.find, input=_FIND, output=_FOUND, title="Find notes", idempotent=True
        ),
    ]
