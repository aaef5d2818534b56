"""A file of the operator's that follows the journal: never ahead of a commit, never lost behind one.

The coming text is written beside the journal before the commit and moved into place after it; the commit holds the
digests of both texts. Killed in between, the next start does the move, unless the operator edited the file meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from remit.errors import HomeReadOnly
from remit.journal import digest_of, translate_os_error, write_atomically

__all__ = ["Following"]


class Following:
    """One such file.

    :param path: the operator's file
    :param private: the kernel's own folder, where the coming text waits
    """

    def __init__(self, path: Path, private: Path) -> None:
        self._path = path
        self._pending = private / f"{path.name}.pending"

    def read(self) -> bytes | None:
        """The text as it is now; ``None`` where there is no such file.

        :raises HomeError: if it cannot be read
        """
        try:
            return self._file.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise translate_os_error(error, f"reading {self._path.name}") from error

    def prepare(self, before: bytes, after: bytes) -> dict[str, str]:
        """Write the coming text beside the journal; give the digests ``before`` and ``after`` for the commit to hold.

        :raises HomeReadOnly: if the file could not be replaced later
        """
        if after != before:
            if not os.access(self._file, os.W_OK) or not os.access(self._file.parent, os.W_OK):
                raise HomeReadOnly(f"{self._path.name} cannot be written, so nothing was applied")
            write_atomically(self._pending, after)
        return {"before": digest_of(before), "after": digest_of(after)}

    def forget(self) -> None:
        """The commit failed: the coming text will not come."""
        self._pending.unlink(missing_ok=True)

    def follow(self, committed: Mapping[str, str]) -> None:
        """Move the text of a commit into place; an edit that the operator made meanwhile stays, as drift."""
        if self._pending.exists():
            now = self.read()
            ours = committed.get("after") == digest_of(self._pending.read_bytes())
            if ours and now is not None and committed.get("before") == digest_of(now):
                mode = self._file.stat().st_mode & 0o777
                write_atomically(self._file, self._pending.read_bytes(), mode=mode)
            self._pending.unlink()

    @property
    def _file(self) -> Path:
        # A link stays a link: what it points to is the operator's file.
        return self._path.resolve()
