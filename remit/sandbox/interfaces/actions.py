"""``actions``: call another unit's action by name, under a lease of the caller's and the callee's own grants."""

from __future__ import annotations

from typing import Final

from remit.kernel.hostcall import Ok, Refused
from remit.kernel.scope import Scope
from remit.sandbox.interfaces.secrets import holds_secret

__all__ = ["FUNCTIONS"]

_MAX_NAME = 300


def _call(scope: Scope, action: str, argument: str) -> Ok | Refused:
    if not action or len(action) > _MAX_NAME:
        return Refused("invalid", f"an action's name has at most {_MAX_NAME} characters")
    if scope.call_action is None:
        return Refused("unavailable", "units cannot call actions here")
    if (refused := holds_secret(scope, action, argument)) is not None:
        return refused
    grant = scope.require("action:call", action.partition("@")[0], nbytes=len(argument.encode()))
    if isinstance(grant, Refused):
        return grant
    return scope.call_action(scope, grant, action, argument)


FUNCTIONS: Final = {"call": _call}
