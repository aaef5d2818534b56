"""The JSON Schemas that ``remit.toml`` declares for documents and slots, read where it names a file of the home."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from remit.errors import ConfigInvalid, SchemaInvalid
from remit.schemas import Validator
from remit.schemas.config import Config

__all__ = ["DeclaredSchemas"]

_MOST = 1 << 20


class DeclaredSchemas:
    """The declared schemas of one home; a file is read when its schema is asked for, and once."""

    def __init__(self, root: Path, config: Config) -> None:
        self._root = root.resolve()
        self._config = config
        self._read: dict[str, dict[str, Any] | None] = {}

    def document(self, name: str) -> dict[str, Any] | None:
        """The schema that a declared document must follow.

        :raises ConfigInvalid: if it cannot be read, or is no schema
        """
        return self._load(self._config.documents[name].schema, f"document {name!r}")

    def slot(self, name: str, side: str) -> dict[str, Any] | None:
        """The schema of the ``input`` or ``output`` of what fills a declared slot.

        :raises ConfigInvalid: if it cannot be read, or is no schema
        """
        return self._load(getattr(self._config.slots[name], side), f"slot {name!r} ({side})")

    def _load(self, declared: dict[str, Any] | str | None, of: str) -> dict[str, Any] | None:
        if of not in self._read:
            schema = self._file(declared, of) if isinstance(declared, str) else declared
            if schema is not None:
                try:
                    Validator(schema)
                except SchemaInvalid as error:
                    raise ConfigInvalid(f"the schema of {of} is none: {error.message}") from error
            self._read[of] = schema
        return self._read[of]

    def _file(self, name: str, of: str) -> dict[str, Any]:
        path = (self._root / name).resolve()
        if not path.is_relative_to(self._root):
            raise ConfigInvalid(f"the schema of {of} lies outside the home: {name}")
        try:
            with path.open("rb") as file:
                data = file.read(_MOST + 1)
            if len(data) > _MOST:
                raise ConfigInvalid(f"the schema of {of} has more than {_MOST >> 20} MiB: {name}")
            return msgspec.json.decode(data, type=dict[str, Any])
        except (OSError, msgspec.DecodeError, msgspec.ValidationError, RecursionError) as error:
            raise ConfigInvalid(f"the schema of {of} cannot be read: {error}") from error
