"""``files``: whole files below granted folders, by canonical path; see :mod:`remit.sandbox.interfaces.tree`.

A write is journalled durably before it happens, and its outcome after it; what is in a file is not journalled.
"""

from __future__ import annotations

import base64
import binascii
import posixpath
from typing import Any, Final

from remit.journal.event import Draft
from remit.kernel.hostcall import Ok, Refused
from remit.kernel.model import Grant
from remit.kernel.scope import Scope
from remit.sandbox.interfaces.tree import MAX_ENTRIES, MAX_FILE, entries, read_file, refusal, write_file

__all__ = ["FUNCTIONS", "normal_path"]

_MAX_PATH = 4096


def normal_path(path: str) -> str | None:
    """The absolute path without ``.``, ``..`` and double slashes; ``None`` if it is not absolute or has a NUL.

    Only text is looked at: links are refused by whoever opens the file.
    """
    if not path.startswith("/") or "\0" in path or len(path.encode()) > _MAX_PATH:
        return None
    # POSIX lets two leading slashes mean something of their own; here they do not.
    return "/" + posixpath.normpath(path).lstrip("/")


def _ask(scope: Scope, action: str, path: str, nbytes: int = 0) -> tuple[str, Grant] | Refused:
    normal = normal_path(path)
    if normal is None:
        return Refused("invalid", f"a path must be absolute, without NUL, and of at most {_MAX_PATH} bytes")
    if scope.record is None:
        return Refused("unavailable", "units use no files here")
    grant = scope.require(action, normal, nbytes=nbytes)
    return grant if isinstance(grant, Refused) else (normal, grant)


def _read(scope: Scope, path: str, encoding: str) -> Ok | Refused:
    asked = _ask(scope, "fs:read", path)
    if isinstance(asked, Refused):
        return asked
    try:
        data = read_file(asked[0])
    except OSError as error:
        return refusal(error, asked[0])
    if len(data) > MAX_FILE:
        return Refused("exhausted", f"{asked[0]} has more than {MAX_FILE} bytes")
    charged = scope.require("fs:read", asked[0], calls=0, nbytes=len(data))
    if isinstance(charged, Refused):
        return charged
    if encoding == "base64":
        return Ok(base64.b64encode(data).decode())
    try:
        return Ok(data.decode())
    except UnicodeDecodeError:
        return Refused("invalid", f"{asked[0]} is not UTF-8: ask for base64")


def _write(scope: Scope, path: str, content: str, encoding: str) -> Ok | Refused:
    try:
        data = base64.b64decode(content, validate=True) if encoding == "base64" else content.encode()
    except (binascii.Error, ValueError):
        return Refused("invalid", "the content is not base64")
    if len(data) > MAX_FILE:
        return Refused("invalid", f"a file has at most {MAX_FILE} bytes")
    asked = _ask(scope, "fs:write", path, len(data))
    if isinstance(asked, Refused):
        return asked
    normal, grant = asked
    if normal == "/":
        return Refused("invalid", "/ is no file")
    unit = scope.program.unit
    facts = {"unit": unit.id, "digest": unit.digest, "path": normal, "bytes": len(data), "grant": grant.id}
    facts |= {"policies": list(grant.policies)}
    intent = scope.ids.new()
    _record(scope, "file.intended", facts, intent, wait=True)
    try:
        write_file(normal, data, f".{intent}.tmp")
    except OSError as error:
        refused = refusal(error, normal)
        outcome = {"intent": intent, "code": refused.code, "reason": refused.message}
        _record(scope, "file.failed", facts | outcome, "", wait=False)
        return refused
    _record(scope, "file.written", facts | {"intent": intent}, "", wait=False)
    return Ok(len(data))


def _record(scope: Scope, kind: str, data: dict[str, Any], event: str, *, wait: bool) -> None:
    assert scope.record is not None
    scope.record(Draft(type=kind, id=event, subject=scope.program.unit.id, data=data), wait)


def _list(scope: Scope, path: str) -> Ok | Refused:
    asked = _ask(scope, "fs:read", path)
    if isinstance(asked, Refused):
        return asked
    try:
        names = entries(asked[0])
    except OSError as error:
        return refusal(error, asked[0])
    if names is None:
        return Refused("exhausted", f"{asked[0]} has more than {MAX_ENTRIES} entries")
    return Ok(names)


FUNCTIONS: Final = {"list": _list, "read": _read, "write": _write}
