"""What is being sent to a registry: a file each, in a folder that processes may share, and no more than may be.

An upload's id begins with a mark of who began it, so that it is theirs, and counts as theirs, in every process.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from remit.errors import ReferenceUnknown
from remit.errors.refusals import UploadsTooMany
from remit.kernel.ports import Clock, Ids

__all__ = ["Uploads"]

_STALE_MS = 24 * 3_600_000
_IDLE_MS = 10 * 60_000
"""After so long without a byte an upload may go, where there are too many."""
_MOST_OF_ONE = 64
_MOST_OF_ALL = 1_024
_MARK = 16
_LONGEST = 64


class Uploads:
    """The uploads in one folder."""

    def __init__(self, folder: Path, clock: Clock, ids: Ids) -> None:
        self._folder = folder
        self._clock = clock
        self._ids = ids

    def begin(self, writer: str = "") -> str:
        """The id of a new upload, which says whose it is. One writer may have 64 open, all together 1,024.

        Beyond that those go first to which nobody added for ten minutes. Processes that begin some in the same moment
        may be a few beyond it.

        :raises UploadsTooMany: if all are in use
        """
        mark = _mark(writer)
        self._make_room(mark, _MOST_OF_ONE)
        self._make_room("", _MOST_OF_ALL)
        upload = mark + self._ids.new()
        (self._folder / upload).touch(exist_ok=False)
        return upload

    @staticmethod
    def begun_by(upload: str, writer: str) -> bool:
        """Whether an upload is a writer's own."""
        return upload.startswith(_mark(writer))

    def cancel(self, upload: str) -> None:
        """End an upload, unless it ended already."""
        with suppress(ReferenceUnknown):
            self.path(upload).unlink(missing_ok=True)

    def _make_room(self, mark: str, most: int) -> None:
        # What begins with a dot is a file on its way to its place, not an upload.
        there = [path for path in self._folder.iterdir() if path.name[0] != "." and path.name.startswith(mark)]
        if len(there) < most:
            return
        ages = {}
        for path in there:
            with suppress(FileNotFoundError):  # it ended meanwhile
                ages[path.name] = self._clock.now_ms() - path.stat().st_mtime * 1000
        left = len(ages)
        for upload in sorted(ages, key=lambda name: ages[name], reverse=True):
            if left < most or ages[upload] <= _IDLE_MS:
                break
            with suppress(ReferenceUnknown, BlockingIOError), self.growing(upload):  # one that is held is in use
                self.cancel(upload)
                left -= 1
        if left >= most:
            raise UploadsTooMany(f"{most} uploads are open {'in all' if not mark else 'already'}")

    def path(self, upload: str) -> Path:
        """Where an upload grows.

        :raises ReferenceUnknown: if there is none with that id
        """
        path = self._folder / upload
        if len(upload) > _LONGEST or not upload.isalnum() or not path.is_file():
            raise ReferenceUnknown(f"there is no upload {upload[:40]!r}")
        return path

    @contextmanager
    def growing(self, upload: str) -> Iterator[BinaryIO]:
        """An upload, open at its end and held for one writer: nothing is added to what somebody else reads or finishes.

        :raises ReferenceUnknown: if there is none with that id
        :raises BlockingIOError: if somebody else holds it
        """
        path = self.path(upload)
        try:
            with path.open("r+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _check_same(path, file)
                file.seek(0, os.SEEK_END)
                yield file
        except FileNotFoundError:  # it was finished or cancelled meanwhile
            raise ReferenceUnknown(f"there is no upload {upload[:40]!r}") from None

    def sweep(self) -> None:
        """Remove what uploads and crashes left behind more than a day ago."""
        for path in self._folder.iterdir():
            with suppress(FileNotFoundError):  # another process sweeps too, or finished it
                if self._clock.now_ms() - path.stat().st_mtime * 1000 > _STALE_MS:
                    path.unlink()


def _check_same(path: Path, file: BinaryIO) -> None:
    """Whether a path still leads to the open file.

    :raises FileNotFoundError: if it does not
    """
    if not os.path.samestat(path.stat(), os.fstat(file.fileno())):
        raise FileNotFoundError(path)


def _mark(writer: str) -> str:
    return hashlib.sha256(writer.encode()).hexdigest()[:_MARK]
