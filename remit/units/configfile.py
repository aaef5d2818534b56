"""``remit.toml`` following the journal: never ahead of a commit, never lost behind one.

The coming text is written beside the journal before the commit and moved into place after it; the commit holds the
digests of both texts. Killed in between, the next start does the move, unless the operator edited the file meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from remit.errors import HomeReadOnly
from remit.journal import digest_of, write_atomically
from remit.kernel.ports import Home
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

    @contextmanager
    def following(self, generation: Generation) -> Iterator[dict[str, str]]:
        """Make the file say what a generation holds, if the commit inside the ``with`` succeeds.

        Gives the digests ``before`` and ``after``, for the commit to hold.

        :raises HomeReadOnly: before anything happened, if the file could not be replaced later
        """
        before = self._home.config_path.read_bytes()
        after = rewrite(before.decode(), generation.units, generation.documents, self._home.config).encode()
        if after != before:
            if not os.access(self._home.config_path, os.W_OK) or not os.access(self._home.root, os.W_OK):
                raise HomeReadOnly("remit.toml cannot be written, so nothing was applied")
            write_atomically(self._pending, after)
        try:
            yield {"before": digest_of(before), "after": digest_of(after)}
        except BaseException:
            self._pending.unlink(missing_ok=True)
            raise
        self._move()

    def recover(self, committed: Mapping[str, str]) -> None:
        """Do the move of the last commit, or forget a text that was never committed."""
        if not self._pending.exists():
            return
        now = digest_of(self._home.config_path.read_bytes())
        ours = committed.get("after") == digest_of(self._pending.read_bytes())
        if ours and committed.get("before") == now:
            self._move()
        else:
            self._pending.unlink()

    def _move(self) -> None:
        if self._pending.exists():
            mode = self._home.config_path.stat().st_mode & 0o777
            write_atomically(self._home.config_path, self._pending.read_bytes(), mode=mode)
            self._pending.unlink()
        self._home.reload()
