"""``files``: asks for the lease of a path; files themselves cannot be read or written yet, which is answered so."""

from __future__ import annotations

import posixpath
from typing import Final

from remit.kernel.hostcall import Ok, Refused
from remit.kernel.scope import Scope

__all__ = ["FUNCTIONS", "normal_path"]

_MAX_PATH = 4096


def normal_path(path: str) -> str | None:
    """The absolute path without ``.``, ``..`` and double slashes; ``None`` if it is not absolute or has a NUL.

    Only text is looked at: links are for whoever opens the file to follow, or not.
    """
    if not path.startswith("/") or "\0" in path or len(path.encode()) > _MAX_PATH:
        return None
    # POSIX lets two leading slashes mean something of their own; here they do not.
    return "/" + posixpath.normpath(path).lstrip("/")


def _ask(scope: Scope, action: str, path: str, nbytes: int = 0) -> Refused:
    normal = normal_path(path)
    if normal is None:
        return Refused("invalid", "a path must be absolute, without NUL, and of at most 4096 bytes")
    grant = scope.require(action, normal, nbytes=nbytes)
    if isinstance(grant, Refused):
        return grant
    return Refused("unavailable", "this version of remit serves no files")


def _read(scope: Scope, path: str, _encoding: str) -> Ok | Refused:
    return _ask(scope, "fs:read", path)


def _write(scope: Scope, path: str, content: str, _encoding: str) -> Ok | Refused:
    return _ask(scope, "fs:write", path, len(content.encode()))


def _list(scope: Scope, path: str) -> Ok | Refused:
    return _ask(scope, "fs:read", path)


FUNCTIONS: Final = {"list": _list, "read": _read, "write": _write}
