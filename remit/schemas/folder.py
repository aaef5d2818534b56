"""Reading the files that a contract names from a folder that may be hostile. It never writes and never lists."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from remit.errors import ValueInvalid

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["read_inside"]


def read_inside(root: Path, name: str, *, limit: int) -> bytes | None:
    """The bytes of ``root/name``, or ``None`` where there is no such file.

    Links may lead elsewhere in the folder, never out of it; pipes and devices are not waited for.

    :param limit: the most bytes that are read
    :raises ValueInvalid: if the file leads outside, is no regular file, is larger, or cannot be read
    """
    try:
        base = root.resolve(strict=True)
        place = (base / name).resolve(strict=True)
        if not place.is_relative_to(base):
            raise ValueInvalid(f"{name!r} leads out of the folder", remedy="copy the file into the unit's folder")
        # A pipe would block on open; a link that replaced the file since it was resolved is not followed.
        descriptor = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, RuntimeError) as error:  # no permission, a NUL in the name, a loop of links
        raise ValueInvalid(f"{name!r} cannot be read: {type(error).__name__}") from error
    try:
        data = _read(descriptor, limit) if stat.S_ISREG(os.fstat(descriptor).st_mode) else None
    except OSError as error:
        raise ValueInvalid(f"{name!r} cannot be read: {type(error).__name__}") from error
    finally:
        os.close(descriptor)
    if data is None:
        raise ValueInvalid(f"{name!r} is not a regular file")
    if len(data) > limit:
        raise ValueInvalid(f"{name!r} has more than {limit} bytes")
    return data


def _read(descriptor: int, limit: int) -> bytes:
    with open(descriptor, "rb", closefd=False) as file:
        return file.read(limit + 1)
