"""A clock that is moved by hand, ids that count, and folders that hold a journal."""

from __future__ import annotations

import hashlib
import itertools
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

from remit.journal import Draft, Journal

START_MS = 1_800_000_000_000


class SimClock:
    """Both clocks; each look at the monotonic one costs a microsecond."""

    def __init__(self):
        self.wall = START_MS
        self._mono = itertools.count(1_000_000_000, 1_000)
        self._skipped = 0

    def now_ms(self):
        return self.wall

    def time_ns(self):
        return self.now_ms() * 1_000_000

    def monotonic_ns(self):
        return next(self._mono) + self._skipped

    def advance(self, ms):
        self.wall += ms
        self._skipped += ms * 1_000_000


class SimIds:
    """Ids in order, and bytes that look random but are not."""

    def __init__(self, prefix="ID"):
        self._prefix = prefix
        self._count = itertools.count(1)

    def new(self):
        return f"{self._prefix}{next(self._count):0{26 - len(self._prefix)}d}"

    def random(self, count):
        return hashlib.shake_128(str(next(self._count)).encode()).digest(count)


def journal_folder(folder):
    """A folder in which a journal can be made."""
    (folder / "blobs").mkdir(parents=True, mode=0o700)
    return folder


def open_journal(folder, *, write=True, prefix="ID"):
    return Journal(folder, SimClock(), SimIds(prefix), write=write)


@contextmanager
def temporary_folder():
    """For properties: one folder an example."""
    with tempfile.TemporaryDirectory() as name:
        yield journal_folder(Path(name) / "journal")


@contextmanager
def temporary_journal():
    with temporary_folder() as folder:
        journal = open_journal(folder)
        try:
            yield journal
        finally:
            journal.close()


def copy_of(folder, target):
    """What a backup or a power cut would find: the files as they are at this moment."""
    return Path(shutil.copytree(folder, target))


def say(kind, data=None, **rest):
    return Draft(type=kind, data=data, source="//other/client/1", **rest)


def rows_of(journal):
    return journal.execute("SELECT seq, generation, namespace, prev, hash, event FROM record ORDER BY seq")
