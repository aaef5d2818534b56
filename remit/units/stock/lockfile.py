"""``remit.lock`` in its home: read for planning, kept in step by applies, written by a sync.

A home without the file has none: only ``remit unit sync`` and ``upgrade`` make one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from remit.errors import HomeReadOnly
from remit.journal import write_atomically
from remit.kernel.model import Release
from remit.kernel.ports import Home
from remit.units.generations.following import Following
from remit.units.generations.generation import ActiveUnit
from remit.units.stock.installed import Installed, InstalledUnit, Library
from remit.units.stock.locking import NAME, Lock, Locked, locked, read_lock, write_lock

__all__ = ["LockFile", "as_release"]


def as_release(unit: InstalledUnit, library: Library) -> Release:
    """An installed unit as what it was when it came."""
    requires = library.manifest(unit.ref.digest).requires.units
    return Release(unit.ref.id, unit.ref.version, unit.ref.digest, unit.origin, dict(requires))


class LockFile:
    """The operator's lock, as the lifecycle keeps it."""

    def __init__(self, home: Home, library: Library) -> None:
        self._path = home.root / NAME
        self._library = library
        self._file = Following(self._path, home.private)

    def read(self) -> Lock | None:
        """The lock; ``None`` where the home has none.

        :raises LockInvalid: if it is malformed
        """
        text = self._file.read()
        return None if text is None else read_lock(text)

    def entry(self, unit: InstalledUnit) -> Locked:
        """What the lock says of an installed unit."""
        return locked(as_release(unit, self._library), unit.signer, unit.checkpoint)

    def prepare(self, units: Sequence[ActiveUnit], installed: Installed) -> dict[str, str]:
        """Have the lock follow a coming commit of these units; nothing where the home has none.

        :raises HomeReadOnly: if the file could not be replaced later: nothing was applied
        """
        text = self._file.read()
        if text is None:
            return {}
        before = read_lock(text)
        entries = []
        for unit in units:
            known, here = before.unit(unit.ref.id), installed.by_digest.get(unit.ref.digest)
            if known is not None and known.digest == unit.ref.digest:
                entries.append(known)
            elif here is not None:
                entries.append(self.entry(here))
        same = sorted(entries, key=lambda one: one.id) == sorted(before.units, key=lambda one: one.id)
        return self._file.prepare(text, text if same else write_lock(entries).encode())

    def forget(self) -> None:
        """The commit failed: the coming text will not come."""
        self._file.forget()

    def follow(self, committed: Mapping[str, str]) -> None:
        """Move the text of a commit into place."""
        self._file.follow(committed)

    def write(self, entries: Iterable[Locked]) -> bool:
        """Write the lock, whole; gives whether it says anything else than before.

        :raises HomeReadOnly: if it cannot be written
        """
        text = write_lock(entries).encode()
        if self._file.read() == text:
            return False
        try:
            write_atomically(self._path.resolve(), text, mode=0o644)
        except OSError as error:
            raise HomeReadOnly(f"{NAME} cannot be written: {error.strerror}") from error
        return True
