"""``secrets``: what the operator keeps outside ``remit.toml`` and names there, read when a unit asks and never kept.

The call remembers what it was given: its log, errors, journalled output and transcript have the secret masked, and it
cannot be put into state, an event or another unit's input. That guards against accidents, an unit that encodes a secret
before it leaks it is stopped by what it may reach, not by this.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from remit.kernel.hostcall import Ok, Refused
from remit.kernel.scope import HostFunction, Scope

if TYPE_CHECKING:
    from remit.kernel.ports import Home

__all__ = ["Secrets", "holds_secret"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_SHORTEST = 4
"""Characters; a shorter one could not be masked without masking everything."""
_LONGEST = 64 << 10
_OTHERS = 0o077
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def holds_secret(scope: Scope, *texts: str) -> Refused | None:
    """A refusal if something that would be kept, or handed to another unit, holds a secret that the call was given."""
    if scope.secrets and any(scope.masked(text) != text for text in texts):
        return Refused("denied", "it holds a secret that this call was given, and secrets are not kept")
    return None


class Secrets:
    """The interface of one home. What ``remit.toml`` names is looked up at each use."""

    def __init__(self, home: Home) -> None:
        self._home = home

    @property
    def functions(self) -> dict[str, HostFunction]:
        """By the WIT's name."""
        return {"read": self._read}

    def _read(self, scope: Scope, name: str) -> Ok | Refused:
        if not _NAME.fullmatch(name):
            return Refused("invalid", "a secret's name has letters, digits, '_', '.' and '-', at most 128")
        grant = scope.require("secret:read", name)
        if isinstance(grant, Refused):
            return grant
        secret = self.find(name)
        if isinstance(secret, str):
            scope.secrets[name] = secret
            return Ok(secret)
        return secret

    def find(self, name: str) -> str | Refused:
        """The secret that the operator declared under a name, or why there is none."""
        where = self._home.config.secrets.get(name)
        if where is None:
            return Refused("not-found", f"remit.toml declares no [secret.{name}]")
        if "env" in where:
            secret = os.environ.get(where["env"], "")
        else:
            try:
                secret = _from_file(self._home.root, where["file"])
            except OSError:
                return Refused("unavailable", f"the file of the secret {name} is not there, or open to others")
            except UnicodeDecodeError:
                return Refused("unavailable", f"the secret {name} is not UTF-8")
        if not _SHORTEST <= len(secret) <= _LONGEST:
            return Refused(
                "unavailable", f"the secret {name} is not set, or not of {_SHORTEST} to {_LONGEST} characters"
            )
        return secret


def _from_file(root: Path, name: str) -> str:
    """The text of an owner-only file of the home, without a newline at its end."""
    inner = PurePosixPath(name)
    if inner.is_absolute() or ".." in inner.parts:
        raise PermissionError
    with os.fdopen(os.open(root / inner, _OPEN), "rb") as file:
        found = os.fstat(file.fileno())
        owners = {os.geteuid(), 0}
        if not stat.S_ISREG(found.st_mode) or found.st_uid not in owners or stat.S_IMODE(found.st_mode) & _OTHERS:
            raise PermissionError
        return file.read(4 * _LONGEST + 1).decode().removesuffix("\n")
