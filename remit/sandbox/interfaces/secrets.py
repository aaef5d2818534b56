"""``secrets``: asks for the lease of a secret's name; secrets themselves cannot be read yet, which is answered so."""

from __future__ import annotations

import re
from typing import Final

from remit.kernel.hostcall import Ok, Refused
from remit.kernel.scope import Scope

__all__ = ["FUNCTIONS"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")


def _read(scope: Scope, name: str) -> Ok | Refused:
    if not _NAME.fullmatch(name):
        return Refused("invalid", "a secret's name has letters, digits, '_', '.' and '-', at most 128")
    grant = scope.require("secret:read", name)
    if isinstance(grant, Refused):
        return grant
    return Refused("unavailable", "this version of remit keeps no secrets")


FUNCTIONS: Final = {"read": _read}
