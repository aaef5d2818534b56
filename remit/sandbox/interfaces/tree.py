"""Files by canonical path, opened one name at a time and never through a link: what policy saw is what is opened.

The walk is that of ``openat2(2)`` with ``RESOLVE_NO_SYMLINKS``, which Python does not offer: each folder is opened
relative to the one before with ``O_NOFOLLOW``, so that a folder swapped for a link in the middle of it is refused. What
is no regular file (a pipe, a device, a socket) is never opened for reading or writing.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from typing import Final

from remit.kernel.answers import Refused

__all__ = ["MAX_ENTRIES", "MAX_FILE", "entries", "read_file", "refusal", "write_file"]

MAX_FILE: Final = 4 << 20
"""Bytes of one file."""
MAX_ENTRIES: Final = 10_000
"""Entries of one listed folder."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_STEP = _FOLDER | getattr(os, "O_PATH", 0)
"""Passing through a folder takes no right to list it, where the system can tell the two apart."""
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_PRIVATE = 0o600


class _NotAFileError(OSError):
    """There is something else under that name."""


@contextmanager
def _folder(path: str) -> Iterator[int]:
    """A descriptor of the folder at a canonical path."""
    descriptor = os.open("/", _STEP)
    try:
        for name in filter(None, path.split("/")):
            inner = os.open(name, _STEP, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


def _split(path: str) -> tuple[str, str]:
    folder, _, name = path.rpartition("/")
    return folder or "/", name


def _kind(name: str, folder: int) -> os.stat_result | None:
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode):
        raise _NotAFileError
    return found


def read_file(path: str) -> bytes:
    """The bytes of a regular file, at most :data:`MAX_FILE` and one.

    :raises OSError: if it is not there, no regular file, or behind a link; see :func:`refusal`
    """
    parent, name = _split(path)
    with _folder(parent) as folder:
        if _kind(name, folder) is None:
            raise FileNotFoundError
        with os.fdopen(os.open(name, _READ, dir_fd=folder), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise _NotAFileError
            return file.read(MAX_FILE + 1)


def write_file(path: str, data: bytes, temporary: str) -> None:
    """Put a whole file in place of what was there, durably and all at once; new files are their owner's alone.

    :param temporary: a fresh name in the same folder
    :raises OSError: as :func:`read_file`
    """
    parent, name = _split(path)
    with _folder(parent) as folder:
        before = _kind(name, folder)
        descriptor = os.open(temporary, _CREATE, _PRIVATE, dir_fd=folder)
        try:
            with os.fdopen(descriptor, "wb") as file:
                if before is not None:
                    os.fchmod(file.fileno(), stat.S_IMODE(before.st_mode) & 0o777)
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary, dir_fd=folder)
            raise
        with suppress(PermissionError):  # a folder that one may write to but not list: the file's own bytes are safe
            _sync(folder)


def _sync(folder: int) -> None:
    readable = os.open(".", _FOLDER, dir_fd=folder)
    try:
        os.fsync(readable)
    finally:
        os.close(readable)


def entries(path: str) -> list[str] | None:
    """The names in a folder, sorted, folders with a slash behind; ``None`` if there are more than :data:`MAX_ENTRIES`.

    Names that are not printable UTF-8 are left out: no unit could say them.

    :raises OSError: as :func:`read_file`
    """
    with _folder(path) as folder:
        readable = os.open(".", _FOLDER, dir_fd=folder)
        try:
            with os.scandir(readable) as scanned:
                found = list(islice(scanned, MAX_ENTRIES + 1))
                names = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in found]
        finally:
            os.close(readable)
    if len(found) > MAX_ENTRIES:
        return None
    return sorted(name + ("/" if folder else "") for name, folder in names if name.isprintable())


def refusal(error: OSError, path: str) -> Refused:
    """What a unit is told of an error, in words that are the same whoever runs the host."""
    if isinstance(error, _NotAFileError):
        return Refused("denied", f"{path} is no regular file")
    match error.errno:
        case errno.ENOENT | None if isinstance(error, FileNotFoundError):
            return Refused("not-found", f"there is no {path}")
        case errno.ELOOP | errno.ENOTDIR:
            return Refused("denied", f"a part of {path} is no folder, or a link: links are not followed")
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return Refused("denied", f"the system does not let the host at {path}")
        case errno.ENOSPC | errno.EDQUOT | errno.EFBIG:
            return Refused("exhausted", f"there is no room for {path}")
        case errno.ENAMETOOLONG:
            return Refused("invalid", "a part of the path is too long")
    return Refused("unavailable", f"{path} cannot be used: {os.strerror(error.errno or errno.EIO)}")
