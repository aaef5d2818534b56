"""``remit.toml`` as applies write it: its coming text from a generation, in the form that the operator's editor gave.

How it gets into place without being lost is :mod:`remit.units.generations.following`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from remit.errors import ConfigInvalid, PlanStale
from remit.journal import digest_of
from remit.kernel.ports import Home
from remit.schemas.config import load_config
from remit.units.generations.following import Following
from remit.units.generations.generation import Generation
from remit.units.generations.wanted import rewrite

__all__ = ["ConfigFile"]


class ConfigFile:
    """The operator's file, as the lifecycle edits it."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._file = Following(home.config_path, home.private)

    def prepare(self, generation: Generation, planned: str) -> dict[str, str]:
        """Write the coming text beside the journal; give the digests ``before`` and ``after`` for the commit to hold.

        :param planned: digest of the text that the plan was made from
        :raises PlanStale: if the operator edited the file meanwhile
        :raises ConfigInvalid: if the coming text could not be read back: nothing was applied
        :raises HomeReadOnly: if the file could not be replaced later: nothing was applied
        """
        before = self._file.read()
        if before is None:
            raise ConfigInvalid("remit.toml is gone", remedy="restore it, or make a home with 'remit init'")
        if digest_of(before) != planned:
            raise PlanStale("the plan is stale: remit.toml was edited")
        after = _in_its_form(
            before.decode(), lambda text: rewrite(text, generation.units, generation.documents, self._home.config)
        ).encode()
        if after != before:
            load_config(after)
        return self._file.prepare(before, after)

    def forget(self) -> None:
        """The commit failed: the coming text will not come."""
        self._file.forget()

    def follow(self, committed: Mapping[str, str]) -> None:
        """Move the text of a commit into place; an edit that the operator made meanwhile stays, as drift."""
        self._file.follow(committed)


def _in_its_form(text: str, edit: Callable[[str], str]) -> str:
    """The edited text, with the byte order mark and the line ends that the operator's editor gave it."""
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    windows = text.count("\r\n") == text.count("\n") > 0
    plain = text.removeprefix(mark)
    edited = edit(plain.replace("\r\n", "\n") if windows else plain)
    return mark + (edited.replace("\n", "\r\n") if windows else edited)
