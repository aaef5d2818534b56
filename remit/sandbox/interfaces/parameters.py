"""``parameters``: the unit's own parameters, validated when they were set."""

from __future__ import annotations

from typing import Final

from remit.kernel.hostcall import Ok
from remit.kernel.scope import Scope

__all__ = ["FUNCTIONS"]


def _get(scope: Scope) -> Ok:
    return Ok(scope.parameters)


FUNCTIONS: Final = {"get": _get}
