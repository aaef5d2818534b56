"""Writing files so that a crash leaves the old bytes or the new ones, and saying what went wrong in our own errors."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

from remit.errors import DiskFull, HomeError, HomeReadOnly, RemitError

__all__ = ["sync_folder", "translate_os_error", "write_atomically"]


def translate_os_error(error: OSError, what: str) -> RemitError:
    """The typed error for an operating-system error met while doing ``what``."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(f"the disk is full while {what}")
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return HomeReadOnly(f"no permission while {what}: {error.strerror}")
    return HomeError(f"{what} failed: {error.strerror or error}")


def write_atomically(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Write a file whole or not at all, durably: fsync, rename, fsync the folder.

    :raises DiskFull: if there is no room; the old file stays
    :raises HomeReadOnly: if the folder cannot be written
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)
    except OSError as error:
        raise translate_os_error(error, f"writing {path.name}") from error


def sync_folder(folder: Path) -> None:
    """Make renames inside a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
