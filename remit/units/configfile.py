"""``remit.toml`` following the journal: never ahead of a commit, never lost behind one.

The coming text is written beside the journal before the commit and moved into place after it; the commit holds the
digests of both texts. Killed in between, the next start does the move, unless the operator edited the file meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from remit.errors import HomeReadOnly, PlanStale
from remit.journal import digest_of, translate_os_error, write_atomically
from remit.kernel.ports import Home
from remit.schemas.config import load_config
from remit.units.generation import Generation
from remit.units.wanted import rewrite

__all__ = ["ConfigFile"]


class ConfigFile:
    """The operator's file, as the lifecycle edits it."""

    def __init__(self, home: Home) -> None:
        self._home = home

    @property
    def _pending(self) -> Path:
        return self._home.private / "remit.toml.pending"

    def prepare(self, generation: Generation, planned: str) -> dict[str, str]:
        """Write the coming text beside the journal; give the digests ``before`` and ``after`` for the commit to hold.

        :param planned: digest of the text that the plan was made from
        :raises PlanStale: if the operator edited the file meanwhile
        :raises ConfigInvalid: if the coming text could not be read back: nothing was applied
        :raises HomeReadOnly: if the file could not be replaced later: nothing was applied
        """
        before = self._read()
        if digest_of(before) != planned:
            raise PlanStale("the plan is stale: remit.toml was edited")
        after = _in_its_form(
            before.decode(), lambda text: rewrite(text, generation.units, generation.documents, self._home.config)
        ).encode()
        if after != before:
            load_config(after)
            if not os.access(self._file, os.W_OK) or not os.access(self._file.parent, os.W_OK):
                raise HomeReadOnly("remit.toml cannot be written, so nothing was applied")
            write_atomically(self._pending, after)
        return {"before": digest_of(before), "after": digest_of(after)}

    def forget(self) -> None:
        """The commit failed: the coming text will not come."""
        self._pending.unlink(missing_ok=True)

    def follow(self, committed: Mapping[str, str]) -> None:
        """Move the text of a commit into place; an edit that the operator made meanwhile stays, as drift."""
        if self._pending.exists():
            ours = committed.get("after") == digest_of(self._pending.read_bytes())
            if ours and committed.get("before") == digest_of(self._read()):
                mode = self._file.stat().st_mode & 0o777
                write_atomically(self._file, self._pending.read_bytes(), mode=mode)
            self._pending.unlink()

    @property
    def _file(self) -> Path:
        # A link stays a link: what it points to is the operator's file.
        return self._home.config_path.resolve()

    def _read(self) -> bytes:
        try:
            return self._file.read_bytes()
        except OSError as error:
            raise translate_os_error(error, "reading remit.toml") from error


def _in_its_form(text: str, edit: Callable[[str], str]) -> str:
    """The edited text, with the byte order mark and the line ends that the operator's editor gave it."""
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    windows = text.count("\r\n") == text.count("\n") > 0
    plain = text.removeprefix(mark)
    edited = edit(plain.replace("\r\n", "\n") if windows else plain)
    return mark + (edited.replace("\n", "\r\n") if windows else edited)
